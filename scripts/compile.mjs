/**
 * The sources as JavaScript with types in dist/, with what is known before it runs written in (the kernels, the samples'
 * digest, the commit), and the command made executable.
 */
import { execFileSync, spawn } from "node:child_process";
import { chmodSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { fillTexts } from "./kernel-texts.mjs";
import { SetUpError } from "./setup/say.mjs";

/**
 * @param {string} root a checkout whose dependencies are installed
 * @returns {Promise<void>}
 * @throws {SetUpError} where the sources do not compile; the compiler's messages are on standard error
 */
export async function compile(root) {
  const dist = path.join(root, "dist");
  // A file that the sources no longer have must not stay in the package.
  rmSync(dist, { recursive: true, force: true });
  const compiler = path.join(root, "node_modules/typescript/bin/tsc");
  const status = await new Promise((resolve, reject) => {
    const argv = [compiler, "-p", path.join(root, "tsconfig.build.json")];
    // The compiler writes its messages to standard output.
    const child = spawn(process.execPath, argv, { cwd: root, stdio: ["ignore", 2, 2] });
    child.on("error", reject);
    child.on("close", resolve);
  });
  if (status !== 0) throw new SetUpError("build: the sources do not compile; mend the errors above");
  const kernels = path.join(dist, "kernels.js");
  writeFileSync(kernels, fillTexts(readFileSync(kernels, "utf8"), root));
  /** @type {typeof import("../src/node/commit.ts")} */
  const { writeCommit } = await import(pathToFileURL(path.join(dist, "node", "commit.js")).href);
  writeCommit(root);
  const digest = pathToFileURL(path.join(dist, "node", "samples-digest.js")).href;
  // In a process of its own, which has no older modules of that name.
  const write = `import { writeSamplesDigest } from ${JSON.stringify(digest)}; writeSamplesDigest();`;
  execFileSync(process.execPath, ["--input-type=module", "-e", write], { cwd: root, stdio: ["ignore", 2, 2] });
  const command = path.join(dist, "cli", "googlenet.cjs");
  const text = readFileSync(command, "utf8");
  if (!text.startsWith("#!")) writeFileSync(command, `#!/usr/bin/env node\n${text}`);
  chmodSync(command, 0o755);
}
