/**
 * Installs packages through apt (a software Vulkan driver, a browser for tests), or says how.
 *
 * Nothing of the machine's apt configuration changes: where the packages come from a suite that is not among its
 * sources, apt gets for this one install a folder of sources that holds links to the machine's own and that suite.
 * apt's lists and downloads go to the same temporary folder, so that another apt at work is not in the way.
 */
import { mkdirSync, mkdtempSync, chmodSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { debianArchive, entryWithSuite, readMachineSources } from "./apt-sources.mjs";
import { howItEnded, lastLines, runQuietly } from "./command.mjs";
import { say } from "./say.mjs";

/** @typedef {import("./distribution.mjs").Recipe} Recipe */
/** @typedef {import("./apt-sources.mjs").SourceEntry} SourceEntry */

/**
 * What the installation takes: the machine's sources, and the entry to add, if any.
 *
 * @typedef {object} Installation
 * @property {string | null} suite the suite to install from, where it is not the distribution's own choice
 * @property {string | null} site the mirror of that suite
 * @property {SourceEntry | null} entry to add to the machine's sources; null where nothing need be added
 * @property {string} partsFolder
 */

/** Variables that root's apt-get needs too and that sudo drops. */
const PASSED_ON = ["http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"];

/**
 * @returns {Promise<readonly string[] | null>} what to put before a command so that root runs it; null where this user
 *   may not, or may only with a password
 */
export async function rootPrefix() {
  if (process.getuid?.() === 0) return [];
  const asked = await runQuietly(["sudo", "-n", "true"], { timeout: 10_000 });
  return asked.status === 0 ? ["sudo", "-n"] : null;
}

/**
 * @param {Recipe} recipe of kind `apt`
 * @param {string} codename of the release, such as `bookworm`
 * @returns {Promise<Installation | null>} null where the suite's mirror cannot be made out
 */
export async function planInstallation(recipe, codename) {
  const { partsFolder, files, uris } = await readMachineSources();
  if (recipe.backports === null) return { suite: null, site: null, entry: null, partsFolder };
  const archive = debianArchive(uris, codename);
  if (archive === null) return null;
  const { site, hasBackports } = archive;
  const entry = hasBackports ? null : entryWithSuite(files, site, codename, recipe.backports);
  return { suite: recipe.backports, site, entry, partsFolder };
}

/**
 * @param {string | null} suite
 * @param {readonly string[]} packages
 * @returns {string[]} arguments of apt-get. It may not remove anything: a machine's own packages come first.
 */
export function installArguments(suite, packages) {
  const from = suite === null ? [] : ["-t", suite];
  return ["install", "-y", "--no-remove", "--no-install-recommends", ...from, ...packages];
}

/**
 * @param {Installation} installation
 * @param {readonly string[]} prefix from rootPrefix
 * @param {readonly string[]} packages
 * @returns {Promise<boolean>} whether apt-get installed the packages; what it said is shown where it did not
 */
export async function installPackages(installation, prefix, packages) {
  const folder = mkdtempSync(path.join(tmpdir(), "googlenet-apt-"));
  // apt downloads as a user of its own.
  chmodSync(folder, 0o755);
  try {
    const options = [...aptOptions(folder), ...sourceOptions(folder, installation)];
    const environment = PASSED_ON.filter((name) => process.env[name] !== undefined).map(
      (name) => `${name}=${process.env[name]}`,
    );
    const apt = [
      ...prefix,
      "env",
      "DEBIAN_FRONTEND=noninteractive",
      "LC_ALL=C.UTF-8",
      ...environment,
      "apt-get",
      ...options,
    ];
    const updated = await runQuietly([...apt, "update"], { title: "apt-get update" });
    const installed = await runQuietly([...apt, ...installArguments(installation.suite, packages)], {
      title: "apt-get install",
    });
    if (installed.status === 0) return true;
    if (updated.status !== 0) for (const line of lastLines(updated.output, 5)) say(`apt-get update: ${line}`);
    for (const line of lastLines(installed.output, 10)) say(`apt-get install: ${line}`);
    say(`apt-get install: ${howItEnded(installed)}`);
    return false;
  } finally {
    // What root's apt-get wrote, only root can remove.
    await runQuietly([...prefix, "rm", "-rf", "--", folder]);
  }
}

/**
 * @param {string} folder
 * @returns {string[]}
 */
function aptOptions(folder) {
  for (const name of ["lists/partial", "cache/archives/partial"])
    mkdirSync(path.join(folder, name), { recursive: true });
  return [
    ...["-o", "DPkg::Lock::Timeout=300"],
    ...["-o", "Acquire::Retries=3"],
    ...["-o", `Dir::State::lists=${path.join(folder, "lists")}/`],
    ...["-o", `Dir::Cache=${path.join(folder, "cache")}/`],
    ...["-o", "Dpkg::Options::=--force-confold"],
  ];
}

/**
 * @param {string} folder
 * @param {Installation} installation
 * @returns {string[]}
 */
function sourceOptions(folder, { entry, partsFolder }) {
  if (entry === null) return [];
  const parts = path.join(folder, "sources.list.d");
  mkdirSync(parts);
  for (const name of readdirSync(partsFolder)) symlinkSync(path.join(partsFolder, name), path.join(parts, name));
  writeFileSync(path.join(parts, `googlenet-backports.${entry.format}`), entry.text);
  return ["-o", `Dir::Etc::sourceparts=${parts}/`];
}

/**
 * @param {Recipe} recipe
 * @param {Installation | null} installation null where the mirror is not known
 * @param {boolean} [root] whether the person is root and needs no sudo
 * @returns {string[]} the commands that a person types to do what set-up would do
 */
export function commandsToType(recipe, installation, root = process.getuid?.() === 0) {
  if (recipe.kind === "other") return [recipe.advice];
  const sudo = root ? "" : "sudo ";
  const suite = recipe.backports;
  const install = [`${sudo}apt-get update`, `${sudo}apt-get ${installArguments(suite, recipe.packages).join(" ")}`];
  if (suite === null || (installation !== null && installation.entry === null)) return install;
  const entry = installation?.entry ?? { format: "list", text: `deb YOUR-DEBIAN-MIRROR ${suite} main\n` };
  const lines = entry.text
    .trimEnd()
    .split("\n")
    .map((line) => `'${line}'`);
  const file = `/etc/apt/sources.list.d/${suite}.${entry.format}`;
  return [`printf '%s\\n' ${lines.join(" ")} | ${sudo}tee ${file}`, ...install];
}
