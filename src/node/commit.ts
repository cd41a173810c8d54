/** Which commit this code is of: asked of git in a checkout, written into dist/ by the build for where there is none. */

import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** `1a2b3c4d5e6f`, with `-dirty` where files differ from it; null where nothing tells. */
export function commitOf(root: string): string | null {
  return existsSync(join(root, ".git")) ? askGit(root) : readWritten(root);
}

/** Writes the checkout's commit into its dist/, where it has one. */
export function writeCommit(root: string): void {
  const commit = commitOf(root);
  if (commit !== null) writeFileSync(fileIn(root), `${commit}\n`);
}

function fileIn(root: string): string {
  return join(root, "dist/commit.txt");
}

function askGit(root: string): string | null {
  try {
    const argv = ["describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"];
    return execFileSync("git", argv, { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  } catch {
    return null;
  }
}

function readWritten(root: string): string | null {
  try {
    return readFileSync(fileIn(root), "utf8").trim();
  } catch {
    return null;
  }
}
