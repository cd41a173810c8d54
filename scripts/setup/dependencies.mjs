/**
 * The npm dependencies: are they there, and are they those of the lock file?
 *
 * A stamp written after a successful `npm ci` holds a hash of the lock file, the dependency lists, the Node release
 * and the platform. (npm's own node_modules/.package-lock.json says nothing of the platform.) The stamp proves
 * what was installed, not that it is still there, so each package's folder is looked for as well.
 */
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { howItEnded, lastLines, runQuietly } from "./command.mjs";
import { say, SetUpError } from "./say.mjs";

/** @param {string} root the checkout */
const stampFile = (root) => path.join(root, "node_modules", ".googlenet-setup");

/**
 * @param {string} root the checkout
 * @returns {string} a hash of all that decides what belongs into node_modules
 */
export function dependenciesHash(root) {
  const manifest = JSON.parse(readFileSync(path.join(root, "package.json"), "utf8"));
  const lists = [manifest.dependencies, manifest.devDependencies, manifest.optionalDependencies, manifest.overrides];
  return createHash("sha256")
    .update(readFileSync(path.join(root, "package-lock.json")))
    .update(JSON.stringify(lists))
    .update(`${process.version} ${process.platform} ${process.arch}`)
    .digest("hex");
}

/**
 * @param {string} root the checkout
 * @returns {string | null} why the dependencies have to be installed, or null where they are as they should be
 */
export function dependenciesProblem(root) {
  if (!existsSync(path.join(root, "node_modules"))) return "not installed";
  const stamp = readStamp(root);
  if (stamp === null) return "not installed by this set-up, or not to the end";
  if (stamp !== dependenciesHash(root)) return "not those of package-lock.json for this Node.js";
  const missing = missingPackage(root);
  return missing === null ? null : `${missing} is gone`;
}

/**
 * Installs the dependencies from the lock file.
 *
 * @param {string} root the checkout
 * @param {(pid: number) => void} [started] called with npm's process id
 * @throws {SetUpError} where npm fails
 */
export async function installDependencies(root, started) {
  const hash = dependenciesHash(root);
  const since = Date.now();
  // Development dependencies run the checkout (tsx) and optional ones hold sharp's binary: both are needed whatever
  // NODE_ENV or npm's settings say. The log level counters an outer `npm --silent`, under which npm fails mutely.
  const finished = await runQuietly(
    [
      ...npmCommand(),
      "ci",
      "--include=dev",
      "--include=optional",
      "--prefer-offline",
      "--no-audit",
      "--no-fund",
      "--loglevel=error",
    ],
    { cwd: root, title: "npm ci", ...(started && { started }) },
  );
  if (finished.status !== 0) {
    for (const line of lastLines(finished.output)) say(`npm: ${line}`);
    throw new SetUpError(
      `npm ci: ${howItEnded(finished)}; mend what npm says above (network, disk space, permissions) and start again`,
    );
  }
  writeFileSync(stampFile(root), `${hash}\n`);
  const missing = missingPackage(root);
  if (missing !== null) throw new SetUpError(`npm ci: left out ${missing}; remove node_modules and start again`);
  say(`npm dependencies installed in ${Math.round((Date.now() - since) / 1000)} s`);
}

/**
 * Under npm, the same npm again; otherwise the one on the path.
 *
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {string[]}
 */
export function npmCommand(env = process.env) {
  const running = env["npm_execpath"];
  if (running !== undefined && path.basename(running) === "npm-cli.js") return [process.execPath, running];
  return [process.platform === "win32" ? "npm.cmd" : "npm"];
}

/** @param {string} root */
function readStamp(root) {
  try {
    return readFileSync(stampFile(root), "utf8").trim();
  } catch {
    return null;
  }
}

/**
 * @param {string} root
 * @returns {string | null} a package of the lock file that every platform needs and that is not there
 */
function missingPackage(root) {
  const lock = JSON.parse(readFileSync(path.join(root, "package-lock.json"), "utf8"));
  for (const [folder, entry] of Object.entries(lock.packages)) {
    if (folder === "" || entry.optional === true || entry.devOptional === true || entry.link === true) continue;
    if (!existsSync(path.join(root, folder, "package.json"))) return folder;
  }
  return null;
}
