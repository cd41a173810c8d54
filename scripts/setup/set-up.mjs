/**
 * All that a fresh machine needs before a command runs: the npm dependencies, and a WebGPU adapter; and a browser, before
 * tests. Each step looks first whether there is anything to do; where there is not, nothing is said and nothing is written.
 */
import path from "node:path";
import { fileURLToPath } from "node:url";
import { DRIVER_VARIABLES, probeAdapter, recall, remember } from "./adapter.mjs";
import { dependenciesProblem, installDependencies } from "./dependencies.mjs";
import { findBrowser } from "./browser.mjs";
import { browserRecipe, driverRecipe, readOsRelease } from "./distribution.mjs";
import { commandsToType, installPackages, planInstallation, rootPrefix } from "./packages.mjs";
import { acquireLock } from "./lock.mjs";
import { say } from "./say.mjs";

export const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** Set to 1, it keeps set-up from installing system packages; the commands are printed instead. */
const NO_SYSTEM_PACKAGES = "GOOGLENET_NO_SYSTEM_PACKAGES";

/**
 * @param {Record<string, string>} [os] fields of os-release
 * @returns {Promise<string | null>} the WebGPU adapter's name; null where there is none and none could be made
 * @throws {import("./say.mjs").SetUpError} where the dependencies cannot be installed
 */
export async function setUp(os = readOsRelease()) {
  await ensureDependencies();
  const known = recall(ROOT);
  return known?.adapter ?? findAdapter(os, known?.installed ?? false);
}

/** Installs the npm dependencies where they are missing or stale. */
export async function ensureDependencies() {
  if (dependenciesProblem(ROOT) === null) return;
  await alone(async (lock) => {
    // Whoever held the lock before may have done it.
    const problem = dependenciesProblem(ROOT);
    if (problem === null) return;
    say(`npm dependencies: ${problem}; installing them (npm ci)`);
    await installDependencies(ROOT, lock.worker);
  });
}

/**
 * @param {Record<string, string>} os
 * @param {boolean} installed a driver was installed before, in the machine's present state
 * @returns {Promise<string | null>} the adapter's name
 */
async function findAdapter(os, installed) {
  const { adapter, problem } = await probeAdapter();
  if (adapter !== null) return keepAdapter(adapter, installed);
  if (problem === null && !installed) return makeAdapter(os);
  say(`${problem ?? "no WebGPU adapter, though a driver was installed"}; going on without a GPU`);
  return null;
}

/**
 * @param {string} adapter
 * @param {boolean} installed
 */
function keepAdapter(adapter, installed) {
  say(`WebGPU adapter: ${adapter}`);
  remember(ROOT, { adapter, installed });
  return adapter;
}

/**
 * No adapter: installs a software driver, or says how.
 *
 * @param {Record<string, string>} os
 * @returns {Promise<string | null>} the adapter's name
 */
async function makeAdapter(os) {
  const variable = DRIVER_VARIABLES.find((name) => process.env[name] !== undefined);
  if (variable !== undefined) {
    // The loader looks nowhere else, so that no driver that could be installed would be seen.
    say(
      `no WebGPU adapter: ${variable}=${process.env[variable]} names no Vulkan driver that works and hides all others`,
    );
    say("unset it and start again; going on without a GPU");
    return null;
  }
  const recipe = driverRecipe(os);
  const way = await wayToInstall(recipe, os);
  if ("hindrance" in way) {
    say(`no WebGPU adapter, and ${way.hindrance}. For a software Vulkan driver:`);
    sayCommands(recipe, way.installation);
    say("going on without a GPU");
    return null;
  }
  const { installation, prefix } = way;
  return alone(async () => {
    // Whoever held the lock before may have installed it.
    const before = await probeAdapter();
    if (before.adapter !== null) return keepAdapter(before.adapter, true);
    const from = installation.suite === null ? "" : ` from ${installation.suite} at ${installation.site}`;
    say(`no WebGPU adapter: installing a software Vulkan driver (${recipe.packages.join(", ")}${from})`);
    if (!(await installPackages(installation, prefix, recipe.packages))) {
      say("the driver could not be installed; going on without a GPU. To do it by hand:");
      sayCommands(recipe, installation);
      return null;
    }
    const { adapter, problem } = await probeAdapter();
    if (adapter !== null) return keepAdapter(adapter, true);
    remember(ROOT, { adapter, installed: true });
    const why = problem ?? `Dawn refuses ${os["PRETTY_NAME"] ?? "this system"}'s Mesa`;
    say(`the driver is installed, but ${why}; going on without a GPU`);
    say("to mend it: Mesa 23.2 or newer (on Ubuntu 22.04 it is in jammy-updates), then start again");
    return null;
  });
}

/**
 * A Chromium for the tests of pages: installs one where there is none, or says how. Without it these tests are left out.
 *
 * @param {Record<string, string>} [os] fields of os-release
 * @param {() => string | undefined} [find]
 * @returns {Promise<string | null>} the browser's program
 */
export async function ensureBrowser(os = readOsRelease(), find = findBrowser) {
  const found = find();
  if (found !== undefined) return found;
  const recipe = browserRecipe(os);
  const way = await wayToInstall(recipe, os);
  if ("hindrance" in way) {
    say(`no browser for the tests of pages, and ${way.hindrance}. For one:`);
    sayCommands(recipe, way.installation);
    say("going on without these tests");
    return null;
  }
  const { installation, prefix } = way;
  return alone(async () => {
    // Whoever held the lock before may have installed it.
    const before = find();
    if (before !== undefined) return before;
    say(`no browser for the tests of pages: installing one (${recipe.packages.join(", ")})`);
    const installed = await installPackages(installation, prefix, recipe.packages);
    const browser = find();
    if (browser !== undefined) {
      say(`browser: ${browser}`);
      return browser;
    }
    say(
      installed
        ? "the browser is installed, but not on the PATH; going on without the tests of pages"
        : "the browser could not be installed; going on without the tests of pages. To do it by hand:",
    );
    if (!installed) sayCommands(recipe, installation);
    return null;
  });
}

/**
 * How packages get onto this machine, or why not by set-up.
 *
 * @param {import("./distribution.mjs").Recipe} recipe
 * @param {Record<string, string>} os
 * @returns {Promise<
 *   | { installation: import("./packages.mjs").Installation, prefix: readonly string[] }
 *   | { hindrance: string, installation: import("./packages.mjs").Installation | null }
 * >}
 */
async function wayToInstall(recipe, os) {
  const codename = os["DEBIAN_CODENAME"] ?? os["VERSION_CODENAME"] ?? "";
  const installation = recipe.kind === "apt" ? await planInstallation(recipe, codename) : null;
  const prefix = await rootPrefix();
  const hindrance = whyNotInstall(recipe.kind, installation !== null, prefix !== null);
  if (hindrance !== null || installation === null || prefix === null) {
    return { hindrance: hindrance ?? "there is no way to install it", installation };
  }
  return { installation, prefix };
}

/**
 * Bare lines, so that they can be copied.
 *
 * @param {import("./distribution.mjs").Recipe} recipe
 * @param {import("./packages.mjs").Installation | null} installation
 */
function sayCommands(recipe, installation) {
  for (const command of commandsToType(recipe, installation)) process.stderr.write(`    ${command}\n`);
}

/**
 * @param {"apt" | "other"} kind
 * @param {boolean} mirrorKnown
 * @param {boolean} privileged
 * @returns {string | null} why set-up does not install the packages itself
 */
function whyNotInstall(kind, mirrorKnown, privileged) {
  if (process.platform !== "linux") return "set-up can install one only on Linux";
  if (kind === "other") return "set-up cannot install one on this system";
  if (process.env[NO_SYSTEM_PACKAGES] === "1") return `${NO_SYSTEM_PACKAGES}=1 forbids installing one`;
  if (!privileged) return "this user may not install one (neither root, nor sudo without a password)";
  if (!mirrorKnown) return "apt's sources name no mirror of Debian";
  return null;
}

/**
 * @template T
 * @param {(lock: import("./lock.mjs").Lock) => Promise<T>} work
 * @returns {Promise<T>} what the work gives, done while no other set-up of this checkout is at work
 */
async function alone(work) {
  const lock = await acquireLock(path.join(ROOT, ".setup.lock"), (holder) => {
    say(`waiting for another set-up of this checkout (${holder})`);
  });
  try {
    return await work(lock);
  } finally {
    lock.release();
  }
}
