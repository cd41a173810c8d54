/** Folders of blobs: NAME.npy each, with `#` for every `/` of the name. */

import { readdir, rmdir } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { EngineError } from "../errors.ts";
import type { ValueId } from "../graph/graph.ts";
import type { Tensor } from "../graph/tensor.ts";
import { readArray, writeArrays } from "./arrays.ts";
import { makeFolder } from "./make-folder.ts";
import { describeSystemError } from "./system-errors.ts";

const EXTENSION = ".npy";

export interface BlobFolder {
  /** The blobs that were read, or why one could not be. */
  readonly blobs: ReadonlyMap<ValueId, Tensor | EngineError>;
  /** Array files that are named like none of the blobs. */
  readonly others: readonly string[];
}

/** The file name of a blob. */
export function blobFile(blob: ValueId): string {
  return blob.replaceAll("/", "#") + EXTENSION;
}

/**
 * Reads those of the blobs that a folder has.
 *
 * @throws EngineError "array" where the folder can't be read
 */
export async function readBlobFolder(folder: string, blobs: Iterable<ValueId>): Promise<BlobFolder> {
  let files: string[];
  try {
    files = (await readdir(folder)).filter((file) => file.endsWith(EXTENSION)).sort();
  } catch (error) {
    const { problem, remedy } = describeSystemError(error);
    throw new EngineError("array", folder, `cannot be read: ${problem}`, remedy, { cause: error });
  }
  const byFile = new Map([...blobs].map((blob) => [blobFile(blob), blob]));
  const read = new Map<ValueId, Tensor | EngineError>();
  for (const file of files) {
    const blob = byFile.get(file);
    if (blob === undefined) continue;
    try {
      read.set(blob, await readArray(join(folder, file)));
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      read.set(blob, error);
    }
  }
  return { blobs: read, others: files.filter((file) => !byFile.has(file)) };
}

/**
 * Writes blobs into a folder, which is made where it is missing: all of them, or none and no folder.
 *
 * @throws EngineError "write"
 */
export async function writeBlobFolder(folder: string, blobs: ReadonlyMap<ValueId, Tensor>): Promise<void> {
  let made: string | undefined;
  try {
    made = await makeFolder(folder);
  } catch (error) {
    const { problem, remedy } = describeSystemError(error);
    throw new EngineError("write", folder, `cannot be made: ${problem}`, remedy, { cause: error });
  }
  try {
    await writeArrays([...blobs].map(([blob, tensor]) => ({ path: join(folder, blobFile(blob)), tensor })));
  } catch (error) {
    if (made !== undefined) await removeEmpty(resolve(folder), resolve(made));
    throw error;
  }
}

/** Removes a folder and those it is in, up to the topmost, unless somebody has put something there. */
async function removeEmpty(folder: string, topmost: string): Promise<void> {
  try {
    await rmdir(folder);
  } catch {
    return;
  }
  if (folder !== topmost) await removeEmpty(dirname(folder), topmost);
}
