/** Writing files so that whoever reads them sees the old contents or the new ones whole, never a part. */

import { randomBytes } from "node:crypto";
import type { Stats } from "node:fs";
import { access, constants, type FileHandle, open, realpath, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { EngineError } from "../errors.ts";
import { describeSystemError, systemErrorCode } from "./system-errors.ts";

/** A file to be written. */
export interface NewFile {
  readonly path: string;
  /** Asked for when it is written, so that many large files need not be in memory at once. */
  readonly contents: () => Uint8Array | string;
}

/**
 * Writes a file whole or not at all: into a temporary file in the same folder, which takes the name once all of it is
 * on the disk. A file that was there before keeps its mode, and is refused where that lets nobody write; a symbolic
 * link keeps pointing where it does. What is not a regular file (a device, a pipe) is written as it stands, since it
 * must not be replaced.
 *
 * @throws EngineError "write"; the file is then as it was, and no temporary file is left
 */
export function writeFileAtomically(path: string, contents: Uint8Array | string): Promise<void> {
  return writeFilesAtomically([{ path, contents: () => contents }]);
}

/**
 * Writes several files, each as `writeFileAtomically` does, and none before all are on the disk: only then do they
 * take their names.
 *
 * @throws EngineError "write"; no temporary file is left, and all files are as they were, unless it was the very
 *   renaming that failed
 */
export async function writeFilesAtomically(files: Iterable<NewFile>): Promise<void> {
  const temporaries: { file: NewFile; temporary: string; target: string }[] = [];
  const inPlace: NewFile[] = [];
  try {
    for (const file of files) {
      await naming(file, async () => {
        const existing = await replaceable(file.path);
        if (existing && !existing.isFile()) {
          inPlace.push(file);
          return;
        }
        const target = existing ? await realpath(file.path) : file.path;
        const temporary = temporaryBeside(target);
        temporaries.push({ file, temporary, target });
        await writeTemporary(temporary, bytesOf(file), existing?.mode);
      });
    }
    for (const file of inPlace) await naming(file, () => writeInPlace(file.path, bytesOf(file)));
    for (const { file, temporary, target } of temporaries) await naming(file, () => rename(temporary, target));
  } catch (error) {
    for (const { temporary } of temporaries) await rm(temporary, { force: true }).catch(() => undefined);
    throw error;
  }
}

/** Finds out before the work, rather than after it, that a file can't be put there. @throws EngineError "write" */
export async function requireWritable(path: string): Promise<void> {
  try {
    const there = await stat(path).catch(() => undefined);
    if (there?.isDirectory()) throw Object.assign(new Error("is a folder"), { code: "EISDIR" });
    // A file is replaced by one beside it; a device or a pipe is written to.
    await access(there && !there.isFile() ? path : dirname(path), constants.W_OK);
  } catch (error) {
    const { problem, remedy } = describeSystemError(error);
    throw new EngineError("write", path, `cannot be written: ${problem}`, remedy, { cause: error });
  }
}

/** Gives an error the name of the file in whose work it came. */
async function naming(file: NewFile, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (error instanceof EngineError) throw error;
    const { problem, remedy } = describeSystemError(error);
    throw new EngineError("write", file.path, `cannot be written: ${problem}`, remedy, { cause: error });
  }
}

function bytesOf({ contents }: NewFile): Uint8Array {
  const made = contents();
  return typeof made === "string" ? new TextEncoder().encode(made) : made;
}

/** What is there and may be written over, if anything is. A name needs no permission of the file that bore it. */
async function replaceable(path: string): Promise<Stats | undefined> {
  const existing = await statIfThere(path);
  if (existing?.isDirectory()) throw Object.assign(new Error("is a folder"), { code: "EISDIR" });
  if (existing?.isFile()) {
    // The superuser may write everything; that a file says otherwise of everybody is meant for them as well.
    const readOnly = (existing.mode & 0o222) === 0 || (await access(path, constants.W_OK).then(no, yes));
    if (readOnly) {
      const remedy = "make it writable, or choose another name";
      throw new EngineError("write", path, "cannot be written: it is read-only", remedy);
    }
  }
  return existing;
}

const yes = () => true;
const no = () => false;

async function statIfThere(path: string): Promise<Stats | undefined> {
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

/** A name in the same folder; short, so that a name of the greatest length still has room for it. */
function temporaryBeside(path: string): string {
  return join(dirname(path), `.${basename(path).slice(0, 100)}.${randomBytes(6).toString("hex")}.tmp`);
}

async function writeTemporary(path: string, bytes: Uint8Array, mode: number | undefined): Promise<void> {
  const file = await open(path, "wx");
  try {
    await writeAll(file, bytes);
    if (mode !== undefined) await file.chmod(mode & 0o7777);
    await file.sync();
  } finally {
    await file.close();
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
