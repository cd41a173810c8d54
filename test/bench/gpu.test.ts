/** bench/gpu.sh on a stand-in for the engine: what it runs in which order, what it leaves out, how it ends. */

import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, describe, expect, test } from "vitest";

/**
 * Notes its command; fails where that has all words of one of STUB_FAILS, with status 2 at one of STUB_LACKS. `tune`
 * keeps a verdict for its precision, and every command notes what verdicts it could read.
 */
const STUB = `
const { appendFileSync, existsSync, mkdirSync, readdirSync, writeFileSync } = require("node:fs");
const argv = process.argv.slice(2);
const valueOf = (name) => (argv.includes(name) ? argv[argv.indexOf(name) + 1] : undefined);
const precision = valueOf("--precision") ?? "f32";
const tuning = process.env.GOOGLENET_TUNING;
const verdicts = argv.includes("--no-tuning") || !existsSync(tuning) ? [] : readdirSync(tuning).sort();
const command = [argv[0], precision, argv[0] === "verify" && !argv.includes("--no-tuning") ? "tuned" : ""].join(" ").trim();
appendFileSync(process.env.STUB_LOG, command + " [" + verdicts + "]\\n");
console.log(JSON.stringify({ command }));
if ((process.env.STUB_LACKS ?? "").split(",").includes(command)) process.exit(2);
if ((process.env.STUB_FAILS ?? "").split(",").includes(command)) process.exit(1);
if (argv[0] === "tune") {
  mkdirSync(tuning, { recursive: true });
  writeFileSync(tuning + "/" + precision, "");
}
if (valueOf("--save")) writeFileSync(valueOf("--save"), "{}");
`;

const root = mkdtempSync(path.join(tmpdir(), "googlenet-gpu-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
mkdirSync(path.join(root, "bench"));
mkdirSync(path.join(root, "dist/cli"), { recursive: true });
copyFileSync(path.resolve(import.meta.dirname, "../../bench/gpu.sh"), path.join(root, "bench/gpu.sh"));
writeFileSync(path.join(root, "dist/cli/main.js"), STUB);

let count = 0;

/** Runs steps, all of them unless some are named; a folder may be one that earlier steps left something in. */
function run(
  environment: Readonly<Record<string, string>> = {},
  steps: readonly string[] = [],
  folder = path.join(root, `results ${++count}`),
) {
  const log = path.join(root, `log ${++count}`);
  const { status, stderr } = spawnSync("bash", [path.join(root, "bench/gpu.sh"), folder, ...steps], {
    env: { PATH: process.env.PATH, STUB_LOG: log, GPU_BATCHES: "1,8", ...environment },
    encoding: "utf8",
  });
  const commands = existsSync(log) ? readFileSync(log, "utf8").trimEnd().split("\n") : [];
  return { folder, status, stderr, commands, last: stderr.trimEnd().split("\n").at(-1) };
}

const twice = (command: string) => [command, command];

describe("bench/gpu.sh", () => {
  test("checks, tunes, checks again, then measures both precisions, each with both verdicts at hand", () => {
    const { commands, status, folder, last } = run();
    expect(commands).toEqual([
      "devices f32 []",
      ...["verify f32 []", "verify f16 []"],
      ...["tune f32 []", "tune f16 [f32]"],
      ...["verify f32 tuned [f16,f32]", "verify f16 tuned [f16,f32]"],
      ...twice("plan f32 [f16,f32]"),
      ...twice("plan f16 [f16,f32]"),
      ...["bench f32 [f16,f32]", "bench f16 [f16,f32]"],
      ...twice("profile f32 [f16,f32]"),
      ...twice("profile f16 [f16,f32]"),
    ]);
    expect(status).toBe(0);
    expect(last).toMatch(/ done: /);
    // The record holds what was printed.
    expect(existsSync(path.join(folder, "bench.json")) && !existsSync(path.join(folder, "bench.jsonl"))).toBe(true);
    expect(readFileSync(path.join(folder, "tune.jsonl"), "utf8").trim().split("\n")).toHaveLength(2);
  });

  test("times nothing where float32 is wrong", () => {
    const { commands, status } = run({ STUB_FAILS: "verify f32" });
    expect({ commands, status }).toEqual({ commands: ["devices f32 []", "verify f32 []"], status: 1 });
  });

  test("leaves float16 out where that is wrong or not there, which is no failure, also of later steps", () => {
    const { commands, status, folder, stderr } = run({ STUB_FAILS: "verify f16" });
    expect(commands.filter((command) => command.includes(" f16"))).toEqual(["verify f16 []"]);
    expect(commands.at(-1)).toBe("profile f32 [f32]");
    expect(status).toBe(0);
    expect(stderr).toContain("bench-f16: skipped");
    const later = run({}, ["profile"], folder);
    expect(later).toMatchObject({ commands: twice("profile f32 [f32]"), status: 0 });
    // A new driver may have it.
    expect(run({}, ["verify", "bench-f16"], folder).commands.at(-1)).toBe("bench f16 [f32]");
  });

  test.each([
    ["f16", "bench f32 [f32]", "bench f16 [f32]"],
    ["f32", "bench f32 []", "bench f16 []"],
  ])("goes on without a tuned plan in %s that is wrong, and says so at the end", (precision, ...benches) => {
    const { commands, status, last, folder } = run({ STUB_FAILS: `verify ${precision} tuned` });
    expect(commands.filter((command) => command.startsWith("bench"))).toEqual(benches);
    expect(status).toBe(1);
    expect(last).toMatch(/ failed: verify-tuned$/);
    expect(existsSync(path.join(folder, "tuning-wrong", precision))).toBe(true);
  });

  test("goes on where a step fails, or is one that this version lacks", () => {
    const failed = run({ STUB_FAILS: "bench f32" });
    expect(failed.commands.at(-1)).toBe("profile f16 [f16,f32]");
    expect(failed.status).toBe(1);
    expect(failed.last).toMatch(/ failed: bench$/);
    const lacking = run({ STUB_LACKS: "tune f32,tune f16" });
    expect(lacking.commands).toContain("bench f16 []");
    expect(lacking.status).toBe(0);
  });

  test("refuses steps that there are not, and to run without a folder", () => {
    expect(run({}, ["tunes"])).toMatchObject({ commands: [], status: 2 });
    expect(spawnSync("bash", [path.join(root, "bench/gpu.sh")]).status).toBe(2);
  });
});
