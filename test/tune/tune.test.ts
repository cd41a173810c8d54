/** The tuner on a small network: what it finds is right, and what is wrong is never chosen. */

import { describe, expect, test } from "vitest";
import { inferShapesForBatch } from "../../src/graph/graph.ts";
import { kernelsOnDisk } from "../../src/node/kernels.ts";
import { planKey, problemKey } from "../../src/plan/choices.ts";
import type { Algorithm, Launch } from "../../src/plan/kernel.ts";
import { plannedProblems } from "../../src/plan/planner.ts";
import { candidates } from "../../src/plan/registry.ts";
import type { TuningGpu } from "../../src/tune/gpu.ts";
import { tuneProblem } from "../../src/tune/problem.ts";
import { tune } from "../../src/tune/tune.ts";
import { choicesOf, readVerdict } from "../../src/tune/verdict.ts";
import { tolerancesOf } from "../../src/verify/compare.ts";
import { Session } from "../../src/webgpu/session.ts";
import { describeGpu, useGpu } from "../support/gpu.ts";
import "../support/close.ts";
import { freshSeed } from "../support/random.ts";
import { batchOf, referenceProb, tiny, weightsFor } from "../webgpu/tiny.ts";

describeGpu("tuning a small network", () => {
  const gpu = useGpu();
  const seed = freshSeed();
  const weights = weightsFor(tiny, seed);
  const options = () => ({ device: gpu.device, kernels: kernelsOnDisk, rounds: 1 });

  test("finds an algorithm for every problem and a plan for every batch size, and says how far it is", async () => {
    const seen: [done: number, total: number][] = [];
    const onProgress = (done: number, total: number) => seen.push([done, total]);
    const tuning = await tune({ graph: tiny, weights }, { ...options(), batches: [1, 3], onProgress });
    const { verdict, choices, networks, notes } = tuning;
    expect(notes).toEqual([]);
    expect(networks.map(({ batch }) => batch)).toEqual([1, 3]);
    expect(seen[0][0]).toBe(0);
    expect(seen.at(-1)![0]).toBe(seen.at(-1)![1]);
    expect(seen.map(([done]) => done)).toEqual(seen.map(([done]) => done).toSorted((a, b) => a - b));

    for (const { batch, plan, problems } of networks) {
      const shaped = inferShapesForBatch(tiny, batch);
      for (const { problem, algorithm } of plannedProblems(shaped, gpu.limits)) {
        expect(problems).toContain(problemKey(problem));
        const found = verdict.plans[plan].problems[problemKey(problem)];
        expect(found.preferred).toBe(algorithm.name);
        expect(found.candidates.map((each) => each.algorithm).sort()).toEqual(
          candidates(problem)
            .map(({ name }) => name)
            .sort(),
        );
      }
      // The default plan is always in the running.
      expect(verdict.plans[plan].variants[0]).toMatchObject({ tuned: false });
    }
    expect(readVerdict(JSON.parse(JSON.stringify(verdict)))).toEqual(verdict);
    expect(choicesOf(verdict)).toEqual(choices);

    // What came of it computes the same network, and the same bits each time.
    const data = batchOf(3, seed);
    const runs: Float32Array[] = [];
    for (let time = 0; time < 2; time++) {
      using session = await Session.create(tiny, weights, { ...options(), choices, batch: 3 });
      const { prob } = await session.run({ data });
      const { probability } = tolerancesOf(await session.plan(3));
      expect(prob, `GOOGLENET_TEST_SEED=${seed}`).toBeAllclose(await referenceProb(weights, data), {
        absolute: probability,
      });
      runs.push(prob.data, (await session.run({ data })).prob.data);
    }
    for (const run of runs) expect(run).toEqual(runs[0]);
  });

  test("in float16, where the device has it, beside what is known of float32", async (context) => {
    if (!gpu.limits.float16) return context.skip();
    const { verdict, choices, notes } = await tune({ graph: tiny, weights }, { ...options(), precision: "f16" });
    expect(notes).toEqual([]);
    expect(Object.keys(verdict.plans)).toEqual([planKey(inferShapesForBatch(tiny, 1), "f16")]);
    const create = { ...options(), choices, batch: 1 };
    using half = await Session.create(tiny, weights, { ...create, precision: "f16" });
    using whole = await Session.create(tiny, weights, create);
    // What was found out in one precision says nothing of the other.
    expect((await whole.plan()).decisions.filter(({ reason }) => reason === "tuned")).toEqual([]);
    const data = batchOf(1, seed);
    const { probability } = tolerancesOf(await half.plan());
    expect((await half.run({ data })).prob, `GOOGLENET_TEST_SEED=${seed}`).toBeAllclose(
      await referenceProb(weights, data),
      { absolute: probability },
    );
  });

  test("replaces an algorithm that is wrong by default, and all plans that have it", async () => {
    const pool = plannedProblems(inferShapesForBatch(tiny, 1), gpu.limits).find(
      ({ problem }) => problem.layer === "pool",
    )!;
    expect(pool.algorithm.name).toBe("pool_max_rows");
    const kernels = async (name: string) => {
      const text = await kernelsOnDisk(name);
      const spoilt = text.replaceAll("value > largest", "value < largest");
      if (name === "pool_max_rows") expect(spoilt).not.toBe(text);
      return name === "pool_max_rows" ? spoilt : text;
    };
    const { verdict, networks, notes } = await tune({ graph: tiny, weights }, { ...options(), kernels, seed: 7 });
    const [{ plan, preferredMs, problems, used }] = networks;
    expect(preferredMs).toBeNull();
    expect(verdict.plans[plan].variants.length).toBeGreaterThan(0);
    expect(verdict.plans[plan].variants.every(({ tuned }) => tuned)).toBe(true);
    const key = problemKey(pool.problem);
    expect(verdict.plans[plan].problems[key].ranking).toContain("pool_max");
    expect(verdict.plans[plan].problems[key].ranking).not.toContain("pool_max_rows");
    const failures = verdict.plans[plan].problems[key].candidates.flatMap(({ failure }) => failure ?? []);
    expect(failures).toEqual([expect.stringMatching(/^it is off by \S+ of the largest magnitude \(seed 7\)$/)]);
    expect(used[problems.indexOf(key)]).toBe(verdict.plans[plan].problems[key].ranking[0]);
    expect(notes).toContainEqual(expect.stringMatching(/^the default plan is left out: pool.*: pool_max_rows failed/));
  });

  test("is given up by its signal, with its reason", async () => {
    const abort = new AbortController();
    const onProgress = (done: number) => {
      if (done === 2) abort.abort(new Error("enough"));
    };
    await expect(tune({ graph: tiny, weights }, { ...options(), onProgress, signal: abort.signal })).rejects.toThrow(
      "enough",
    );
  });

  test.each([
    ["no options", null, /^options: they are null/],
    ["no device", { device: {} }, /^option device: it is an Object; give a GPUDevice$/],
    ["no kernels", { kernels: "conv_direct" }, /^option kernels: it is a string/],
    ["no rounds", { rounds: 0 }, /^option rounds: it is 0/],
    ["a seed that is none", { seed: 0 }, /^option seed: it is 0/],
    ["no batches", { batches: [] }, /^option batches: they are no list/],
    ["half a batch", { batches: [1, 0.5] }, /^option batch: it is 0\.5/],
    ["a precision that is none", { precision: "f8" }, /^option precision: it is "f8"/],
  ])("refuses %s", async (_, changes, message) => {
    const wrong = changes && { ...options(), ...changes };
    await expect(tune({ graph: tiny, weights }, wrong as never)).rejects.toMatchObject({
      code: "usage",
      message: expect.stringMatching(message) as string,
    });
  });

  describe("a candidate that is wrong", () => {
    const notes: string[] = [];
    const tuningGpu = (): TuningGpu => ({
      device: gpu.device,
      pipelines: gpu.pipelines,
      limits: gpu.limits,
      timing: { rounds: 1, turn: 1e5, hopeless: 1e6 },
      seed: freshSeed(),
      note: (text) => notes.push(text),
    });
    const stem = () =>
      plannedProblems(inferShapesForBatch(tiny, 2), gpu.limits).find(({ problem }) => problem.layer === "stem")!;
    const spoilt = (algorithm: Algorithm, spoil: (launch: Launch) => Launch): Algorithm => ({
      ...algorithm,
      name: "spoilt",
      launch: (problem) => algorithm.launch(problem).map(spoil),
    });
    const values = (change: (values: Launch["values"]) => Launch["values"]) => (launch: Launch) => ({
      ...launch,
      values: { ...launch.values, ...change(launch.values) },
    });
    const noBias = (launch: Launch): Launch => ({
      ...launch,
      bindings: launch.bindings.map((binding) =>
        binding.kind === "parameter" && binding.parameter.layout === "bias_tiles"
          ? { kind: "parameter", parameter: { layout: "zeros", elements: binding.parameter.elements } }
          : binding,
      ),
    });

    test.each<[string, (launch: Launch) => Launch, RegExp]>([
      ["forgets the bias", noBias, /off by/],
      ["forgets the ReLU", values(() => ({ relu: 0 })), /off by/],
      ["leaves a part out", values(({ threadCount }) => ({ threadCount: threadCount >> 1 })), /off by/],
      ["reads beside its input", values(({ inOffset }) => ({ inOffset: inOffset + 1 })), /off by/],
      ["writes beside its output", values(({ outStride }) => ({ outStride: outStride + 1 })), /it writes where/],
      ["does not compile", values(() => ({ TILE_COLUMNS: 0 })), /kernel conv_direct/],
    ])("is left out with a note: it %s", async (_, spoil, why) => {
      notes.length = 0;
      const planned = stem();
      const { algorithm } = planned;
      expect(algorithm.name).toBe("conv_direct");
      const verdict = await tuneProblem(tuningGpu(), planned, undefined, [algorithm, spoilt(algorithm, spoil)]);
      expect(verdict.ranking).toEqual(["conv_direct"]);
      expect(verdict.candidates[0].failure).toBeUndefined();
      expect(verdict.candidates[1]).toMatchObject({ algorithm: "spoilt", microseconds: null });
      expect(verdict.candidates[1].failure).toMatch(why);
      expect(notes).toEqual([expect.stringMatching(/^stem \+ stem\/relu: spoilt is left out: /)]);
    });

    test("fails by as much with the seed that its failure names, and by another's in another way", async () => {
      const planned = stem();
      const { algorithm } = planned;
      const failureOf = async (own: number) => {
        const tuning = { ...tuningGpu(), seed: own };
        const { candidates } = await tuneProblem(tuning, planned, undefined, [algorithm, spoilt(algorithm, noBias)]);
        return candidates[1].failure;
      };
      const drawn = await failureOf(seed);
      expect(drawn).toContain(`(seed ${seed})`);
      expect(await failureOf(seed)).toBe(drawn);
      const others = [await failureOf(1), await failureOf(2), await failureOf(3)];
      expect(new Set(others.map((text) => text?.replace(/\(.*/, ""))).size).toBeGreaterThan(1);
    });
  });
});
