/** What a measurement was made with. */

import { availableParallelism, cpus, release, totalmem, type } from "node:os";
import { fileURLToPath } from "node:url";
import { commitOf } from "./commit.ts";
import { dependencyVersion, googlenetVersion } from "./package.ts";

export interface Environment {
  readonly version: string;
  /** The commit that it runs, or was built, from, with `-dirty` where files differed; null where that is not known. */
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
    commit: commitOf(fileURLToPath(new URL("../../", import.meta.url))),
    date: new Date().toISOString(),
    webgpu: dependencyVersion("webgpu"),
    node: process.versions.node,
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    os: `${type()} ${release()}`,
  };
}
