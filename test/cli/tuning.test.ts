/** Commands on a device that was tuned: what they use, what they say, and what they leave alone. */

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { googLeNet } from "../../src/graph/googlenet.ts";
import { inferShapesForBatch } from "../../src/graph/graph.ts";
import { openAdapter } from "../../src/node/dawn.ts";
import { saveTuning } from "../../src/node/tuning-file.ts";
import { planKey } from "../../src/plan/choices.ts";
import { planGraph } from "../../src/plan/planner.ts";
import type { Verdict } from "../../src/tune/verdict.ts";
import { limitsOfAdapter } from "../../src/webgpu/device.ts";
import { describeGpu } from "../support/gpu.ts";
import { googlenet, objects, writeArrayFile } from "./googlenet.ts";

const SEEDED = ["--weights", "seed:1"];
const temporary = mkdtempSync(path.join(tmpdir(), "googlenet tuned "));
const folder = path.join(temporary, "verdicts");
const env = { GOOGLENET_TUNING: folder };
afterAll(() => rmSync(temporary, { recursive: true, force: true }));

describe("tune", () => {
  test.each([
    [["--backend", "cpu"], /^googlenet: --backend cpu: /],
    [["--batch", "0"], /^googlenet: --batch: /],
    [["--rounds", "none"], /^googlenet: --rounds: /],
    [["--adapter", "no such adapter"], /^googlenet: WebGPU adapter: /],
  ])("refuses %j", async (argv, message) => {
    const { status, stdout, stderr } = await googlenet(["tune", ...SEEDED, ...argv]);
    expect({ status, stdout }).toEqual({ status: argv[0] === "--adapter" ? 1 : 2, stdout: "" });
    expect(stderr).toMatch(message);
  });

  test("says before it begins that a verdict can't be kept", async () => {
    const file = path.join(temporary, "file");
    writeFileSync(file, "");
    const { status, stdout, stderr } = await googlenet(["tune", ...SEEDED, "--tuning", path.join(file, "in")]);
    expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
    expect(stderr).toMatch(/^googlenet: .*: verdicts can't be kept there: a part of its path is not a folder; .*\n$/);
  });
});

describeGpu("on a device that was tuned", () => {
  const layer = "pool1/3x3_s2";
  let file: string;

  beforeAll(async () => {
    const { info, ...adapter } = await adapterOf();
    const shaped = inferShapesForBatch(googLeNet(), 1);
    const { decisions, arenaBytes, steps } = planGraph(shaped, adapter.limits);
    const { problem, candidates } = decisions.find((each) => each.layer === layer)!;
    const verdict: Verdict = {
      plans: {
        [planKey(shaped)]: {
          problems: {
            [problem]: {
              ...{ layer, preferred: candidates[0], ranking: [candidates[1], candidates[0]] },
              candidates: candidates.map((algorithm, index) => ({
                ...{ algorithm, microseconds: index === 0 ? 200 : 100, scratchBytes: 0 },
              })),
            },
          },
          variants: [
            { tuned: false, steps: steps.length, peakBytes: arenaBytes, microseconds: 3000 },
            { tuned: true, workspace: 8_000_000, steps: 90, peakBytes: 9_000_000, microseconds: 2000 },
          ],
          chosen: 1,
        },
      },
    };
    file = await saveTuning(info, verdict, folder);
  });

  async function adapterOf() {
    const adapter = await openAdapter();
    return { info: adapter.info, limits: limitsOfAdapter(adapter) };
  }

  const TUNED = /batch 1 runs as it was tuned for this device on \d{4}-\d\d-\d\d \(--no-tuning: as by default\)\n/;

  test("plan shows what was measured, and what memory buys", async () => {
    const { stdout, stderr } = await googlenet(["plan", ...SEEDED, "--json"], { env });
    expect(stderr).toMatch(TUNED);
    const steps = objects(stdout);
    const totals = steps.pop()!;
    expect(steps.find(({ step }) => step === layer)).toMatchObject({
      ...{ algorithm: "pool_max", reason: "tuned", microseconds: 100 },
      ...{ preferred: "pool_max_rows", preferredMicroseconds: 200 },
    });
    expect(steps[0]).toMatchObject({ reason: "preferred", microseconds: null });
    expect(totals).toMatchObject({ tuned: true, variants: [{ chosen: false }, { chosen: true }] });
    expect(totals["peakBytes"]).toBeGreaterThan(4.9e6);
    const table = await googlenet(["plan", ...SEEDED], { env });
    expect(table.stdout).toContain("tuned, 100 µs for pool_max_rows's 200 µs\n");
    expect(table.stdout).toMatch(
      /\n9.00 MB buy 2.00 ms \(.*\); in 4.82 MB it takes 3.00 ms, 1.50× that \(by default\)\n$/,
    );
  });

  test("verify checks the very plan, and other commands run it", async () => {
    const verified = await googlenet(["verify", ...SEEDED, "--json"], { env });
    expect(verified.stderr).toMatch(TUNED);
    expect(objects(verified.stdout).at(-1)).toMatchObject({ pass: true });
    const array = writeArrayFile(path.join(temporary, "data.npy"), [1, 3, 224, 224], (index) => (index % 200) - 100);
    const argv = ["run", "googlenet", ...SEEDED, "--input", `data=${array}`, "--output"];
    const run = await googlenet([...argv, `prob=${path.join(temporary, "prob.npy")}`], { env });
    expect(run).toMatchObject({ status: 0, stderr: expect.stringMatching(TUNED) as string });
  });

  test("--no-tuning, other batch sizes and other folders leave it out, without a word", async () => {
    const byDefault = await googlenet(["plan", ...SEEDED, "--json"]);
    for (const [argv, more] of [
      [["--no-tuning"], env],
      [["--tuning", "/nowhere"], env],
      [[], { GOOGLENET_TUNING: "/nowhere" }],
    ] as const) {
      expect(await googlenet(["plan", ...SEEDED, "--json", ...argv], { env: more })).toEqual(byDefault);
    }
    const other = await googlenet(["plan", ...SEEDED, "--batch", "2", "--json"], { env });
    expect(other.stderr).not.toMatch(/tuned/);
  });

  test("a verdict that does not fit is ignored with one note", async () => {
    const text = readFileSync(file, "utf8");
    try {
      writeFileSync(file, text.slice(0, -100));
      const { status, stdout, stderr } = await googlenet(["plan", ...SEEDED, "--json"], { env });
      expect(status).toBe(0);
      expect(stderr.split("\n").filter((line) => line.includes("ignored"))).toEqual([
        `${file}: ignored, it is not JSON, or a part of it is missing (\`googlenet tune\` makes another)`,
      ]);
      expect(objects(stdout).at(-1)).toMatchObject({ tuned: false });
    } finally {
      writeFileSync(file, text);
    }
    expect(readdirSync(folder)).toEqual([path.basename(file)]);
  });
});
