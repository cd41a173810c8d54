/** Starts a worker process, hears what it says, and sees to its end. */

import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Contestant } from "./contestants.ts";
import { type Message, MESSAGE_MARK, type Report } from "./job.ts";

export interface WorkerResult {
  /** From the start of the process to its first probabilities in main memory, on this process's clock. */
  readonly coldMs: number;
  readonly report: Report;
}

/** A worker that ended without a report. Its message is one line. */
export class WorkerFailure extends Error {
  override readonly name = "WorkerFailure";
}

export interface WorkerOptions {
  readonly signal: AbortSignal;
  /** After so many seconds a worker is taken for hung, and killed. */
  readonly timeoutSeconds: number;
}

/** setTimeout takes no more; some three weeks. */
const LONGEST_TIMEOUT = 2 ** 31 - 1;
/** What is kept of a worker's standard error, to say why it failed. */
const KEPT_CHARACTERS = 4000;

/**
 * Runs one worker to its end.
 *
 * @throws WorkerFailure where it crashes, says that it failed, or takes too long; the signal's reason where that comes
 */
export async function runWorker(
  { program, argv }: Pick<Contestant, "program" | "argv">,
  jobFile: string,
  { signal, timeoutSeconds }: WorkerOptions,
): Promise<WorkerResult> {
  signal.throwIfAborted();
  const start = performance.now();
  const child = spawn(program, [...argv, jobFile], { stdio: ["ignore", "pipe", "pipe"] });
  let coldMs: number | null = null;
  let report: Report | null = null;
  let reason: string | null = null;
  let errors = "";

  const listen = (line: string) => {
    if (!line.startsWith(MESSAGE_MARK)) return;
    const message = JSON.parse(line.slice(MESSAGE_MARK.length)) as Message;
    if (message.event === "first") coldMs = performance.now() - start;
    else if (message.event === "done") report = message.report;
    else reason = message.reason;
  };
  createInterface(child.stdout).on("line", listen);
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    errors = (errors + text).slice(-KEPT_CHARACTERS);
  });
  const kill = () => child.kill("SIGKILL");
  signal.addEventListener("abort", kill);
  const timer = setTimeout(
    () => {
      reason = `it was not done after ${timeoutSeconds} s`;
      kill();
    },
    Math.min(1000 * timeoutSeconds, LONGEST_TIMEOUT),
  );
  try {
    const ending = await new Promise<string>((resolve) => {
      child.on("error", (error) => resolve(error.message));
      child.on("close", (code, killer) => resolve(code === null ? `it died of ${killer}` : `it ended with ${code}`));
    });
    signal.throwIfAborted();
    // Drivers may crash while a process ends: what was measured before stands.
    if (coldMs !== null && report !== null) return { coldMs, report };
    throw new WorkerFailure((reason ?? `${ending}: ${lastLine(errors)}`).replace(/\s*\n\s*/g, " "));
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", kill);
  }
}

function lastLine(text: string): string {
  return text.trim().split("\n").at(-1) || "it said nothing";
}
