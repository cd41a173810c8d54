/** Data that a model keeps in other files, which have to lie in the model's own folder, links looked through. */

import { constants } from "node:fs";
import { open, realpath, stat } from "node:fs/promises";
import { dirname, resolve, sep } from "node:path";
import { EngineError } from "../errors.ts";
import type { ExternalFiles } from "../formats/onnx/read.ts";
import { describeSystemError } from "./system-errors.ts";

/** A pipe without a writer would let nobody go on. Windows has neither of the two, and takes them for 0. */
const READ_AT_ONCE = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW;

/**
 * A way to such files beside the model at `path`.
 *
 * What it gives rejects with EngineError "model" for a file outside the folder, behind a link, too short, or asked for
 * more bytes in all than it has.
 */
export function filesBeside(path: string): ExternalFiles {
  const folder = dirname(resolve(path));
  const given = new Map<string, number>();
  return async (location, offset, length) => {
    const wrong = (problem: string, remedy: string) =>
      new EngineError("model", path, `its data in ${location} can't be used: ${problem}`, remedy);
    const file = resolve(folder, location);
    try {
      const root = await realpath(folder);
      const real = await realpath(file);
      if (real !== resolve(root, location) || !real.startsWith(root.endsWith(sep) ? root : root + sep)) {
        throw wrong("the file isn't in the model's folder itself", "put it there, and no link in its place");
      }
      const noFile = () => wrong("it is no regular file", "copy it into one");
      // Opening a device may do something, so it is looked at before; and what took its place meanwhile is after.
      if (!(await stat(real)).isFile()) throw noFile();
      const handle = await open(real, READ_AT_ONCE);
      try {
        const status = await handle.stat();
        if (!status.isFile()) throw noFile();
        if (offset + length > status.size) {
          throw wrong(`${status.size} bytes are there, and ${offset + length} are needed`, "fetch it again");
        }
        const total = (given.get(real) ?? 0) + length;
        if (total > status.size) throw wrong("tensors overlap in it", "export the model again");
        given.set(real, total);
        const bytes = new Uint8Array(length);
        for (let read = 0; read < length;) {
          const { bytesRead } = await handle.read(bytes, read, length - read, offset + read);
          if (bytesRead === 0) throw wrong("it became shorter", "fetch it again");
          read += bytesRead;
        }
        return bytes;
      } finally {
        await handle.close();
      }
    } catch (error) {
      if (error instanceof EngineError) throw error;
      const { problem, remedy } = describeSystemError(error);
      throw wrong(problem, remedy);
    }
  };
}
