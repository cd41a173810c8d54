/**
 * Verdicts of the tuner on disk: a file for each device, which says what it was made with. One that was made with
 * anything else, or is damaged, is never used.
 */

import { createHash } from "node:crypto";
import { access, constants, readFile, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { EngineError } from "../errors.ts";
import { algorithms, kernels } from "../plan/registry.ts";
import { emptyVerdict, joinVerdicts, readVerdict, type Verdict } from "../tune/verdict.ts";
import { writeFileAtomically } from "./atomic-write.ts";
import { cacheFolder, type Environment } from "./cache-folder.ts";
import { FileLock } from "./file-lock.ts";
import { kernelsOnDisk } from "./kernels.ts";
import { makeFolder } from "./make-folder.ts";
import { dependencyVersion, googlenetVersion } from "./package.ts";
import { samplesDigest } from "./samples-digest.ts";
import { describeSystemError, systemErrorCode } from "./system-errors.ts";

/** What a verdict holds for: another device, driver or set of kernels may be another matter. */
export interface TuningKey {
  readonly vendor: string;
  readonly architecture: string;
  readonly device: string;
  /** Names the driver and its version. */
  readonly description: string;
  /** Lanes of a subgroup, least and most. */
  readonly subgroups: readonly [number, number];
  /** The version of the package `webgpu`, whose Dawn compiles the kernels. */
  readonly webgpu: string;
  readonly engine: string;
  /** SHA-256 of the kernels' texts and descriptors, of the list of algorithms, and of what they launch for samples. */
  readonly kernels: string;
}

/** A verdict that fits, with the time at which each of its plans was kept, or why one does not. */
export type KeptTuning = ({ readonly file: string } & Dated) | { readonly file: string; readonly ignored: string };

interface Dated {
  readonly verdict: Verdict;
  /** When each of its plans was kept, by `planKey`: ISO 8601. */
  readonly dates: Readonly<Record<string, string>>;
}

/** Files of another shape have another number. */
const schema = 3;

/** Verdicts of many batch sizes take some hundred kilobytes. */
const mostBytes = 32_000_000;

/** Milliseconds until a file is given up that another process holds: it takes some to join two verdicts. */
const patience = 10_000;

/** Where verdicts are kept: `GOOGLENET_TUNING`, else `tuning` in this user's folder for caches. */
export function tuningFolder(explicit?: string, env: Environment = process.env): string {
  const named = explicit ?? env["GOOGLENET_TUNING"];
  if (named === undefined || named === "") return join(cacheFolder(env), "tuning");
  return resolve(env["INIT_CWD"] ?? process.cwd(), named);
}

/** What a verdict for this device has to be made with. */
export async function tuningKey(info: GPUAdapterInfo): Promise<TuningKey> {
  return {
    vendor: info.vendor,
    architecture: info.architecture,
    device: info.device,
    description: info.description,
    subgroups: [info.subgroupMinSize ?? 0, info.subgroupMaxSize ?? 0],
    webgpu: dependencyVersion("webgpu") ?? "unknown",
    engine: googlenetVersion(),
    kernels: await (kernelsHash ??= hashKernels()),
  };
}

/** The verdict that is kept for a device; null where none is. */
export async function loadTuning(info: GPUAdapterInfo, folder = tuningFolder()): Promise<KeptTuning | null> {
  const file = fileFor(info, folder);
  try {
    const text = await readBounded(file);
    if (text === null) return null;
    return { file, ...parse(text, await tuningKey(info)) };
  } catch (error) {
    if (error instanceof EngineError) {
      return { file, ignored: error.message.slice(`${error.subject}: `.length, -`; ${error.remedy}`.length) };
    }
    return { file, ignored: `it can't be read: ${describeSystemError(error).problem}` };
  }
}

/**
 * Keeps a verdict, beside what an earlier one that still fits says of other plans. Gives the file.
 *
 * @throws EngineError "write"
 */
export async function saveTuning(info: GPUAdapterInfo, verdict: Verdict, folder = tuningFolder()): Promise<string> {
  await requireFolder(folder);
  const file = fileFor(info, folder);
  const key = await tuningKey(info);
  // Whoever tunes at the same time adds to this verdict, and doesn't replace it.
  const lock = await lockFor(file);
  try {
    const kept = await loadTuning(info, folder);
    const earlier: Dated = kept && "verdict" in kept ? kept : { verdict: emptyVerdict, dates: {} };
    const now = new Date().toISOString();
    const joined = joinVerdicts(earlier.verdict, verdict);
    const dateOf = (plan: string) => (Object.hasOwn(verdict.plans, plan) ? now : earlier.dates[plan]);
    const dates = Object.fromEntries(Object.keys(joined.plans).map((plan) => [plan, dateOf(plan)]));
    const contents = { schema, digest: digestOf(key, dates, joined), key, dates, verdict: joined };
    await writeFileAtomically(file, `${JSON.stringify(contents, null, 1)}\n`);
    return file;
  } finally {
    await lock.release();
  }
}

/** @throws EngineError "write" where another process does not let go of it */
async function lockFor(file: string): Promise<FileLock> {
  const end = performance.now() + patience;
  for (;;) {
    const taken = await FileLock.tryTake(file, () => undefined);
    if (taken instanceof FileLock) return taken;
    if (performance.now() > end) throw new EngineError("write", file, taken.problem, taken.remedy);
    await sleep(50);
  }
}

/** Makes the folder where there is none. Throws EngineError "write" where verdicts can't be kept there. */
export async function requireFolder(folder: string): Promise<void> {
  try {
    await makeFolder(folder);
    await access(folder, constants.W_OK);
  } catch (error) {
    const { problem, remedy } = describeSystemError(error);
    throw new EngineError("write", folder, `verdicts can't be kept there: ${problem}`, remedy, { cause: error });
  }
}

/** `nvidia-hopper-0a1b2c3d.json`: a device's own, whatever its driver, so that a verdict for another driver is found. */
function fileFor({ vendor, architecture, device }: GPUAdapterInfo, folder: string): string {
  const identity = [vendor, architecture, device];
  const name = [vendor, architecture]
    .join("-")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-");
  return join(folder, `${name.slice(0, 60)}-${sha256(JSON.stringify(identity)).slice(0, 8)}.json`);
}

async function readBounded(file: string): Promise<string | null> {
  try {
    const there = await stat(file);
    if (!there.isFile()) throw stale("it is no file");
    if (there.size > mostBytes) throw stale(`it takes ${there.size} bytes, more than any verdict`);
    return await readFile(file, "utf8");
  } catch (error) {
    if (systemErrorCode(error) === "ENOENT") return null;
    throw error;
  }
}

function parse(text: string, wanted: TuningKey): Dated {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw stale("it is not JSON, or a part of it is missing");
  }
  const { schema: found, digest, key, dates, verdict } = Object(value) as Record<string, unknown>;
  if (found !== schema) throw stale("it is no verdict, or another version's");
  const differing = Object.entries(wanted).find(
    ([name, part]) => JSON.stringify((Object(key) as Record<string, unknown>)[name]) !== JSON.stringify(part),
  );
  if (differing) throw stale(`it was made with ${DIFFERENCES[differing[0] as keyof TuningKey]}`);
  // What fits may still be damaged: numbers with another digit, say.
  if (digest !== digestOf(key, dates, verdict)) throw stale("it was changed since it was written");
  const read = readVerdict(verdict);
  const dateOf = (plan: string) => (Object(dates) as Record<string, unknown>)[plan];
  const isDate = (date: unknown) => typeof date === "string" && !Number.isNaN(Date.parse(date));
  if (!Object.keys(read.plans).every((plan) => isDate(dateOf(plan)))) throw stale("a plan of it has no date");
  return { dates: dates as Dated["dates"], verdict: read };
}

const DIFFERENCES: Readonly<Record<keyof TuningKey, string>> = {
  vendor: "another device",
  architecture: "another device",
  device: "another device",
  description: "another driver",
  subgroups: "another driver",
  webgpu: "another version of Dawn",
  engine: "another version of the engine",
  kernels: "other kernels",
};

function stale(problem: string): EngineError {
  return new EngineError("check", "verdict", problem, "tune again");
}

/** Of what a file holds, however its text is laid out. */
function digestOf(...contents: readonly unknown[]): string {
  return sha256(JSON.stringify(contents));
}

/** Of this process' kernels, which stay as they are. */
let kernelsHash: Promise<string> | undefined;

async function hashKernels(): Promise<string> {
  const texts: string[] = [];
  for (const { name } of kernels) texts.push(await kernelsOnDisk(name));
  const descriptors = kernels.map(({ name, bindings, constants, layer, floats, tiles }) => {
    return { name, bindings, constants, layer, floats, tiles };
  });
  const list = algorithms.map(({ name, op, kernels: own, fuses, tolerance }) => {
    return { name, op, kernels: own.map((kernel) => kernel.name), fuses, tolerance };
  });
  return sha256(JSON.stringify([texts, descriptors, list, samplesDigest()]));
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
