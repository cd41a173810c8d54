/** A kernel's WGSL text, and what the loader may change in it. */

import { EngineError } from "../errors.ts";

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

function tileNames(source: string): string[] {
  return [...source.matchAll(/^const (\w+) = \d+u;/gm)].map(([, constant]) => constant);
}
