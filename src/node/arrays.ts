/** Arrays (.npy) on disk. */

import { readFile, stat } from "node:fs/promises";
import { EngineError } from "../errors.ts";
import { readNpy, writeNpy } from "../formats/npy.ts";
import type { Tensor } from "../graph/tensor.ts";
import { writeFileAtomically, writeFilesAtomically } from "./atomic-write.ts";
import { describeSystemError } from "./system-errors.ts";

/** Node reads no larger file at once. */
const MAX_FILE_BYTES = 2 ** 31 - 1;

/**
 * Reads an array.
 *
 * @throws EngineError "array" for a file that is missing, too large, or not an array
 */
export async function readArray(path: string): Promise<Tensor> {
  try {
    const status = await stat(path);
    // A pipe or a device might never end.
    if (!status.isFile()) throw new EngineError("array", path, "is not a regular file", "name an .npy file");
    if (status.size > MAX_FILE_BYTES) {
      throw new EngineError("array", path, `is too large (${status.size} bytes)`, "split the batch");
    }
    return readNpy(await readFile(path), path);
  } catch (error) {
    if (error instanceof EngineError) throw error;
    const { problem, remedy } = describeSystemError(error);
    throw new EngineError("array", path, `cannot be read: ${problem}`, remedy, { cause: error });
  }
}

/**
 * Writes an array, whole or not at all.
 *
 * @throws EngineError "write"
 */
export function writeArray(path: string, tensor: Tensor): Promise<void> {
  return writeFileAtomically(path, writeNpy(tensor));
}

/**
 * Writes arrays, all of them or none.
 *
 * @throws EngineError "write"
 */
export function writeArrays(arrays: readonly { readonly path: string; readonly tensor: Tensor }[]): Promise<void> {
  return writeFilesAtomically(arrays.map(({ path, tensor }) => ({ path, contents: () => writeNpy(tensor) })));
}
