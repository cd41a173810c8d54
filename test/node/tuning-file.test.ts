/** Verdicts on disk: kept, found again, and never trusted where anything does not fit. */

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { FileLock } from "../../src/node/file-lock.ts";
import { loadTuning, saveTuning, tuningFolder } from "../../src/node/tuning-file.ts";
import { algorithms } from "../../src/plan/registry.ts";
import { describeSamples } from "../../src/plan/sample.ts";
import type { Verdict } from "../../src/tune/verdict.ts";
import { freshSeed, uniform } from "../support/random.ts";

const infoOf = (changes: Partial<GPUAdapterInfo> = {}) => ({ ...plainInfo, ...changes }) as GPUAdapterInfo;
const plainInfo = {
  ...{ vendor: "maker", architecture: "software", device: "card", description: "card: driver 1.2.3" },
  ...{ subgroupMinSize: 8, subgroupMaxSize: 8, isFallbackAdapter: false },
};
const info = infoOf();

const verdict: Verdict = {
  plans: {
    "net data 1": {
      problems: {
        one: {
          ...{ layer: "conv1", preferred: "conv_direct", ranking: ["conv_direct_subgroup", "conv_direct"] },
          candidates: [
            { algorithm: "conv_direct", microseconds: 12.5, scratchBytes: 0 },
            { algorithm: "conv_direct_subgroup", microseconds: 10, scratchBytes: 0 },
            { algorithm: "conv_winograd4", microseconds: null, scratchBytes: 400, failure: "it is off" },
          ],
        },
      },
      variants: [
        { tuned: false, steps: 3, peakBytes: 1000, microseconds: 40 },
        { tuned: true, merge: true, workspace: 2000, steps: 2, peakBytes: 3000, microseconds: 30 },
      ],
      chosen: 1,
    },
  },
};

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "tuning-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const fileOf = () => path.join(folder, readdirSync(folder)[0]);
const textOf = () => readFileSync(fileOf(), "utf8");
const digestOf = ({ key, dates, verdict: held }: Record<string, unknown>) =>
  createHash("sha256")
    .update(JSON.stringify([key, dates, held]))
    .digest("hex");
/** Writes a text as the file that a tuner wrote it in. */
const writeSealed = (text: string) => {
  const contents = JSON.parse(text) as Record<string, unknown>;
  writeFileSync(fileOf(), JSON.stringify({ ...contents, digest: digestOf(contents) }));
};
const ignored = async (other = info) => {
  const kept = await loadTuning(other, folder);
  return kept && "ignored" in kept ? kept.ignored : kept;
};

test("a verdict is found again, and another device's is not", async () => {
  expect(await loadTuning(info, folder)).toBeNull();
  const file = await saveTuning(info, verdict, folder);
  expect(await loadTuning(info, folder)).toMatchObject({ file, verdict });
  expect(await loadTuning(infoOf({ device: "another" }), folder)).toBeNull();
  expect(readdirSync(folder)).toEqual([path.basename(file)]);
});

test("what was known before of other plans is kept as it was, whatever is found of the same problems", async () => {
  await saveTuning(info, verdict, folder);
  const before = verdict.plans["net data 1"];
  const later: Verdict = {
    plans: { "net data 8": { ...before, problems: { one: { ...before.problems["one"], ranking: [] } }, chosen: 0 } },
  };
  await saveTuning(info, later, folder);
  expect(await loadTuning(info, folder)).toMatchObject({ verdict: { plans: { ...verdict.plans, ...later.plans } } });
});

test("a plan with an algorithm that has failed its check since is kept no longer", async () => {
  await saveTuning(info, verdict, folder);
  const before = verdict.plans["net data 1"];
  const [direct, subgroup, winograd] = before.problems["one"].candidates;
  const failed = { ...subgroup, microseconds: null, failure: "it is off" };
  const one = { ...before.problems["one"], ranking: ["conv_direct"], candidates: [direct, failed, winograd] };
  const later: Verdict = { plans: { "net data 8": { ...before, problems: { one } } } };
  await saveTuning(info, later, folder);
  expect(await loadTuning(info, folder)).toMatchObject({ verdict: later });
  const { dates } = JSON.parse(textOf()) as { dates: object };
  expect(Object.keys(dates)).toEqual(["net data 8"]);
});

test("of verdicts that are kept at the same time none is lost, and each plan has its own date", async () => {
  await saveTuning(info, verdict, folder);
  const old = "2026-01-31T12:00:00.000Z";
  writeSealed(textOf().replace(/("net data 1": )"[^"]*"/, `$1"${old}"`));
  const plans = Array.from({ length: 5 }, (_, index) => `net data ${index + 2}`);
  await Promise.all(plans.map((plan) => saveTuning(info, { plans: { [plan]: verdict.plans["net data 1"] } }, folder)));
  const kept = await loadTuning(info, folder);
  if (!kept || !("dates" in kept)) return expect.unreachable();
  expect(Object.keys(kept.verdict.plans).sort()).toEqual(["net data 1", ...plans]);
  expect(kept.dates["net data 1"]).toBe(old);
  for (const plan of plans) expect(kept.dates[plan]).not.toBe(old);
  expect(readdirSync(folder)).toHaveLength(1);
});

test("a verdict waits for whoever holds the file", async () => {
  const file = await saveTuning(info, verdict, folder);
  const lock = await FileLock.take(file, expect.unreachable);
  let saved = false;
  const saving = saveTuning(info, { plans: { "net data 8": verdict.plans["net data 1"] } }, folder).then(() => {
    saved = true;
  });
  await sleep(200);
  expect(saved).toBe(false);
  await lock.release();
  await saving;
  const kept = await loadTuning(info, folder);
  expect(kept && "verdict" in kept && Object.keys(kept.verdict.plans)).toEqual(["net data 1", "net data 8"]);
});

test("another launch of any algorithm makes another key", () => {
  const samples = describeSamples();
  expect(describeSamples()).toBe(samples);
  const pool = algorithms.find(({ name }) => name === "pool_max_rows")!;
  const original = pool.launch.bind(pool);
  const spy = vi
    .spyOn(pool, "launch")
    .mockImplementation((problem) => original(problem).map((launch) => ({ ...launch, workgroups: [1, 1, 1] })));
  expect(describeSamples()).not.toBe(samples);
  spy.mockRestore();
  expect(describeSamples()).toBe(samples);
});

test("an older verdict that no longer fits is replaced", async () => {
  await saveTuning(infoOf({ description: "card: driver 1.0.0" }), verdict, folder);
  expect(await ignored()).toBe("it was made with another driver");
  await saveTuning(info, { plans: {} }, folder);
  expect(await loadTuning(info, folder)).toMatchObject({ verdict: { plans: {} } });
});

describe("a file that does not fit is ignored", () => {
  const change = (edit: (contents: { key: Record<string, unknown> } & Record<string, unknown>) => void) => {
    const contents = JSON.parse(textOf()) as { key: Record<string, unknown> } & Record<string, unknown>;
    edit(contents);
    writeFileSync(fileOf(), JSON.stringify(contents));
  };
  beforeEach(async () => {
    await saveTuning(info, verdict, folder);
  });

  test.each([
    ["vendor", "it was made with another device"],
    ["device", "it was made with another device"],
    ["description", "it was made with another driver"],
    ["subgroups", "it was made with another driver"],
    ["webgpu", "it was made with another version of Dawn"],
    ["engine", "it was made with another version of the engine"],
    ["kernels", "it was made with other kernels"],
  ])("made with another %s", async (name, why) => {
    change(({ key }) => (key[name] = "other"));
    expect(await ignored()).toBe(why);
    change(({ key }) => (key[name] = undefined));
    expect(await ignored()).toBe(why);
  });

  test.each<[string, (contents: Record<string, unknown>) => void, string]>([
    ["of an unknown schema", (contents) => (contents["schema"] = 1), "it is no verdict, or another version's"],
    ["without dates", (contents) => delete contents["dates"], "a plan of it has no date"],
    ["without a verdict", (contents) => delete contents["verdict"], "a verdict can't be missing"],
  ])("%s", async (_, edit, why) => {
    change(edit);
    writeSealed(textOf());
    expect(await ignored()).toBe(why);
  });

  const nonsense: [string, string, string, RegExp][] = [
    ["an unknown algorithm", '"conv_direct_subgroup"', '"conv_magic"', /conv_magic/],
    ["a negative time", "12.5", "-12.5", /microseconds can't be -12.5/],
    ["a time that is text", "12.5", '"fast"', /microseconds can't be "fast"/],
    ["a plan that is not there", '"chosen": 1', '"chosen": 2', /variant can't be 2/],
    ["half a step", '"steps": 3', '"steps": 2.5', /steps can't be 2.5/],
    ["an unknown field", '"scratchBytes": 400', '"scratchBytes": 400, "trust": true', /trust/],
    ["a failed candidate that is to be used", '"conv_direct"\n', '"conv_winograd4"\n', /a ranking can't be/],
    ["a list for an object", '"plans": {', '"plans": [], "other": {', /plan|other/],
  ];
  test.each(nonsense)("that was made to have %s, whoever wrote it", async (_, find, replace, why) => {
    const text = textOf();
    expect(text).toContain(find);
    writeSealed(text.replace(find, replace));
    expect(await ignored()).toMatch(why);
  });

  test.each([
    ["more scratch memory than any device has", '"workspace": 2000', `"workspace": ${2 ** 52}`],
    ["another time", "12.5", "12.6"],
    ["another algorithm first", '"conv_direct_subgroup",\n', '"conv_direct",\n'],
    ["another plan", '"chosen": 1', '"chosen": 0'],
    ["another date", '"net data 1": "2', '"net data 1": "1'],
    ["no digest", '"digest"', '"digested"'],
  ])("that was edited to have %s, which the tuner might have written", async (_, find, replace) => {
    const text = textOf();
    expect(text).toContain(find);
    writeFileSync(fileOf(), text.replace(find, replace));
    expect(await ignored()).toBe("it was changed since it was written");
  });

  test("wherever it was cut off, and whatever single character was changed", async () => {
    const text = textOf().trimEnd();
    const seed = freshSeed();
    const next = uniform(seed);
    for (let turn = 0; turn < 100; turn++) {
      writeFileSync(fileOf(), text.slice(0, Math.floor(next() * text.length)));
      expect(await ignored(), `GOOGLENET_TEST_SEED=${seed}`).toEqual(expect.any(String));
    }
    for (let turn = 0; turn < 100; turn++) {
      const at = Math.floor(next() * text.length);
      const changed = text.slice(0, at) + String.fromCharCode(32 + Math.floor(next() * 95)) + text.slice(at + 1);
      writeFileSync(fileOf(), changed);
      const kept = await loadTuning(info, folder);
      // What was no more than a space between two values may have become another.
      if (kept && "verdict" in kept) expect(kept.verdict, `GOOGLENET_TEST_SEED=${seed}`).toEqual(verdict);
    }
  });

  test("that is no regular file, or larger than any verdict", async () => {
    const file = fileOf();
    writeFileSync(file, Buffer.alloc(33_000_000, 32));
    expect(await ignored()).toMatch(/33000000 bytes/);
    rmSync(file);
    mkdirSync(file);
    expect(await ignored()).toBe("it is no file");
    rmSync(file, { recursive: true });
    execFileSync("mkfifo", [file]);
    expect(await ignored()).toBe("it is no file");
  });
});

test("a folder that can't be made is an error of writing", async () => {
  const file = path.join(folder, "file");
  writeFileSync(file, "");
  await expect(saveTuning(info, verdict, path.join(file, "tuning"))).rejects.toMatchObject({ code: "write" });
});

test("verdicts lie where the option says, else the variable, else in the user's cache", () => {
  const env = { GOOGLENET_TUNING: "there", INIT_CWD: "/typed", XDG_CACHE_HOME: "/cache" };
  expect(tuningFolder("here", env)).toBe("/typed/here");
  expect(tuningFolder(undefined, env)).toBe("/typed/there");
  expect(tuningFolder(undefined, { ...env, GOOGLENET_TUNING: "" })).toBe("/cache/googlenet-wgsl/tuning");
  expect(tuningFolder(undefined, { XDG_CACHE_HOME: "relative" })).toBe(
    path.join(homedir(), ".cache/googlenet-wgsl/tuning"),
  );
});
