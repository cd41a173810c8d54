/** Classes as the report names them. */

import type { Label } from "../../labels/imagenet.ts";
import { html, type Markup } from "../../page/markup.ts";

export interface ClassNames {
  /** The first of a class's names, with its id where another class has the same (there are two cranes). */
  text(which: number): string;
  /** That, and all that is known of the class where it is pointed at. */
  markup(which: number): Markup;
}

/** Of classes by their place among the labels; others go by their numbers. */
export function classNames(labels: readonly Label[]): ClassNames {
  const firstNames = labels.map(({ name }) => name.split(",")[0]);
  const bearers = new Map<string, number>();
  for (const name of firstNames) bearers.set(name, (bearers.get(name) ?? 0) + 1);

  function text(which: number): string {
    const name = firstNames[which];
    if (name === undefined) return `class ${which}`;
    return bearers.get(name) === 1 ? name : `${name} (${labels[which].id})`;
  }
  function markup(which: number): Markup {
    const label = labels[which];
    const title = label === undefined ? `class ${which}` : `${label.name} (${label.id}, class ${which})`;
    return html`<span title="${title}">${text(which)}</span>`;
  }
  return { text, markup };
}
