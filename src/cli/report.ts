/** From a failure to the one line that people read, and to the exit status that scripts read. */

import { CommanderError } from "commander";
import { EngineError } from "../errors.ts";
import { describeSystemError, systemErrorCode } from "../node/system-errors.ts";
import { OutputClosed } from "./terminal.ts";

export const exitStatus = { done: 0, failed: 1, usage: 2 } as const;

/** The signals by which commands are told to stop, and what they exit with then: 128 and the signal's number. */
export const interruptions = { SIGINT: 130, SIGTERM: 143 } as const;

/** The command was told to stop (Ctrl-C, say). */
export class Interrupted extends Error {
  override readonly name = "Interrupted";
  readonly signal: keyof typeof interruptions;

  constructor(signal: keyof typeof interruptions) {
    super(`interrupted by ${signal}`);
    this.signal = signal;
  }
}

/** `googlenet: WHAT: what is wrong; how to mend it`, and the stack with DEBUG=googlenet. */
export function errorLine(error: unknown): string {
  const line = plainText(`googlenet: ${asEngineError(error).message}`);
  return debugging() && error instanceof Error ? `${line}\n${stackOf(error)}` : line;
}

/** File names may hold anything, a terminal's control sequences too. */
export function plainText(text: string): string {
  // eslint-disable-next-line no-control-regex -- these very characters
  return text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, " ");
}

/** What a command that failed like this exits with. */
export function statusOf(error: unknown): number {
  if (error instanceof OutputClosed) return exitStatus.done;
  if (error instanceof Interrupted) return interruptions[error.signal];
  return asEngineError(error).code === "usage" ? exitStatus.usage : exitStatus.failed;
}

/** Whether there is anything to say about it: not where whoever would listen has gone, or has asked for it. */
export function isSilent(error: unknown): boolean {
  return error instanceof OutputClosed || error instanceof Interrupted;
}

/** Any failure as the engine's error. */
export function asEngineError(error: unknown): EngineError {
  if (error instanceof EngineError) return error;
  if (error instanceof CommanderError) return usageError(error);
  if (error instanceof RangeError && /typed array length|buffer allocation|array length/i.test(error.message)) {
    return new EngineError("out-of-memory", "memory", "there is not enough of it", "use a smaller batch or input", {
      cause: error,
    });
  }
  if (systemErrorCode(error) !== undefined) {
    const { problem, remedy } = describeSystemError(error);
    const { syscall, path } = error as NodeJS.ErrnoException;
    const subject = path ?? (syscall === "write" ? "standard output" : "the system");
    return new EngineError(syscall === "write" ? "write" : "check", subject, problem, remedy, { cause: error });
  }
  const message = error instanceof Error ? error.message : String(error);
  return new EngineError("check", "internal error", message, "report it with what DEBUG=googlenet shows", {
    cause: error,
  });
}

/** Commander's own words, cut to ours. */
function usageError({ message }: CommanderError): EngineError {
  const [problem, hint] = message.replace(/^error: /, "").split("\n");
  const remedy = hint ? hint.replace(/^\((.*)\)$/, "$1").replace(/^Did/, "did") : "--help shows what there is";
  return new EngineError("usage", "command line", problem.replace(/\.$/, ""), remedy);
}

function debugging(): boolean {
  return (process.env["DEBUG"] ?? "").split(/[\s,]+/).includes("googlenet");
}

function stackOf(error: Error): string {
  const own = error.stack ?? error.message;
  return error.cause instanceof Error ? `${own}\ncaused by ${stackOf(error.cause)}` : own;
}
