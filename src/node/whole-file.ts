/** Files of weights and models, read whole. */

import { readFile, stat } from "node:fs/promises";
import { EngineError } from "../errors.ts";
import { describeSystemError, systemErrorCode } from "./system-errors.ts";

/** Node could not read a larger one at once. */
const MAX_FILE_BYTES = 2 ** 31 - 1;

const advice = {
  weights: {
    missing: "check the path, or get BVLC's trained weights with: googlenet weights fetch",
    tooLarge: "give GoogLeNet's weights",
  },
  model: { missing: "check the path, or give googlenet, the built-in network", tooLarge: "give a smaller model" },
} as const;

/** @throws EngineError of that code for a file that is missing, no regular file, too large or empty */
export async function readWholeFile(path: string, code: keyof typeof advice): Promise<Uint8Array> {
  const { missing, tooLarge } = advice[code];
  try {
    const status = await stat(path);
    if (status.isDirectory()) throw new EngineError(code, path, "is a folder", "name a file in it");
    // A pipe or a device might never end.
    if (!status.isFile()) throw new EngineError(code, path, "is not a regular file", "copy it into one");
    if (status.size > MAX_FILE_BYTES) {
      throw new EngineError(code, path, `is too large (${status.size} bytes)`, tooLarge);
    }
    const bytes = await readFile(path);
    if (bytes.length === 0) throw new EngineError(code, path, "is empty", "fetch or convert the file again");
    return bytes;
  } catch (error) {
    if (error instanceof EngineError) throw error;
    if (systemErrorCode(error) === "ENOENT") {
      throw new EngineError(code, path, "there is no such file", missing, { cause: error });
    }
    const { problem, remedy } = describeSystemError(error);
    throw new EngineError(code, path, `cannot be read: ${problem}`, remedy, { cause: error });
  }
}
