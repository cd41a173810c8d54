/// <reference lib="esnext.disposable" preserve="true" />
/**
 * A lock against two processes at one file, as a file beside it that says who holds it. It lasts no longer than its
 * holder: one that was killed is known by its process on the same machine, elsewhere by showing no more sign of life.
 */

import { randomUUID } from "node:crypto";
import { readFileSync, readlinkSync } from "node:fs";
import { readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { EngineError } from "../errors.ts";
import { describeSystemError, systemErrorCode } from "./system-errors.ts";

/** Who holds a lock. */
interface Holder {
  /** Of this lock, whoever takes it. */
  readonly id: string;
  /** The machine, and on Linux its boot and the container: where process numbers mean the same. */
  readonly machine: string;
  readonly pid: number;
  /** When the process started, in the system's own words; null where it does not say. Numbers are given again. */
  readonly started: string | null;
}

/** How often a holder shows that it is alive. */
const BEAT_MS = 2000;
/** Who has not looked for so long must look before it writes. */
const STALE_MS = 2 * BEAT_MS;
/** A holder elsewhere that shows nothing for so long is dead. */
const PATIENCE_MS = 20_000;
/** A lock is written within this time of its making. */
const SETTLE_MS = 200;
/** A lock that changes hands more often while one tries is contended. */
const TRIES = 10;

/** What another process' lock comes to for whoever wants one. */
export interface Held {
  readonly problem: string;
  readonly remedy: string;
}

export class FileLock implements AsyncDisposable {
  private readonly path: string;
  private readonly holder: Holder;
  private readonly beating: NodeJS.Timeout;
  private lost = false;
  /** When it was last seen to be held, by the clock that goes on while a machine sleeps. */
  private lastBeat = Date.now();

  private constructor(path: string, holder: Holder) {
    this.path = path;
    this.holder = holder;
    this.beating = setInterval(() => void this.beat(), BEAT_MS).unref();
  }

  /**
   * Takes the lock of a file, `FILE.lock`.
   *
   * Rejects with EngineError "evaluation" where another process holds it, "write" where it can't be written.
   *
   * @param onWait told before it waits to see whether a holder on another machine is alive
   */
  static async take(file: string, onWait: (machine: string) => void, signal?: AbortSignal): Promise<FileLock> {
    const taken = await FileLock.tryTake(file, onWait, signal);
    if (taken instanceof FileLock) return taken;
    throw new EngineError("evaluation", file, taken.problem, taken.remedy);
  }

  /** The same for whoever can wait: gives what is wrong where another process holds it. */
  static async tryTake(
    file: string,
    onWait: (machine: string) => void,
    signal?: AbortSignal,
  ): Promise<FileLock | Held> {
    const path = `${file}.lock`;
    const holder: Holder = { id: randomUUID(), machine: machine(), pid: process.pid, started: startOf(process.pid) };
    for (let tries = 0; tries < TRIES; tries++) {
      if (await create(path, holder)) return new FileLock(path, holder);
      let other = await read(path);
      // It may be that it is just being written.
      if (other === null) other = await sleep(SETTLE_MS).then(() => read(path));
      if (other === undefined) continue;
      if (other && (await isAlive(path, other, onWait, signal))) {
        const where = other.machine === holder.machine ? "" : ` on ${hostOf(other)}`;
        const problem = `process ${other.pid}${where} is at work on it`;
        return { problem, remedy: `wait until it is done, or remove ${path} if there is none` };
      }
      await remove(path, other);
    }
    return { problem: "several processes want to work on it", remedy: "let one do it" };
  }

  /**
   * To be asked before each write: a process that stood still (stopped, swapped out, on a machine that slept) sees here,
   * before its next beat, what became of the lock in the meantime.
   *
   * Rejects with EngineError "evaluation" where another process has taken the lock, believing this one dead.
   *
   * @param anew whether to look even if the last beat is recent
   */
  async check({ anew = false } = {}): Promise<void> {
    if (!this.lost && (anew || Math.abs(Date.now() - this.lastBeat) > STALE_MS)) await this.beat();
    if (!this.lost) return;
    const problem = "another process has taken it over, since this one stood still for long";
    throw new EngineError("evaluation", this.path, problem, "let one process work on it");
  }

  async release(): Promise<void> {
    clearInterval(this.beating);
    const now = await read(this.path);
    if (now?.id === this.holder.id) await rm(this.path, { force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release();
  }

  private async beat(): Promise<void> {
    try {
      const now = await read(this.path);
      // One that somebody has removed by hand is nobody's; one that others hold is lost.
      if (now && now.id !== this.holder.id) this.lost = true;
      else if (now) await utimes(this.path, new Date(), new Date());
      if (now !== null) this.lastBeat = Date.now();
    } catch {
      // A file system that fails for a moment: the next beat may come through.
    }
  }
}

/** Makes the lock, unless there is one. */
async function create(path: string, holder: Holder): Promise<boolean> {
  try {
    await writeFile(path, `${JSON.stringify(holder)}\n`, { flag: "wx" });
    return true;
  } catch (error) {
    if (systemErrorCode(error) === "EEXIST") return false;
    await rm(path, { force: true }).catch(() => undefined);
    const { problem, remedy } = describeSystemError(error);
    throw new EngineError("write", path, `cannot be written: ${problem}`, remedy, { cause: error });
  }
}

/** Who holds a lock; null where it is being written or is none, undefined where there is none. */
async function read(path: string): Promise<Holder | null | undefined> {
  try {
    const holder = JSON.parse(await readFile(path, "utf8")) as Partial<Holder> | null;
    return typeof holder?.id === "string" && typeof holder.pid === "number" && typeof holder.machine === "string"
      ? (holder as Holder)
      : null;
  } catch (error) {
    return systemErrorCode(error) === "ENOENT" ? undefined : null;
  }
}

/** Takes away a lock whose holder is dead, unless somebody else just did and has made a new one. */
async function remove(path: string, dead: Holder | null): Promise<void> {
  const aside = `${path}.${randomUUID()}`;
  try {
    // Of several that try, one gets it.
    await rename(path, aside);
  } catch {
    return;
  }
  const taken = await read(aside);
  if (taken && taken.id !== dead?.id) {
    // It was a new one after all; its holder made it a moment ago.
    await rename(aside, path).catch(() => undefined);
    return;
  }
  await rm(aside, { force: true });
}

async function isAlive(
  path: string,
  holder: Holder,
  onWait: (machine: string) => void,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  if (holder.machine === machine()) return isRunning(holder);
  onWait(hostOf(holder));
  const before = await beatOf(path);
  for (let waited = 0; waited < PATIENCE_MS; waited += 500) {
    await sleep(500, undefined, signal ? { signal } : {});
    if ((await beatOf(path)) !== before) return true;
  }
  return false;
}

async function beatOf(path: string): Promise<number | null> {
  try {
    return (await stat(path)).mtimeMs;
  } catch {
    return null;
  }
}

function isRunning({ pid, started }: Holder): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // It is there, and somebody else's.
    if (systemErrorCode(error) !== "EPERM") return false;
  }
  return started === null || startOf(pid) === started;
}

/** The time that the system started a process at; null where it does not say. */
function startOf(pid: number): string | null {
  try {
    const status = readFileSync(`/proc/${pid}/stat`, "latin1");
    // The name, in brackets, may hold anything; after it fields are counted from the third on.
    return status.slice(status.lastIndexOf(")") + 2).split(" ")[19] ?? null;
  } catch {
    return null;
  }
}

function machine(): string {
  const more = [
    () => readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim(),
    () => readlinkSync("/proc/self/ns/pid"),
  ].map((read) => {
    try {
      return read();
    } catch {
      return "";
    }
  });
  return [hostname(), ...more].join(" ").trim();
}

function hostOf({ machine: name }: Holder): string {
  return name.split(" ")[0];
}
