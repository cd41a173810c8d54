/**
 * All that a fresh machine needs before a command runs: the npm dependencies, and a WebGPU adapter. Each step looks
 * first whether there is anything to do; where there is not, nothing is said and nothing is written.
 */
import path from "node:path";
import { fileURLToPath } from "node:url";
import { DRIVER_VARIABLES, probeAdapter, recall, remember } from "./adapter.mjs";
import { dependenciesProblem, installDependencies } from "./dependencies.mjs";
import { DRIVER_PACKAGES, driverRecipe, readOsRelease } from "./distribution.mjs";
import { commandsToType, installDriver, planInstallation, rootPrefix } from "./driver.mjs";
import { acquireLock } from "./lock.mjs";
import { say } from "./say.mjs";

export const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** Set to 1, it keeps set-up from installing system packages; the commands are printed instead. */
const NO_SYSTEM_PACKAGES = "GOOGLENET_NO_SYSTEM_PACKAGES";

/**
 * @returns {Promise<string | null>} the WebGPU adapter's name; null where there is none and none could be made
 * @throws {import("./say.mjs").SetUpError} where the dependencies cannot be installed
 */
export async function setUp() {
  await ensureDependencies();
  return ensureAdapter();
}

/** Installs the npm dependencies where they are missing or stale. */
export async function ensureDependencies() {
  if (dependenciesProblem(ROOT) === null) return;
  await alone(async () => {
    // Whoever held the lock before may have done it.
    const problem = dependenciesProblem(ROOT);
    if (problem === null) return;
    say(`npm dependencies: ${problem}; installing them (npm ci)`);
    await installDependencies(ROOT);
  });
}

/** @returns {Promise<string | null>} */
async function ensureAdapter() {
  const known = recall(ROOT);
  if (known?.adapter != null) return known.adapter;
  return alone(async () => {
    const found = await probeAdapter();
    if (found.adapter !== null) {
      say(`WebGPU adapter: ${found.adapter}`);
      remember(ROOT, { adapter: found.adapter, installed: false });
      return found.adapter;
    }
    const installed = recall(ROOT)?.installed ?? false;
    if (found.problem === null && !installed) return makeAdapter();
    say(
      `${found.problem ?? "no WebGPU adapter, and the driver that was installed gives none"}; going on without a GPU`,
    );
    return null;
  });
}

/**
 * No adapter: installs a software driver, or says how.
 *
 * @returns {Promise<string | null>} the adapter's name
 */
async function makeAdapter() {
  const os = readOsRelease();
  const recipe = driverRecipe(os);
  const codename = os["DEBIAN_CODENAME"] ?? os["VERSION_CODENAME"] ?? "";
  const installation = recipe.kind === "apt" ? await planInstallation(recipe, codename) : null;
  const prefix = await rootPrefix();
  const hindrance = whyNotInstall(recipe.kind, installation !== null, prefix !== null);
  if (hindrance !== null || installation === null || prefix === null) {
    say(`no WebGPU adapter, and ${hindrance}. For a software Vulkan driver:`);
    for (const command of commandsToType(recipe, installation)) say(`    ${command}`);
    say("going on without a GPU");
    return null;
  }
  const from = installation.suite === null ? "" : ` from ${installation.suite} at ${installation.site}`;
  say(`no WebGPU adapter: installing a software Vulkan driver (${DRIVER_PACKAGES.join(", ")}${from})`);
  if (!(await installDriver(installation, prefix))) {
    say("the driver could not be installed; going on without a GPU. To do it by hand:");
    for (const command of commandsToType(recipe, installation)) say(`    ${command}`);
    return null;
  }
  const { adapter, problem } = await probeAdapter();
  remember(ROOT, { adapter, installed: true });
  if (adapter === null) {
    say(
      `the driver is installed, but ${problem ?? `Dawn refuses it (${os["PRETTY_NAME"] ?? "this system"}'s Mesa is too old)`}; a newer Mesa is needed. Going on without a GPU`,
    );
    return null;
  }
  say(`WebGPU adapter: ${adapter}`);
  return adapter;
}

/**
 * @param {"apt" | "other"} kind
 * @param {boolean} mirrorKnown
 * @param {boolean} privileged
 * @returns {string | null} why set-up does not install the driver itself
 */
function whyNotInstall(kind, mirrorKnown, privileged) {
  const variable = DRIVER_VARIABLES.find((name) => process.env[name] !== undefined);
  if (variable !== undefined) {
    return `${variable}=${process.env[variable]} hides whatever driver is installed: unset it, or install one`;
  }
  if (process.platform !== "linux") return "set-up can install a driver only on Linux";
  if (kind === "other") return "set-up can install a driver only on Debian 12, Ubuntu 22.04, and newer";
  if (process.env[NO_SYSTEM_PACKAGES] === "1") return `${NO_SYSTEM_PACKAGES}=1 forbids installing one`;
  if (!privileged) return "this user may not install one (neither root, nor sudo without a password)";
  if (!mirrorKnown) return "apt's sources name no mirror of Debian";
  return null;
}

/**
 * @template T
 * @param {() => Promise<T>} work
 * @returns {Promise<T>} what the work gives, done while no other set-up of this checkout is at work
 */
async function alone(work) {
  const release = await acquireLock(path.join(ROOT, ".setup.lock"), (holder) => {
    say(`waiting for another set-up of this checkout (${holder})`);
  });
  try {
    return await work();
  } finally {
    release();
  }
}
