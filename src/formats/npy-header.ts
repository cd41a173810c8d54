/** The header of an .npy file: the one Python dict literal that NumPy writes, parsed as just that. */

import { isExtent } from "./extents.ts";

export interface NpyHeader {
  /** The element type, e.g. `<f4`. */
  readonly descr: string;
  readonly fortranOrder: boolean;
  readonly shape: readonly number[];
}

/** As many axes as NumPy allows. */
const MAX_RANK = 64;
/** A string without escapes, a number, a name, or a punctuation mark; spaces before it. */
const TOKEN = /\s*(?:'([^'\\\n]*)'|"([^"\\\n]*)"|(\d+)|([A-Za-z]+)|([{}():,[\]]))/y;

/** A value of the literal; lists (structured types) are told apart only to be refused. */
type Value = string | boolean | readonly number[];

class HeaderError extends Error {}

/**
 * Parses the header: keys `descr`, `fortran_order` and `shape`, each exactly once, in any order.
 *
 * @returns the header, or what is wrong with it
 */
export function parseNpyHeader(bytes: Uint8Array): NpyHeader | string {
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    return readDict(text);
  } catch (error) {
    return error instanceof HeaderError ? error.message : "its header is not text";
  }
}

function readDict(text: string): NpyHeader {
  const tokens = tokenize(text);
  let position = 0;
  const next = (): string => tokens[position++] ?? "";
  const expect = (token: string): void => {
    const found = next();
    if (found !== token) throw new HeaderError(`its header has ${found || "its end"} in place of ${token}`);
  };

  const readShape = (): number[] => {
    const shape: number[] = [];
    while (tokens[position] !== ")") {
      const token = next();
      const extent = Number(token);
      if (!/^\d+$/.test(token) || !isExtent(extent)) {
        throw new HeaderError(`its shape has ${token || "its end"} in place of an integer from 0`);
      }
      shape.push(extent);
      if (shape.length > MAX_RANK) throw new HeaderError(`its shape has more than ${MAX_RANK} axes`);
      // (3) is a number in parentheses, not a tuple: a comma is due after a single extent.
      if (tokens[position] !== ")" || shape.length === 1) expect(",");
    }
    expect(")");
    return shape;
  };

  const readValue = (): Value => {
    const token = next();
    if (token === "True") return true;
    if (token === "False") return false;
    if (token.startsWith("'")) return token.slice(1);
    if (token === "(") return readShape();
    if (token === "[") throw new HeaderError("it holds records, not numbers");
    throw new HeaderError(`its header has an unexpected ${token || "end"}`);
  };

  const values = new Map<string, Value>();
  expect("{");
  while (tokens[position] !== "}") {
    const key = next();
    if (!["'descr", "'fortran_order", "'shape"].includes(key) || values.has(key.slice(1))) {
      throw new HeaderError(`its header has an unexpected key ${key.replace("'", "")}`);
    }
    expect(":");
    values.set(key.slice(1), readValue());
    if (tokens[position] !== "}") expect(",");
  }
  expect("}");
  if (position < tokens.length) throw new HeaderError("its header goes on after its dict");

  const descr = values.get("descr");
  const fortranOrder = values.get("fortran_order");
  const shape = values.get("shape");
  if (typeof descr !== "string") throw new HeaderError("its header names no type (descr)");
  if (typeof fortranOrder !== "boolean") throw new HeaderError("its header names no order (fortran_order)");
  if (!Array.isArray(shape)) throw new HeaderError("its header names no shape");
  return { descr, fortranOrder, shape: shape as number[] };
}

/** Tokens as text; strings bear a leading apostrophe, so that 'True' is not True. */
function tokenize(text: string): string[] {
  const tokens: string[] = [];
  const body = text.trimEnd();
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < body.length) {
    const start = TOKEN.lastIndex;
    const match = TOKEN.exec(body);
    if (match === null) throw new HeaderError(`its header cannot be read at character ${start}`);
    const [, single, double, number, word, mark] = match;
    const string = single ?? double;
    tokens.push(string !== undefined ? `'${string}` : (number ?? word ?? mark));
  }
  return tokens;
}
