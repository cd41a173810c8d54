/**
 * Protobuf's text format, as Caffe's networks are written: `name: value`, `name { … }`, lists in brackets, comments from
 * `#`. Depth, length and count are bounded, and fields that nobody asks for are refused, as Caffe itself refuses what
 * it doesn't know. Source: https://protobuf.dev/reference/protobuf/textformat-spec/
 */

import { MalformedFile } from "./protobuf.ts";

/** Networks are written in some 100 kB. */
const MAX_CHARACTERS = 2 ** 22;
const MAX_FIELDS = 200_000;
const MAX_DEPTH = 16;
const MAX_NAME = 4096;

interface Scalar {
  readonly kind: "string" | "word";
  readonly text: string;
}

type Value = Scalar | TextMessage;

/** A message; what is asked of it is checked, and the rest is refused. */
export class TextMessage {
  /** What it is, for errors: `layer "conv1"`. */
  subject: string;
  /** The layer that it is a part of, if it is, for errors. */
  layer: string | undefined;
  private readonly fields = new Map<string, Value[]>();
  private readonly asked = new Set<string>();

  constructor(subject: string) {
    this.subject = subject;
  }

  add(name: string, value: Value): void {
    const values = this.fields.get(name);
    if (values) values.push(value);
    else this.fields.set(name, [value]);
  }

  has(name: string): boolean {
    return this.fields.has(name);
  }

  messages(name: string): TextMessage[] {
    return this.all(name).map((value) => {
      if (!(value instanceof TextMessage)) return this.wrong(`its ${name} is no message`);
      return value.within(this, name);
    });
  }

  /** An empty one where it isn't there. */
  message(name: string): TextMessage {
    return this.single(name, this.messages(name)) ?? new TextMessage("").within(this, name);
  }

  strings(name: string): string[] {
    return this.scalars(name).map(({ kind, text }) =>
      kind === "string" ? text : this.wrong(`its ${name} is no text`),
    );
  }

  string(name: string): string | undefined {
    return this.single(name, this.strings(name));
  }

  numbers(name: string): number[] {
    return this.scalars(name).map(({ kind, text }) => {
      const value = kind === "word" ? numberOf(text) : NaN;
      return Number.isNaN(value) ? this.wrong(`its ${name} is no number`) : value;
    });
  }

  number(name: string): number | undefined {
    return this.single(name, this.numbers(name));
  }

  /** Whole numbers from 0, as sizes are. */
  sizes(name: string): number[] {
    return this.numbers(name).map((value) =>
      Number.isSafeInteger(value) && value >= 0 ? value : this.wrong(`its ${name} is ${value}, no whole number from 0`),
    );
  }

  size(name: string): number | undefined {
    return this.single(name, this.sizes(name));
  }

  flag(name: string, preset: boolean): boolean {
    const value = this.single(name, this.scalars(name));
    if (!value) return preset;
    if (value.kind === "word" && ["true", "t", "1", "True"].includes(value.text)) return true;
    if (value.kind === "word" && ["false", "f", "0", "False"].includes(value.text)) return false;
    return this.wrong(`its ${name} is neither true nor false`);
  }

  /** One of some names, in the order of their numbers, by which they may go too. */
  choice<T extends string>(name: string, names: readonly T[], preset: T): T {
    const value = this.single(name, this.scalars(name));
    if (!value) return preset;
    const found =
      value.kind === "word" ? (names.find((each) => each === value.text) ?? names[Number(value.text)]) : undefined;
    return found ?? this.wrong(`its ${name} is ${value.text}, none of ${names.join(", ")}`);
  }

  /** A word or text. */
  word(name: string): string | undefined {
    return this.single(name, this.scalars(name))?.text;
  }

  /** Says that fields change nothing here. */
  ignore(...names: readonly string[]): void {
    for (const name of names) this.asked.add(name);
  }

  /** Refuses what was not asked for. */
  close(): void {
    for (const name of this.fields.keys()) {
      if (!this.asked.has(name)) {
        this.wrong(`its field ${name} isn't supported; those that are: ${[...this.asked].join(", ") || "none"}`);
      }
    }
  }

  wrong(problem: string): never {
    throw new MalformedFile(`${this.subject}: ${problem}`, this.layer === undefined ? {} : { layer: this.layer });
  }

  private within({ subject, layer }: TextMessage, name: string): this {
    this.subject = `${subject}, ${name}`;
    this.layer = layer;
    return this;
  }

  private all(name: string): readonly Value[] {
    this.asked.add(name);
    return this.fields.get(name) ?? [];
  }

  private scalars(name: string): Scalar[] {
    return this.all(name).map((value) =>
      value instanceof TextMessage ? this.wrong(`its ${name} is a message`) : value,
    );
  }

  private single<T>(name: string, values: readonly T[]): T | undefined {
    if (values.length > 1) this.wrong(`it has ${name} twice`);
    return values[0];
  }
}

/** Bytes by which text is told from other contents. */
const LOOKED_AT = 4096;

/** What may stand first in Caffe's networks, behind comments. */
const heads: readonly string[] = [
  ...["name", "state", "input", "input_dim", "input_shape", "force_backward", "debug_info", "layer", "layers"],
];

/** Whether the bytes look like text: they begin with no control characters but white space. */
export function looksLikeText(bytes: Uint8Array): boolean {
  return bytes.subarray(0, LOOKED_AT).every((byte) => byte >= 0x20 || (byte >= 0x09 && byte <= 0x0d));
}

/** Whether the bytes look like a network of Caffe's as text. */
export function looksLikePrototxt(bytes: Uint8Array): boolean {
  if (!looksLikeText(bytes)) return false;
  try {
    const field = new Parser(new TextDecoder().decode(bytes.subarray(0, MAX_CHARACTERS))).firstField();
    return field !== undefined && heads.includes(field);
  } catch (error) {
    if (error instanceof MalformedFile) return false;
    throw error;
  }
}

function numberOf(text: string): number {
  if (/^-?0[0-7]+$/.test(text)) return parseInt(text, 8);
  if (/^-?0x[0-9a-f]+$/i.test(text)) return text.startsWith("-") ? -Number(text.slice(1)) : Number(text);
  if (/^-?inf(inity)?f?$/i.test(text)) return text.startsWith("-") ? -Infinity : Infinity;
  return /^-?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?f?$/i.test(text) ? Number(text.replace(/f$/i, "")) : NaN;
}

/**
 * Reads a text.
 *
 * @throws MalformedFile
 */
export function readPrototxt(text: string, subject: string): TextMessage {
  if (text.length > MAX_CHARACTERS) throw new MalformedFile(`it has more than ${MAX_CHARACTERS} characters`);
  return new Parser(text).read(subject);
}

type Token = { readonly kind: "string" | "word" | "sign" | "end"; readonly text: string };

const space = /[\s\uFEFF]/;
const wordCharacter = /[A-Za-z0-9_.+-]/;
const signs = ":{}<>[],;";

const escape = /\\(?:([0-7]{1,3})|[xX]([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([abfnrtv?\\'"]))/y;
const escapedLetters = { a: 7, b: 8, f: 12, n: 10, r: 13, t: 9, v: 11, "?": 63, "\\": 92, "'": 39, '"': 34 } as const;

class Parser {
  private readonly text: string;
  private position = 0;
  private fields = 0;
  private next: Token;

  constructor(text: string) {
    this.text = text;
    this.next = this.scan();
  }

  /** The name of the field at the front, if one stands there. */
  firstField(): string | undefined {
    const { kind, text } = this.next;
    if (kind !== "word") return undefined;
    this.advance();
    return this.next.kind === "sign" && ":{<".includes(this.next.text) ? text : undefined;
  }

  read(subject: string): TextMessage {
    const message = new TextMessage(subject);
    this.readFields(message, "", 0);
    return message;
  }

  /** Fields up to a closing sign, or the end. */
  private readFields(message: TextMessage, close: string, depth: number): void {
    if (depth > MAX_DEPTH) this.wrong(`messages lie more than ${MAX_DEPTH} deep`);
    for (;;) {
      if (this.next.kind === "end" && close === "") return;
      if (close !== "" && this.take("sign", close)) return;
      const name = this.next;
      if (name.kind !== "word" || !/^[A-Za-z_]/.test(name.text)) this.wrong("a field's name is expected");
      if (++this.fields > MAX_FIELDS) this.wrong(`it has more than ${MAX_FIELDS} fields`);
      this.advance();
      const colon = this.take("sign", ":");
      if (colon && this.take("sign", "[")) this.readList(message, name.text, depth);
      else message.add(name.text, this.readValue(colon, depth));
      if (!this.take("sign", ",")) this.take("sign", ";");
    }
  }

  private readList(message: TextMessage, name: string, depth: number): void {
    if (this.take("sign", "]")) return;
    do {
      if (++this.fields > MAX_FIELDS) this.wrong(`it has more than ${MAX_FIELDS} fields`);
      message.add(name, this.readValue(true, depth));
    } while (this.take("sign", ","));
    if (!this.take("sign", "]")) this.wrong("a list isn't closed");
  }

  private readValue(mayBeScalar: boolean, depth: number): Value {
    for (const [open, close] of ["{}", "<>"]) {
      if (!this.take("sign", open)) continue;
      const message = new TextMessage("");
      this.readFields(message, close, depth + 1);
      return message;
    }
    const { kind, text } = this.next;
    if (!mayBeScalar || (kind !== "word" && kind !== "string")) return this.wrong("a value is expected");
    this.advance();
    if (kind === "word") return { kind, text };
    let joined = text;
    // Texts side by side are one.
    while (this.next.kind === "string") {
      joined += this.next.text;
      this.advance();
      if (joined.length > MAX_NAME) this.wrong(`a text has more than ${MAX_NAME} characters`);
    }
    return { kind, text: joined };
  }

  private take(kind: Token["kind"], text: string): boolean {
    if (this.next.kind !== kind || this.next.text !== text) return false;
    this.advance();
    return true;
  }

  private advance(): void {
    this.next = this.scan();
  }

  private scan(): Token {
    const { text } = this;
    this.skipBlank();
    const start = this.position;
    if (start >= text.length) return { kind: "end", text: "" };
    const first = text[start];
    this.position++;
    if (signs.includes(first)) return { kind: "sign", text: first };
    if (first === '"' || first === "'") return { kind: "string", text: this.scanString(first) };
    while (this.position < text.length && wordCharacter.test(text[this.position])) this.position++;
    const word = text.slice(start, this.position);
    if (!wordCharacter.test(first) || word.length > MAX_NAME) return this.wrong("what stands there makes no sense");
    return { kind: "word", text: word };
  }

  /** White space and comments. */
  private skipBlank(): void {
    const { text } = this;
    for (; this.position < text.length; this.position++) {
      if (text[this.position] === "#") {
        const end = text.indexOf("\n", this.position);
        this.position = end < 0 ? text.length : end;
      } else if (!space.test(text[this.position])) {
        return;
      }
    }
  }

  /** What stands between quotes, as UTF-8 where escapes give bytes. */
  private scanString(quote: string): string {
    const { text } = this;
    const parts: string[] = [];
    for (; text[this.position] !== quote; this.position++) {
      if (this.position >= text.length || text[this.position] === "\n") return this.wrong("a text isn't closed");
      if (parts.length > MAX_NAME) return this.wrong(`a text has more than ${MAX_NAME} characters`);
      if (text[this.position] === "\\") parts.push(this.scanEscapes());
      else parts.push(text[this.position]);
    }
    this.position++;
    return parts.join("");
  }

  /** Escapes side by side, whose bytes may be one character; ends on the last one's last character. */
  private scanEscapes(): string {
    const bytes: number[] = [];
    while (this.text[this.position] === "\\") {
      if (bytes.length > MAX_NAME) return this.wrong(`a text has more than ${MAX_NAME} characters`);
      escape.lastIndex = this.position;
      const [whole, octal, hexadecimal, codePoint, longCodePoint, letter] = escape.exec(this.text) ?? this.badEscape();
      const code = parseInt(octal ?? hexadecimal ?? codePoint ?? longCodePoint, octal === undefined ? 16 : 8);
      if (letter !== undefined) bytes.push(escapedLetters[letter as keyof typeof escapedLetters]);
      else if (octal !== undefined || hexadecimal !== undefined) bytes.push(code > 255 ? this.badEscape() : code);
      else if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) this.badEscape();
      else bytes.push(...new TextEncoder().encode(String.fromCodePoint(code)));
      this.position += whole.length;
    }
    this.position--;
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Uint8Array.from(bytes));
    } catch {
      return this.wrong("a text's escapes are no UTF-8");
    }
  }

  private badEscape(): never {
    return this.wrong("a text has an escape that means nothing");
  }

  private wrong(problem: string): never {
    const before = this.text.slice(0, this.position).split("\n");
    throw new MalformedFile(`line ${before.length}: ${problem}`);
  }
}
