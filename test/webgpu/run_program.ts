/** Programs that run in a process of their own, with garbage collected when they say, and print one JSON object. */

import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);

/**
 * Runs a program of this folder. Rejects where it ends with another status than 0, or has to be killed because
 * something that it left open keeps it alive.
 */
export async function runProgram<Result>(name: string, argv: readonly string[], timeout: number): Promise<Result> {
  const program = fileURLToPath(new URL(name, import.meta.url));
  // V8 lets its young generation grow for minutes, which looks like a leak that ends.
  const settings = ["--expose-gc", "--max-semi-space-size=2", "--import", "tsx"];
  const { stdout } = await run(process.execPath, [...settings, program, ...argv], { timeout });
  return JSON.parse(stdout) as Result;
}

/** How much of `before` it is more. */
export function growth(before: number, after: number): number {
  return after / before - 1;
}
