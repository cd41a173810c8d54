/** The compiled worker: processes that are timed from their start can't compile TypeScript first. */

import { spawn } from "node:child_process";
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { EngineError } from "../errors.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

/**
 * The path of the compiled worker. In a checkout it is compiled where the sources are newer.
 *
 * @param onBuild told before that
 */
export async function workerScript(onBuild: () => void): Promise<string> {
  const script = join(root, "dist/bench/worker.js");
  const sources = join(root, "src");
  const fresh = existsSync(script) && (!existsSync(sources) || newest(sources) <= statSync(script).mtimeMs);
  if (!fresh) {
    onBuild();
    await build();
  }
  return script;
}

function newest(folder: string): number {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" });
  return Math.max(...files.map((name) => statSync(join(folder, name)).mtimeMs));
}

async function build(): Promise<void> {
  const child = spawn(process.execPath, [join(root, "scripts/build.mjs")], { stdio: ["ignore", 2, 2] });
  const status = await new Promise<number | null>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  });
  if (status !== 0) {
    throw new EngineError("check", "dist", "the sources do not compile, and workers need them", "see npm run build");
  }
}
