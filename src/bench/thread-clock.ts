/** The CPU time of the calling thread alone: neither that of its process' other threads, nor waiting for a core. */

import { closeSync, openSync, readSync } from "node:fs";
import { median } from "../tune/statistics.ts";

/**
 * What told the time: `thread` (Node.js itself, from version 24 on), `schedstat` (Linux's scheduler), or `bound`: the
 * clock and the process' CPU time, of which the one holds what other processes did meanwhile and the other what other
 * threads did. That is no more than a bound.
 */
export type ThreadClockKind = "thread" | "schedstat" | "bound";

export interface ThreadClock extends Disposable {
  readonly kind: ThreadClockKind;
  /** Milliseconds of this thread's CPU time that work takes; of kind `bound`, at most. */
  cpuTime(work: () => void): number;
}

/** Long enough for the scheduler to put the thread off its core. */
const BLOCK_MILLISECONDS = 0.1;
/** Empty sections of which the median is what a section costs by itself. */
const EMPTY_SECTIONS = 51;

type Usage = (before?: NodeJS.CpuUsage) => NodeJS.CpuUsage;

/** The best clock of this machine, for the thread that calls; by name for tests. */
export function openThreadClock(kind?: ThreadClockKind): ThreadClock {
  if (kind !== "schedstat" && kind !== "bound") {
    const usage = (process as { threadCpuUsage?: Usage }).threadCpuUsage?.bind(process);
    // Windows counts a thread's time in ticks of 15 ms.
    if (usage && process.platform !== "win32") {
      const read = () => {
        const { user, system } = usage();
        return (user + system) / 1000;
      };
      return exactClock("thread", read, () => undefined);
    }
  }
  return (kind === "bound" ? null : schedulerClock()) ?? { kind: "bound", cpuTime: boundedTime, [Symbol.dispose]() {} };
}

/** Linux's own count, in nanoseconds; null where the kernel keeps none. */
function schedulerClock(): ThreadClock | null {
  let file: number;
  try {
    file = openSync("/proc/thread-self/schedstat", "r");
  } catch {
    return null;
  }
  const bytes = Buffer.alloc(80);
  const read = () => {
    const length = readSync(file, bytes, 0, bytes.length, 0);
    return Number(bytes.toString("latin1", 0, length).split(" ", 1)[0]) / 1e6;
  };
  block();
  if (!(read() > 0)) {
    closeSync(file);
    return null;
  }
  return exactClock("schedstat", read, () => closeSync(file));
}

/**
 * Between a thread's turns on a core its count is exact; while it runs, the count is as old as the last tick, which is
 * milliseconds. So the thread gives up its core before each reading.
 */
function exactClock(kind: ThreadClockKind, read: () => number, close: () => void): ThreadClock {
  const section = (work: () => void) => {
    block();
    const before = read();
    work();
    block();
    return read() - before;
  };
  const empty = median(Array.from({ length: EMPTY_SECTIONS }, () => section(() => undefined)));
  return { kind, cpuTime: (work) => Math.max(0, section(work) - empty), [Symbol.dispose]: close };
}

const cell = new Int32Array(new SharedArrayBuffer(4));

function block(): void {
  Atomics.wait(cell, 0, 0, BLOCK_MILLISECONDS);
}

function boundedTime(work: () => void): number {
  const before = process.cpuUsage();
  const start = performance.now();
  work();
  const clock = performance.now() - start;
  const { user, system } = process.cpuUsage(before);
  return Math.min((user + system) / 1000, clock);
}
