/** Runs npm, apt-get and the adapter check: nothing on standard input, their chatter kept for when they fail. */
import { spawn } from "node:child_process";
import { tick } from "./say.mjs";

/**
 * @typedef {object} Finished
 * @property {number | null} status exit status, null where a signal ended it or it could not be started
 * @property {NodeJS.Signals | null} signal
 * @property {Error | null} error why it could not be started
 * @property {string} stdout
 * @property {string} output standard output and error together, as they came
 */

/** Longest output that is kept, in characters: the end is what tells why a command failed. */
const OUTPUT_LIMIT = 200_000;

/**
 * @param {readonly string[]} command the program and its arguments
 * @param {object} [options]
 * @param {string} [options.cwd]
 * @param {NodeJS.ProcessEnv} [options.env]
 * @param {number} [options.timeout] milliseconds after which it is killed (signal SIGKILL)
 * @param {string} [options.title] shown with the seconds that passed, on a terminal
 * @param {(pid: number) => void} [options.started] called with its process id
 * @returns {Promise<Finished>} never rejects
 */
export function runQuietly(command, options = {}) {
  return new Promise((resolve) => {
    let stdout = "";
    let output = "";
    const child = spawn(command[0] ?? "", command.slice(1), {
      cwd: options.cwd,
      env: options.env ?? process.env,
      timeout: options.timeout,
      killSignal: "SIGKILL",
      stdio: ["ignore", "pipe", "pipe"],
    });
    if (child.pid !== undefined) options.started?.(child.pid);
    child.stdout.setEncoding("utf8").on("data", (/** @type {string} */ text) => {
      stdout = (stdout + text).slice(-OUTPUT_LIMIT);
      output = (output + text).slice(-OUTPUT_LIMIT);
    });
    child.stderr.setEncoding("utf8").on("data", (/** @type {string} */ text) => {
      output = (output + text).slice(-OUTPUT_LIMIT);
    });
    const stopTicking = options.title === undefined ? () => {} : tick(options.title);
    const stopForwarding = forwardSignals(child);

    /** @param {Omit<Finished, "stdout" | "output">} how */
    const finish = (how) => {
      stopTicking();
      stopForwarding();
      resolve({ ...how, stdout, output });
    };
    child.on("error", (error) => finish({ status: null, signal: null, error }));
    child.on("close", (status, signal) => finish({ status, signal, error: null }));
  });
}

/**
 * A signal that ends this process ends the child too, so that no npm or apt-get works on unseen.
 *
 * @param {import("node:child_process").ChildProcess} child
 * @returns {() => void} stops forwarding
 */
export function forwardSignals(child) {
  /** @type {NodeJS.Signals[]} */
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"];
  /** @param {NodeJS.Signals} signal */
  const forward = (signal) => {
    child.kill(signal);
    child.once("close", () => process.kill(process.pid, signal));
    stop();
  };
  const stop = () => signals.forEach((signal) => process.off(signal, forward));
  signals.forEach((signal) => process.on(signal, forward));
  return stop;
}

/**
 * @param {Finished} finished
 * @returns {string} how it ended, for a message: `exit status 100`, `killed by SIGKILL`, or why it did not start
 */
export function howItEnded(finished) {
  if (finished.error !== null) return `could not be started (${finished.error.message})`;
  return finished.signal === null ? `exit status ${finished.status}` : `killed by ${finished.signal}`;
}

/**
 * @param {string} output
 * @param {number} [count]
 * @returns {string[]} the last lines that are not empty
 */
export function lastLines(output, count = 15) {
  return output
    .split(/[\r\n]+/)
    .filter((line) => line.trim() !== "")
    .slice(-count);
}
