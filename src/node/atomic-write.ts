/** Writing files so that whoever reads them sees the old contents or the new ones whole, never a part. */

import { randomBytes } from "node:crypto";
import { type FileHandle, open, realpath, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { EngineError } from "../errors.ts";
import { describeSystemError, systemErrorCode } from "./system-errors.ts";

/**
 * Writes a file whole or not at all: into a temporary file in the same folder, which takes the name once all of it is
 * on the disk. A file that was there before keeps its mode; a symbolic link keeps pointing where it does. What is not
 * a regular file (a device, a pipe) is written as it stands, since it must not be replaced.
 *
 * @throws EngineError "write"; the file is then as it was, and no temporary file is left
 */
export async function writeFileAtomically(path: string, contents: Uint8Array | string): Promise<void> {
  const bytes = typeof contents === "string" ? new TextEncoder().encode(contents) : contents;
  try {
    const existing = await statIfThere(path);
    if (existing?.isDirectory()) throw Object.assign(new Error("is a folder"), { code: "EISDIR" });
    if (existing && !existing.isFile()) {
      await writeInPlace(path, bytes);
    } else {
      await writeBeside(existing ? await realpath(path) : path, bytes, existing?.mode);
    }
  } catch (error) {
    const { problem, remedy } = describeSystemError(error);
    throw new EngineError("write", path, `cannot be written: ${problem}`, remedy, { cause: error });
  }
}

async function statIfThere(path: string) {
  try {
    return await stat(path);
  } catch (error) {
    if (systemErrorCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

async function writeInPlace(path: string, bytes: Uint8Array): Promise<void> {
  const file = await open(path, "w");
  try {
    await writeAll(file, bytes);
  } finally {
    await file.close();
  }
}

async function writeBeside(path: string, bytes: Uint8Array, mode: number | undefined): Promise<void> {
  // Short, so that a name of the greatest length still has room for it.
  const temporary = join(dirname(path), `.${basename(path).slice(0, 100)}.${randomBytes(6).toString("hex")}.tmp`);
  const file = await open(temporary, "wx");
  try {
    try {
      await writeAll(file, bytes);
      if (mode !== undefined) await file.chmod(mode & 0o7777);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** FileHandle.writeFile does not tell how far it came; a short write must not pass for a whole one. */
async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  let written = 0;
  while (written < bytes.length) {
    const { bytesWritten } = await file.write(bytes, written);
    written += bytesWritten;
  }
}
