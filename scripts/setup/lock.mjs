/**
 * One set-up at a time in a checkout. The lock is a file made with `wx`, which exactly one process can make;
 * it says who holds it, and the holder touches it every few seconds. A lock whose holder died (kill -9, power cut)
 * is taken over: its process is gone, or nobody has touched it for a minute.
 */
import { closeSync, openSync, readFileSync, statSync, unlinkSync, utimesSync, writeFileSync, writeSync } from "node:fs";
import { hostname } from "node:os";
import { randomUUID } from "node:crypto";
import { clearInterval, setInterval } from "node:timers";
import { SetUpError } from "./say.mjs";

/**
 * @typedef {object} LockTimes all in milliseconds
 * @property {number} poll how often a waiting process looks again
 * @property {number} beat how often the holder touches the lock
 * @property {number} stale untouched for so long, the holder counts as dead whatever its process id says
 */

/**
 * @typedef {object} Lock
 * @property {(pid: number) => void} worker names a child process that does the work: while it lives on after its
 *   parent was killed, the lock is held
 * @property {() => void} release
 */

/** @typedef {{ pid: number, host: string, token: string, worker?: number }} Holder */

/** @type {LockTimes} */
const TIMES = { poll: 200, beat: 5_000, stale: 60_000 };

/**
 * @param {string} file the lock's path
 * @param {(holder: string) => void} onWait called once where another process holds the lock
 * @param {LockTimes} [times]
 * @returns {Promise<Lock>}
 */
export async function acquireLock(file, onWait, times = TIMES) {
  /** @type {Holder} */
  const own = { pid: process.pid, host: hostname(), token: randomUUID() };
  let waited = false;
  while (!createExclusively(file, JSON.stringify(own))) {
    if (removeIfDead(file, times.stale)) continue;
    if (!waited) onWait(holderName(readOrNull(file)));
    waited = true;
    await new Promise((resolve) => setTimeout(resolve, times.poll));
  }
  const beat = setInterval(() => {
    try {
      const now = new Date();
      utimesSync(file, now, now);
    } catch {
      // Somebody removed the lock by hand: the work in hand goes on, and release finds nothing to remove.
    }
  }, times.beat);
  beat.unref();
  const isOwn = () => parseHolder(readOrNull(file))?.token === own.token;
  return {
    worker: (pid) => {
      if (isOwn()) writeFileSync(file, JSON.stringify({ ...own, worker: pid }));
    },
    release: () => {
      clearInterval(beat);
      if (isOwn()) removeIfThere(file);
    },
  };
}

/**
 * @param {string} file
 * @param {string} content
 * @returns {boolean} false where the file is there already
 */
function createExclusively(file, content) {
  let handle;
  try {
    handle = openSync(file, "wx");
  } catch (error) {
    if (errorCode(error) === "EEXIST") return false;
    throw new SetUpError(`${file}: cannot be created (${errorCode(error)}); make the folder writable for this user`);
  }
  writeSync(handle, content);
  closeSync(handle);
  return true;
}

/**
 * Removes a lock whose holder is dead. Two processes that both find it dead must not both remove it, or the second
 * would remove the lock that the first has just made: removal has a lock of its own, and looks again under it.
 *
 * @param {string} file
 * @param {number} stale milliseconds
 * @returns {boolean} true where the lock is gone
 */
function removeIfDead(file, stale) {
  const guard = `${file}.takeover`;
  if (!isDead(file, stale)) return readOrNull(file) === null;
  if (!createExclusively(guard, "")) {
    // Held for microseconds; one that is older belongs to a process that died in between.
    if (age(guard) > stale) removeIfThere(guard);
    return false;
  }
  try {
    if (isDead(file, stale)) removeIfThere(file);
  } finally {
    removeIfThere(guard);
  }
  return true;
}

/**
 * @param {string} file
 * @param {number} stale milliseconds
 */
function isDead(file, stale) {
  const content = readOrNull(file);
  if (content === null) return false;
  if (age(file) > stale) return true;
  const holder = parseHolder(content);
  // Not yet written, or of another machine (a shared folder, a container): only its age tells.
  if (holder === null || holder.host !== hostname()) return false;
  return !isAlive(holder.pid) && (holder.worker === undefined || !isAlive(holder.worker));
}

/** @param {number} pid */
function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it is another user's.
    return errorCode(error) !== "ESRCH";
  }
}

/**
 * @param {string | null} content
 * @returns {Holder | null}
 */
function parseHolder(content) {
  try {
    const holder = JSON.parse(content ?? "");
    return Number.isInteger(holder.pid) && typeof holder.host === "string" ? holder : null;
  } catch {
    return null;
  }
}

/** @param {string | null} content */
function holderName(content) {
  const holder = parseHolder(content);
  if (holder === null) return "another process";
  return holder.host === hostname() ? `process ${holder.pid}` : `process ${holder.pid} on ${holder.host}`;
}

/** @param {string} file */
function age(file) {
  try {
    return Date.now() - statSync(file).mtimeMs;
  } catch {
    return 0;
  }
}

/**
 * @param {string} file
 * @returns {string | null} null where the file is not there
 */
function readOrNull(file) {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return null;
  }
}

/** @param {string} file */
function removeIfThere(file) {
  try {
    unlinkSync(file);
  } catch (error) {
    if (errorCode(error) !== "ENOENT") throw error;
  }
}

/** @param {unknown} error */
function errorCode(error) {
  return error instanceof Error && "code" in error ? error.code : undefined;
}
