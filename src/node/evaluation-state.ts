/// <reference lib="esnext.disposable" preserve="true" />
/**
 * An evaluation's state on disk, so that one that was interrupted anywhere goes on where it was: a line of JSON first
 * that says which evaluation it is, then a line a picture, only ever appended. A last line that was cut off is dropped.
 */

import { constants } from "node:fs";
import { type FileHandle, open, readFile, stat, truncate } from "node:fs/promises";
import { dirname } from "node:path";
import { EngineError } from "../errors.ts";
import { differences } from "../evaluate/agree.ts";
import type { TimedPicture } from "../evaluate/evaluate.ts";
import { parseEvaluation } from "../evaluate/lines.ts";
import type { ComputedBy, Evaluation, EvaluationRun, Shard } from "../evaluate/record.ts";
import { FileLock } from "./file-lock.ts";
import { describeSystemError, systemErrorCode } from "./system-errors.ts";

/** What the first line begins with, and nothing else does. */
const BEGIN = '{"evaluation":1,';
/** What is written is put on the disk so often: more would cost time, less would lose some where the power fails. */
const SYNC_MS = 2000;

/** Of a state that nothing is in yet. */
const nothing = { adapter: "", computedBy: [], pictures: [], seconds: 0, waitingSeconds: 0 };

/** The evaluation that a state is, or is to be, of. */
export interface StateOptions {
  readonly run: EvaluationRun;
  readonly shard: Shard;
  readonly skipUnreadable: boolean;
  /** Told before it waits to see whether a process on another machine still works on the file. */
  readonly onWait?: (machine: string) => void;
  readonly signal?: AbortSignal | undefined;
}

/** An evaluation's state in a file of its own, locked against other processes. */
export class EvaluationState implements AsyncDisposable {
  readonly path: string;
  /** What the file held when it was opened. */
  readonly before: Evaluation;
  private readonly file: FileHandle;
  private readonly lock: FileLock;
  /** The length up to which the file holds whole lines: this process's own, as long as the lock is. */
  private length: number;
  private lastSync = performance.now();
  private closed = false;

  private constructor(path: string, parts: { file: FileHandle; lock: FileLock; length: number; before: Evaluation }) {
    this.path = path;
    this.file = parts.file;
    this.lock = parts.lock;
    this.length = parts.length;
    this.before = parts.before;
  }

  /**
   * Opens an evaluation's state, and begins it where there is none. Nothing is changed in a file that is something else.
   *
   * Rejects with EngineError "evaluation" where it is the state of another evaluation (and says in what they differ), no
   * state at all or damaged, or where another process works on it; "write" where it can't be written.
   */
  static async open(path: string, options: StateOptions): Promise<EvaluationState> {
    const lock = await FileLock.take(path, options.onWait ?? (() => undefined), options.signal);
    let file: FileHandle | undefined;
    try {
      const opened = await openFile(path);
      ({ file } = opened);
      const { text, length } = opened.isNew ? { text: "", length: 0 } : await readLines(file, path);
      const { run, shard, skipUnreadable } = options;
      const before = text === "" ? { ...nothing, run, shard, skipUnreadable } : parseState(text, path);
      refuseOther(path, before, options);
      const state = new EvaluationState(path, { file, lock, length, before });
      await state.start();
      if (text === "") await state.append({ evaluation: 1, run, shard, skipUnreadable });
      else if (skipUnreadable !== before.skipUnreadable) await state.append({ skipUnreadable });
      await state.sync();
      if (text === "") await syncFolder(dirname(path));
      return state;
    } catch (error) {
      await file?.close();
      await lock.release();
      throw error;
    }
  }

  /** Notes what computes. */
  async begin({ adapter, tuning, batch }: Omit<ComputedBy, "shard">): Promise<void> {
    await this.append({ adapter, tuning, batch });
  }

  /** Keeps what became of a picture. Rejects with EngineError "write"; what was kept before stays. */
  async add(picture: TimedPicture): Promise<void> {
    await this.append(picture);
    if (performance.now() - this.lastSync > SYNC_MS) await this.sync();
  }

  /** Puts all on the disk and lets go of the file. Once is enough. */
  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    try {
      await this.sync();
    } finally {
      await this.file.close();
      await this.lock.release();
    }
  }

  /** Closes it, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Takes a last line that was cut off away. */
  private async start(): Promise<void> {
    try {
      // By its name: Windows shortens no file that is open for appending alone.
      if ((await this.file.stat()).size > this.length) await truncate(this.path, this.length);
    } catch (error) {
      throw notWritten(this.path, error);
    }
  }

  /**
   * Writes at the file's end, wherever that is: should another process have taken the state over just now, both have
   * whole lines in it, and neither overwrites the other's.
   */
  private async append(line: object): Promise<void> {
    await this.lock.check();
    const bytes = new TextEncoder().encode(`${JSON.stringify(line)}\n`);
    try {
      let written = 0;
      while (written < bytes.length) {
        const result = await this.file.write(bytes, written, bytes.length - written, null);
        written += result.bytesWritten;
      }
      this.length += bytes.length;
    } catch (error) {
      // Half a line would be dropped when the file is read; it is still better gone. Not from another's file, though.
      await this.lock
        .check({ anew: true })
        .then(() => truncate(this.path, this.length))
        .catch(() => undefined);
      throw notWritten(this.path, error);
    }
  }

  private async sync(): Promise<void> {
    this.lastSync = performance.now();
    try {
      await this.file.datasync();
    } catch (error) {
      throw notWritten(this.path, error);
    }
  }
}

/**
 * Reads an evaluation from a state file, finished or not, or from what `evaluate --json` printed.
 *
 * Rejects with EngineError "evaluation" where it is neither, or is damaged.
 */
export async function readEvaluation(path: string): Promise<Evaluation> {
  let bytes: Buffer;
  try {
    const status = await stat(path);
    if (!status.isFile()) throw new EngineError("evaluation", path, "it is not a regular file", "name a result's file");
    bytes = await readFile(path);
  } catch (error) {
    throw error instanceof EngineError ? error : notRead(path, error);
  }
  // What a state's process was cut off in writing is no part of it.
  const isState = bytes.toString("latin1", 0, BEGIN.length) === BEGIN;
  return parseEvaluation(decode(isState ? wholeLines(bytes) : bytes, noEvaluation(path)), path);
}

function noEvaluation(path: string): EngineError {
  const remedy = "give a state file, or what evaluate --json printed, whole";
  return new EngineError("evaluation", path, "it is not text (UTF-8)", remedy);
}

/**
 * Reads a state.
 *
 * @throws EngineError "evaluation" where it is none or is damaged
 */
function parseState(text: string, path: string): Evaluation {
  if (!text.startsWith(BEGIN)) throw noState(path);
  return parseEvaluation(text, path);
}

function noState(path: string): EngineError {
  return new EngineError("evaluation", path, "it is no state of an evaluation", "name another file; this one is left");
}

function refuseOther(path: string, before: Evaluation, { run, shard }: StateOptions): void {
  const differing = differences(before.run, run);
  const part = ({ index, of }: Shard) => `${index}/${of}`;
  if (part(before.shard) !== part(shard)) differing.push(`shard ${part(before.shard)}, not ${part(shard)}`);
  if (differing.length === 0) return;
  throw new EngineError(
    "evaluation",
    path,
    `it is the state of another evaluation: ${differing.join("; ")}`,
    "name another file; this one is left as it is",
  );
}

async function openFile(path: string): Promise<{ file: FileHandle; isNew: boolean }> {
  try {
    return { file: await open(path, "ax+"), isNew: true };
  } catch (error) {
    if (systemErrorCode(error) !== "EEXIST") throw notWritten(path, error);
  }
  try {
    const file = await open(path, constants.O_RDWR | constants.O_APPEND);
    if (!(await file.stat()).isFile()) {
      await file.close();
      throw new EngineError("evaluation", path, "it is not a regular file", "name another file");
    }
    return { file, isNew: false };
  } catch (error) {
    throw error instanceof EngineError ? error : notWritten(path, error);
  }
}

/** A state's lines that are whole, and their length in bytes: a last one that was cut off is left out. */
async function readLines(file: FileHandle, path: string): Promise<{ text: string; length: number }> {
  let bytes: Buffer;
  try {
    bytes = await file.readFile();
  } catch (error) {
    throw notRead(path, error);
  }
  const lines = wholeLines(bytes);
  // Of a first line that was cut off nothing is lost; anything else without a whole line is somebody's.
  if (lines.length === 0 && !BEGIN.startsWith(bytes.toString("latin1", 0, BEGIN.length))) throw noState(path);
  return { text: decode(lines, noState(path)), length: lines.length };
}

function wholeLines(bytes: Buffer): Buffer {
  return bytes.subarray(0, bytes.lastIndexOf("\n") + 1);
}

/** @throws the refusal, where it is no text */
function decode(bytes: Uint8Array, refusal: EngineError): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw refusal;
  }
}

function notRead(path: string, error: unknown): EngineError {
  const { problem, remedy } = describeSystemError(error);
  return new EngineError("evaluation", path, `it cannot be read: ${problem}`, remedy, { cause: error });
}

/** Where the power fails, a new file's name may be lost without this. Not every system can do it. */
async function syncFolder(folder: string): Promise<void> {
  try {
    const handle = await open(folder, "r");
    await handle.sync().finally(() => handle.close());
  } catch {
    return;
  }
}

function notWritten(path: string, error: unknown): EngineError {
  const { problem, remedy } = describeSystemError(error);
  const kept = `${remedy}, and give the same command again: it goes on where it was`;
  return new EngineError("write", path, `cannot be written: ${problem}`, kept, { cause: error });
}
