/** How set-up speaks: a line a step, on standard error, because standard output belongs to the command. */
import { clearInterval, setInterval } from "node:timers";

/** @param {string} line */
export function say(line) {
  process.stderr.write(`set-up: ${line}\n`);
}

/**
 * Shows on a terminal, and only there, that a long step is still going: `line … 12 s` on one line, rewritten.
 *
 * @param {string} line
 * @returns {() => void} ends the display and clears the line
 */
export function tick(line) {
  if (!process.stderr.isTTY) return () => {};
  const started = Date.now();
  const timer = setInterval(() => {
    process.stderr.write(`\r\x1b[Kset-up: ${line} … ${Math.round((Date.now() - started) / 1000)} s`);
  }, 1000);
  return () => {
    clearInterval(timer);
    process.stderr.write("\r\x1b[K");
  };
}

/** Something set-up cannot mend by itself; the message is one line, and the scripts end with status 1. */
export class SetUpError extends Error {
  /** @param {string} message */
  constructor(message) {
    super(message);
    this.name = "SetUpError";
  }
}

/**
 * Prints an error as the scripts do: one line for what is expected to go wrong, everything for a defect.
 *
 * @param {unknown} error
 * @returns {number} the exit status, 1
 */
export function report(error) {
  if (error instanceof SetUpError) say(error.message);
  else console.error(error);
  return 1;
}
