/** What a measurement was made with. */

import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { availableParallelism, cpus, release, totalmem, type } from "node:os";
import { fileURLToPath } from "node:url";
import { dependencyVersion, googlenetVersion } from "./package.ts";

export interface Environment {
  readonly version: string;
  /** The checkout's commit, with `-dirty` where files differ from it; null for an installed package. */
  readonly commit: string | null;
  readonly date: string;
  /** The version of the package `webgpu`, which is that of its Dawn. */
  readonly webgpu: string | null;
  readonly node: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly os: string;
}

export function describeEnvironment(): Environment {
  return {
    version: googlenetVersion(),
    commit: commit(),
    date: new Date().toISOString(),
    webgpu: dependencyVersion("webgpu"),
    node: process.versions.node,
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    os: `${type()} ${release()}`,
  };
}

function commit(): string | null {
  const root = fileURLToPath(new URL("../../", import.meta.url));
  if (!existsSync(`${root}.git`)) return null;
  try {
    const argv = ["describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"];
    return execFileSync("git", argv, { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  } catch {
    return null;
  }
}
