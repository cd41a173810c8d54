/**
 * Is there a WebGPU adapter? Asking costs half a second, so a yes is remembered until something that the answer
 * hangs on changes: the drivers' manifests, the Vulkan loader, the devices, the variables, the user, the boot.
 * A no is never trusted: the next start asks again.
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { howItEnded, runQuietly } from "./command.mjs";

/**
 * @typedef {object} Verdict
 * @property {string | null} adapter its name
 * @property {string | null} problem why the question could not be answered (bindings that do not load, a crash)
 */

/**
 * @typedef {object} Remembered
 * @property {string} key the machine's state when the question was asked
 * @property {string | null} adapter
 * @property {boolean} installed a driver was installed, and whatever came of it there is no sense in doing it again
 */

const PROBE = fileURLToPath(new URL("probe-adapter.mjs", import.meta.url));

/** A cold software driver on a slow disk takes seconds; one that takes longer than this hangs. */
const PROBE_TIMEOUT_MS = 60_000;

/** Variables that decide which drivers the Vulkan loader finds. */
export const DRIVER_VARIABLES = ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"];

const KEY_VARIABLES = [...DRIVER_VARIABLES, "VK_ADD_DRIVER_FILES", "VK_LOADER_DRIVERS_SELECT", "LD_LIBRARY_PATH"];

/** What changes when a driver or a device comes or goes: folders count with their entries. */
const KEY_PATHS = [
  "/usr/share/vulkan/icd.d",
  "/usr/local/share/vulkan/icd.d",
  "/etc/vulkan/icd.d",
  "/dev/dri",
  "/dev/nvidia0",
  "/dev/nvidiactl",
  "/etc/ld.so.cache",
];

/**
 * @param {string} [probe] the script to run
 * @param {number} [timeout] milliseconds
 * @returns {Promise<Verdict>} never rejects
 */
export async function probeAdapter(probe = PROBE, timeout = PROBE_TIMEOUT_MS) {
  const finished = await runQuietly([process.execPath, probe], { timeout });
  const answer = parseAnswer(finished.stdout);
  if (answer !== null) return answer;
  return { adapter: null, problem: `the check for a WebGPU adapter: ${howItEnded(finished)}` };
}

/**
 * @param {string} stdout Dawn's warnings, perhaps, and the probe's line
 * @returns {Verdict | null}
 */
function parseAnswer(stdout) {
  for (const line of stdout.trim().split("\n").reverse()) {
    try {
      const { adapter, error } = JSON.parse(line);
      if (typeof error === "string") return { adapter: null, problem: `webgpu cannot be loaded (${error})` };
      if (adapter === null || typeof adapter === "string") return { adapter, problem: null };
    } catch {
      // A warning of the driver's.
    }
  }
  return null;
}

/** @returns {string} a hash of all that decides which adapter there is */
export function machineKey() {
  const hash = createHash("sha256");
  hash.update(`${process.version} ${process.getuid?.()} ${process.getgroups?.()} ${bootId()}\n`);
  for (const name of KEY_VARIABLES) hash.update(`${name}=${process.env[name]}\n`);
  for (const place of KEY_PATHS) hash.update(`${place} ${fingerprint(place)}\n`);
  return hash.digest("hex");
}

/** A container or a suspended machine may come back with other devices under the same files. */
function bootId() {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    return "";
  }
}

/**
 * @param {string} place
 * @returns {string} modification times and sizes, of a folder's entries too
 */
function fingerprint(place) {
  try {
    const stat = statSync(place);
    if (!stat.isDirectory()) return `${stat.mtimeMs} ${stat.size} ${stat.rdev}`;
    return readdirSync(place)
      .sort()
      .map((name) => `${name} ${fingerprint(path.join(place, name))}`)
      .join("\n");
  } catch {
    return "absent";
  }
}

/** @param {string} root the checkout */
const memoryFile = (root) => path.join(root, "node_modules", ".googlenet-adapter");

/**
 * @param {string} root the checkout
 * @returns {Remembered | null} what was found out on this machine in this state
 */
export function recall(root) {
  try {
    const remembered = JSON.parse(readFileSync(memoryFile(root), "utf8"));
    return remembered.key === machineKey() ? remembered : null;
  } catch {
    return null;
  }
}

/**
 * @param {string} root the checkout
 * @param {Omit<Remembered, "key">} found
 */
export function remember(root, found) {
  try {
    writeFileSync(memoryFile(root), JSON.stringify({ key: machineKey(), ...found }));
  } catch {
    // A checkout that this user cannot write to: the next start asks again, half a second slower.
  }
}
