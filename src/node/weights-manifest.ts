/** Which trained weights can be had, where they lie once downloaded, and which weights to use. */

import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { EngineError } from "../errors.ts";
import { isSeedSource } from "../weights/seed.ts";
import { cacheFolder, type Environment } from "./cache-folder.ts";
import { describeSystemError } from "./system-errors.ts";

/** A file of trained weights on some server. */
export interface ManifestEntry {
  readonly name: string;
  /** The name it gets in the weights folder. */
  readonly file: string;
  readonly url: string;
  /** In bytes. */
  readonly size: number;
  /** Checksums, hexadecimal; at least one is there, and all that are there must be right. */
  readonly sha1?: string;
  readonly sha256?: string;
  readonly licence: string;
  /** A page about the weights and their licence. */
  readonly source: string;
}

/** Weights that a command is to use, and why these. */
export interface WeightsChoice {
  /** An absolute path, or `seed:N`. */
  readonly source: string;
  readonly from: "option" | "environment" | "download";
}

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const MANIFEST = join(ROOT, "weights", "manifest.json");
const TEXT_FIELDS = ["name", "file", "url", "licence", "source"] as const;
const FIELDS: readonly string[] = [...TEXT_FIELDS, "size", "sha1", "sha256"];

/**
 * The entries of the manifest, the default first.
 *
 * @throws EngineError "weights" where it is missing or not as it should be
 */
export async function readManifest(path = MANIFEST): Promise<readonly [ManifestEntry, ...ManifestEntry[]]> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    const { problem } = describeSystemError(error);
    throw new EngineError("weights", path, `cannot be read: ${problem}`, "install googlenet-wgsl again", {
      cause: error,
    });
  }
  return parseManifest(text, path);
}

/**
 * Parses a manifest, strictly.
 *
 * @param path what to call it in errors
 * @throws EngineError "weights"
 */
export function parseManifest(text: string, path: string): readonly [ManifestEntry, ...ManifestEntry[]] {
  let manifest: unknown;
  try {
    manifest = JSON.parse(text);
  } catch (error) {
    throw badManifest(path, "is not JSON", error);
  }
  if (!isObject(manifest) || !Array.isArray(manifest["weights"]) || Object.keys(manifest).length !== 1) {
    throw badManifest(path, 'is not {"weights": […]}');
  }
  const [first, ...others] = manifest["weights"].map((entry, i) => checkEntry(entry, path, i));
  if (first === undefined) throw badManifest(path, "has no entry");
  for (const field of ["name", "file"] as const) {
    if (new Set([first, ...others].map((entry) => entry[field])).size !== others.length + 1) {
      throw badManifest(path, `has two entries with the same ${field}`);
    }
  }
  return [first, ...others];
}

/**
 * Where downloaded weights lie: `weights/` in a checkout; for an installed package, whose own folder may be read-only
 * and goes with the next update, a folder of the user's cache.
 */
export function weightsFolder(env: Environment = process.env, root = ROOT): string {
  // A package does not carry its sources' configuration.
  if (existsSync(join(root, "tsconfig.json"))) return join(root, "weights");
  return cacheFolder(env);
}

/**
 * Which weights to use: those that the user names, else those that `GOOGLENET_WEIGHTS` names, else downloaded ones,
 * else null. Relative paths are resolved where the command was typed (npm says where that was). Named files are not
 * looked at here: that they are missing is for loading them to say.
 *
 * @param explicit the value of an option, if it was given
 */
export async function findWeights(
  explicit?: string,
  env: Environment = process.env,
  folder = weightsFolder(env),
): Promise<WeightsChoice | null> {
  const resolved = (source: string) =>
    isSeedSource(source) ? source : resolve(env["INIT_CWD"] ?? process.cwd(), source);
  if (explicit !== undefined) return { source: resolved(explicit), from: "option" };
  const named = env["GOOGLENET_WEIGHTS"];
  if (named !== undefined && named !== "") return { source: resolved(named), from: "environment" };
  for (const { file } of await readManifest()) {
    const path = join(folder, file);
    // Downloads take their name only once their checksum was found right.
    if (existsSync(path)) return { source: path, from: "download" };
  }
  return null;
}

function checkEntry(entry: unknown, path: string, index: number): ManifestEntry {
  const fail = (problem: string) => badManifest(path, `entry ${index + 1} ${problem}`);
  if (!isObject(entry)) throw fail("is not an object");
  const unknown = Object.keys(entry).find((key) => !FIELDS.includes(key));
  if (unknown !== undefined) throw fail(`has an unknown field ${JSON.stringify(unknown)}`);
  for (const field of TEXT_FIELDS) {
    const value = entry[field];
    if (typeof value !== "string" || value === "") throw fail(`lacks its ${field}`);
  }
  const { file, url, size, sha1, sha256 } = entry as unknown as ManifestEntry;
  if (!/^[\w-][\w.-]*\.(caffemodel|safetensors)$/.test(file)) throw fail("has a file that is not a plain file name");
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) throw fail("has a url that is not http(s)");
  if (!Number.isSafeInteger(size) || size <= 0) throw fail("has a size that is not a positive integer");
  if (sha1 === undefined && sha256 === undefined) throw fail("has no checksum");
  if (sha1 !== undefined && !isHex(sha1, 40)) throw fail("has a sha1 that is not 40 hexadecimal digits");
  if (sha256 !== undefined && !isHex(sha256, 64)) throw fail("has a sha256 that is not 64 hexadecimal digits");
  return entry as unknown as ManifestEntry;
}

function isHex(value: unknown, length: number): boolean {
  return typeof value === "string" && value.length === length && /^[0-9a-f]+$/.test(value);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function badManifest(path: string, problem: string, cause?: unknown): EngineError {
  return new EngineError("weights", path, problem, "restore it from the project", { cause });
}
