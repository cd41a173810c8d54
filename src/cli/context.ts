/** What every command is given beside its own options. */

import type { Terminal } from "./terminal.ts";

export interface Context {
  readonly terminal: Terminal;
  /** Aborted, with an `Interrupted`, when the command is to stop. */
  readonly signal: AbortSignal;
}

/** A promise that is given up when the signal comes, whatever becomes of the work behind it. */
export async function abortable<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  let abort: () => void = () => undefined;
  const aborted = new Promise<never>((_, reject) => {
    // An `Interrupted`.
    abort = () => reject(signal.reason as Error);
  });
  signal.addEventListener("abort", abort);
  try {
    if (signal.aborted) abort();
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
