/** A kernel's WGSL text, and what the loader may change in it: the sizes of tiles, and the types of elements. */

import { EngineError } from "../errors.ts";
import type { Precision } from "../plan/precision.ts";

/** Gives the text of kernels/NAME.wgsl: from disk, from a bundle, over the network. */
export type KernelSource = (name: string) => string | Promise<string>;

/**
 * Replaces the values of module-scope constants, `const NAME = 8u;`: what `override` cannot size. The text stays
 * valid WGSL. Throws EngineError "gpu" where a constant is absent.
 */
export function setTiles(name: string, source: string, tiles: Readonly<Record<string, number>>): string {
  let text = source;
  for (const [constant, value] of Object.entries(tiles)) {
    const declaration = new RegExp(`^const ${constant} = \\d+u;`, "m");
    if (!declaration.test(text)) {
      throw new EngineError(
        "gpu",
        `kernel ${name}`,
        `it declares no constant ${constant} (it has ${tileNames(source).join(", ") || "none"})`,
        "correct its descriptor in src/plan/kernels",
      );
    }
    text = text.replace(declaration, `const ${constant} = ${value}u;`);
  }
  return text;
}

/**
 * Replaces types of elements, `alias NAME = f32;`, and enables float16 where one is of it. The text stays valid WGSL,
 * line by line. Throws EngineError "gpu" where an alias is absent.
 */
export function setElements(name: string, source: string, elements: Readonly<Record<string, Precision>>): string {
  let text = source;
  for (const [alias, type] of Object.entries(elements)) {
    const declaration = new RegExp(`^alias ${alias} = f32;`, "m");
    if (!declaration.test(text)) {
      throw new EngineError(
        "gpu",
        `kernel ${name}`,
        `it declares no alias ${alias} of f32 (it has ${aliasNames(source).join(", ") || "none"})`,
        "correct its descriptor in src/plan/kernels",
      );
    }
    text = text.replace(declaration, `alias ${alias} = ${type};`);
  }
  // Before the first line's own text, so that the numbers of lines stay.
  return Object.values(elements).includes("f16") ? `enable f16; ${text}` : text;
}

function aliasNames(source: string): string[] {
  return [...source.matchAll(/^alias (\w+) = f32;/gm)].map(([, alias]) => alias);
}

function tileNames(source: string): string[] {
  return [...source.matchAll(/^const (\w+) = \d+u;/gm)].map(([, constant]) => constant);
}
