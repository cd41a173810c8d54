/** Threads of libuv: as many as the machine computes at once, unless somebody said how many. */

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, expect, test } from "vitest";

const PRELOAD = path.resolve(import.meta.dirname, "../../src/cli/libuv-threads.cjs");
const root = mkdtempSync(path.join(tmpdir(), "googlenet threads "));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const machine = path.join(root, "machine.cjs");
writeFileSync(machine, `require("node:os").availableParallelism = () => Number(process.env.PARALLELISM);`);
// A module that is imported, as the command is: libuv has read it by its threads.
const program = path.join(root, "program.mjs");
writeFileSync(
  program,
  `import { readdirSync } from "node:fs";
   const threads = process.platform === "linux" ? readdirSync("/proc/self/task").length : 0;
   console.log(JSON.stringify({ said: process.env.UV_THREADPOOL_SIZE, threads }));`,
);

function run(parallelism: number, variables: Record<string, string> = {}, preload = [PRELOAD]) {
  const argv = [machine, ...preload].flatMap((file) => ["--require", file]);
  const inherited = Object.entries(process.env).filter(([name]) => name !== "UV_THREADPOOL_SIZE");
  const env = { ...Object.fromEntries(inherited), PARALLELISM: String(parallelism), ...variables };
  const text = execFileSync(process.execPath, [...argv, program], { env, encoding: "utf8" });
  return JSON.parse(text) as { readonly said?: string; readonly threads: number };
}

test.each([
  [24, {}, "24"],
  [2, {}, "4"],
  [24, { UV_THREADPOOL_SIZE: "7" }, "7"],
])("a machine of %d, told %j: %s", (parallelism, variables, said) => {
  expect(run(parallelism, variables).said).toBe(said);
});

test.skipIf(process.platform !== "linux")("libuv hears of it in time (needs Linux)", () => {
  // Besides them there are V8's own, as many in both.
  const usual = run(24, {}, []);
  expect(usual.said).toBeUndefined();
  expect(run(24).threads).toBe(usual.threads + 24 - 4);
});
