/** Knowing trained weights by their content, whatever file they come in. */

import type { Weights } from "../graph/weights.ts";
import { bytesFromFloats } from "../formats/floats.ts";
import { isAuxiliary } from "./check.ts";

/** Weights known by their fingerprint. */
const KNOWN: ReadonlyMap<string, string> = new Map([
  ["c56c182ddd75d8f09d37017050cc96694c11c9c4f881103e7d2bd698a89350e4", "bvlc_googlenet"],
]);

/**
 * The name of the trained network that these weights are, or null. Auxiliary heads do not matter.
 */
export async function recogniseWeights(weights: Weights): Promise<string | null> {
  return KNOWN.get(await fingerprint(weights)) ?? null;
}

/**
 * SHA-256, in hexadecimal, of a text that has a line `NAME SHAPE SHA256\n` for each tensor but those of auxiliary
 * heads: the names in order of their UTF-16 code units, extents joined by `x`, and the hash of the tensor's values as
 * little-endian float32. So it depends on the values alone, not on the file's format, order or metadata.
 */
export async function fingerprint(weights: Weights): Promise<string> {
  const names = [...weights.keys()].filter((name) => !isAuxiliary(name)).sort();
  const lines = await Promise.all(
    names.map(async (name) => {
      const { shape, data } = weights.get(name)!;
      return `${name} ${shape.join("x")} ${await sha256(bytesFromFloats(data))}\n`;
    }),
  );
  return sha256(new TextEncoder().encode(lines.join("")));
}

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
