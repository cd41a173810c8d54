/** HTML from parts: strings are text, and escaped, unless they were made here. */

/** A piece of HTML or SVG that may stand as it is. */
export class Markup {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

type Part = string | number | Markup | readonly Markup[];

/** A template of markup; what is put into it is escaped, in attributes and text alike, unless it is markup itself. */
export function html(literals: TemplateStringsArray, ...parts: readonly Part[]): Markup {
  return new Markup(literals.reduce((text, literal, index) => text + render(parts[index - 1]) + literal));
}

function render(part: Part): string {
  if (part instanceof Markup) return part.text;
  if (typeof part === "string" || typeof part === "number") return escape(String(part));
  return part.map(({ text }) => text).join("");
}

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function escape(text: string): string {
  // XML has no control characters, not even escaped.
  // eslint-disable-next-line no-control-regex -- these very characters
  return text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, " ").replace(/[&<>"']/g, (character) => entities[character]);
}

/** A coordinate: to a hundredth, without an exponent. */
export function at(value: number): string {
  return String(Number(value.toFixed(2)));
}

/** `62.5%`, as attributes have it. */
export function portion(share: number): string {
  return `${Number((100 * share).toFixed(3))}%`;
}
