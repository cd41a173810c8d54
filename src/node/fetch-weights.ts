/**
 * Downloading trained weights: into a `.partial` file that takes the final name only once its size and checksum were
 * found right. A download that was cut short, even by the end of the process, is resumed by the next one.
 *
 * Several downloads of the same file at once do not disturb each other: each works on a partial file of its own, named
 * after its process, and takes one that another left behind by renaming it, which only one can.
 */

import { createHash, randomBytes } from "node:crypto";
import { constants, createReadStream } from "node:fs";
import { open, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { EngineError } from "../errors.ts";
import { makeFolder } from "./make-folder.ts";
import { Interruption, receiveInto } from "./receive.ts";
import { describeSystemError, systemErrorCode } from "./system-errors.ts";
import type { ManifestEntry } from "./weights-manifest.ts";

/** How a download is followed and given up. */
export interface FetchOptions {
  /** Told how many of the file's bytes are there, at the start and as more arrive. */
  readonly onProgress?: (receivedBytes: number, totalBytes: number) => void;
  readonly signal?: AbortSignal;
  /** Another way to reach the server than the global `fetch`. */
  readonly fetch?: typeof globalThis.fetch;
  /** After how long without a byte from the server to give up; 30 s unless given. */
  readonly silenceMs?: number;
}

/** Where the file lies. */
export interface FetchResult {
  readonly path: string;
  /** False where the file was already there, whole. */
  readonly downloaded: boolean;
}

/** How often in a row a connection is made again after one that brought some bytes was cut. */
const MAX_CONNECTIONS = 4;
const RECONNECT_DELAY_MS = 500;
const DEFAULT_SILENCE_MS = 30_000;

/**
 * Makes sure that a file of trained weights lies whole in a folder; downloads it where it does not.
 *
 * @param folder made where it is missing
 * @throws EngineError "download"; what arrived is kept for the next call, unless its checksum is wrong
 */
export async function fetchWeights(
  entry: ManifestEntry,
  folder: string,
  options: FetchOptions = {},
): Promise<FetchResult> {
  const path = join(folder, entry.file);
  try {
    if ((await findFlaw(path, entry)) === null) return { path, downloaded: false };
    await makeFolder(folder);
    const own = join(folder, `${entry.file}.${process.pid}-${randomBytes(4).toString("hex")}.partial`);
    await adoptPartial(folder, entry.file, own);
    try {
      await downloadVerified(entry, own, options);
      await rename(own, path);
    } catch (error) {
      await leavePartial(own, `${path}.partial`);
      throw error;
    }
    return { path, downloaded: true };
  } catch (error) {
    if (error instanceof EngineError) throw error;
    const { problem, remedy } = describeSystemError(error);
    throw new EngineError("download", path, `cannot be written: ${problem}`, `${remedy}, then fetch again`, {
      cause: error,
    });
  }
}

async function downloadVerified(entry: ManifestEntry, partial: string, options: FetchOptions): Promise<void> {
  const resumed = await download(entry, partial, options);
  let flaw = await findFlaw(partial, entry);
  if (flaw !== null && resumed) {
    // The first part may be at fault, left by another version of the file or a crash of the machine.
    await rm(partial);
    await download(entry, partial, options);
    flaw = await findFlaw(partial, entry);
  }
  if (flaw !== null) {
    await rm(partial);
    throw new EngineError(
      "download",
      entry.url,
      `the file received is not the one that the manifest describes: ${flaw}`,
      "try again later, or give weights of your own with --weights FILE",
    );
  }
}

/**
 * Appends to the partial file until it is whole.
 *
 * @returns whether some of it was there before
 */
async function download(entry: ManifestEntry, partial: string, options: FetchOptions): Promise<boolean> {
  const { onProgress, signal, fetch = globalThis.fetch, silenceMs = DEFAULT_SILENCE_MS } = options;
  const file = await open(partial, constants.O_RDWR | constants.O_CREAT, 0o666);
  try {
    let { size: present } = await file.stat();
    if (present > entry.size) {
      await file.truncate(0);
      present = 0;
    }
    const resumed = present > 0;
    onProgress?.(present, entry.size);
    for (let connection = 1; present < entry.size; connection++) {
      const before = present;
      const onReceived = (received: number) => {
        present = received;
        onProgress?.(received, entry.size);
      };
      try {
        await receiveInto(file, before, entry.url, entry.size, { fetch, silenceMs, signal, onReceived });
      } catch (error) {
        if (!(error instanceof Interruption)) throw error;
        const worthAnother = present > before && connection < MAX_CONNECTIONS && !signal?.aborted;
        if (!worthAnother) throw giveUp(entry.url, error, present);
        await new Promise((resolve) => setTimeout(resolve, RECONNECT_DELAY_MS));
      }
    }
    await file.sync();
    return resumed;
  } finally {
    await file.close();
  }
}

function giveUp(url: string, interruption: Interruption, present: number): EngineError {
  const remedy =
    present > 0
      ? "fetch again to go on where it stopped"
      : "check the connection and fetch again, or give weights of your own with --weights FILE";
  return new EngineError("download", url, interruption.message, remedy, { cause: interruption });
}

/** What is wrong with a file that should be the entry's, or null. */
async function findFlaw(path: string, entry: ManifestEntry): Promise<string | null> {
  try {
    const { size } = await stat(path);
    if (size !== entry.size) return `it has ${size} bytes, not ${entry.size}`;
  } catch (error) {
    if (systemErrorCode(error) === "ENOENT") return "it is missing";
    throw error;
  }
  const expected = Object.entries({ sha1: entry.sha1, sha256: entry.sha256 }).filter(([, sum]) => sum !== undefined);
  const hashes = expected.map(([algorithm]) => createHash(algorithm));
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) {
    for (const hash of hashes) hash.update(chunk as Uint8Array);
  }
  for (const [i, [algorithm, sum]] of expected.entries()) {
    const found = hashes[i].digest("hex");
    if (found !== sum) return `its ${algorithm} is ${found}, not ${sum}`;
  }
  return null;
}

/** Takes over the largest partial file that nobody works on, if there is one, and removes the others. */
async function adoptPartial(folder: string, file: string, own: string): Promise<void> {
  const abandoned: { path: string; size: number }[] = [];
  for (const name of await readdir(folder)) {
    if (!name.startsWith(`${file}.`) || !name.endsWith(".partial")) continue;
    const owner = /^\.(\d+)-[0-9a-f]+\.partial$/.exec(name.slice(file.length))?.[1];
    if (owner === undefined ? name !== `${file}.partial` : isRunning(Number(owner))) continue;
    const path = join(folder, name);
    const size = await stat(path).then(
      (status) => status.size,
      () => null, // another process was faster
    );
    if (size !== null) abandoned.push({ path, size });
  }
  abandoned.sort((a, b) => b.size - a.size);
  let adopted = false;
  for (const { path } of abandoned) {
    if (adopted) {
      await rm(path, { force: true });
    } else {
      adopted = await rename(path, own).then(
        () => true,
        () => false, // another process was faster
      );
    }
  }
}

/** Gives the partial file the name under which the next download finds it; an empty or missing one is not kept. */
async function leavePartial(own: string, shared: string): Promise<void> {
  const size = await stat(own).then(
    (status) => status.size,
    () => 0,
  );
  // The download failed already, and that is what the caller should hear of.
  await (size > 0 ? rename(own, shared) : rm(own, { force: true })).catch(() => undefined);
}

function isRunning(processId: number): boolean {
  try {
    process.kill(processId, 0);
    return true;
  } catch (error) {
    return systemErrorCode(error) !== "ESRCH";
  }
}
