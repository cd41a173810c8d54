/** GoogLeNet computed by algorithms drawn at random, however much slower, every blob against the reference. */

import { expect, test } from "vitest";
import { runReference } from "../../src/cpu/reference.ts";
import { googLeNet } from "../../src/graph/googlenet.ts";
import { inferShapesForBatch } from "../../src/graph/graph.ts";
import type { Tensor } from "../../src/graph/tensor.ts";
import type { Weights } from "../../src/graph/weights.ts";
import { kernelsOnDisk } from "../../src/node/kernels.ts";
import { loadWeights } from "../../src/node/weights-file.ts";
import type { Choices } from "../../src/plan/choices.ts";
import type { PlanLimits } from "../../src/plan/limits.ts";
import { PRECISIONS } from "../../src/plan/precision.ts";
import { planGraph, type PlanOptions } from "../../src/plan/planner.ts";
import { tune } from "../../src/tune/tune.ts";
import { tolerancesOf } from "../../src/verify/compare.ts";
import { fillWithNoise } from "../../src/verify/noise.ts";
import { verifyBlobs } from "../../src/verify/verify.ts";
import { seededWeights } from "../../src/weights/seed.ts";
import { Session } from "../../src/webgpu/session.ts";
import { describeGpu, useGpu } from "../support/gpu.ts";
import { freshSeed, uniform } from "../support/random.ts";

const DRAWS = 8;

describeGpu("GoogLeNet by algorithms drawn at random", () => {
  const gpu = useGpu();
  const graph = googLeNet();
  const shapedFor = (batch: number) => inferShapesForBatch(graph, batch);

  const noise = (batch: number, seed: number): Tensor => {
    const data = new Float32Array(batch * 3 * 224 * 224);
    fillWithNoise(data, 1 + (seed >>> 1));
    return { shape: [batch, 3, 224, 224], data };
  };

  const weightsOf = async (seed: number): Promise<Weights> => {
    const { parameters } = shapedFor(1);
    const trained = process.env.GOOGLENET_WEIGHTS;
    return trained === undefined ? seededWeights(parameters, seed) : (await loadWeights(trained, parameters)).weights;
  };

  /** A precision, an algorithm of it for each problem; convolutions merged or not, scratch memory scarce, usual or ample. */
  function draw(batch: number, limits: PlanLimits, next: () => number): PlanOptions & { readonly choices: Choices } {
    const pick = <T>(values: readonly T[]) => values[Math.floor(next() * values.length)];
    const options = { precision: pick(PRECISIONS), merge: pick([true, false]), workspace: pick([true, 0, 1e6, 1e7]) };
    const { decisions } = planGraph(shapedFor(batch), limits, options);
    const algorithms = Object.fromEntries(
      decisions.map(({ problem, candidates }) => [problem, [pick(candidates)]] as const),
    );
    return { ...options, choices: { algorithms } };
  }

  test("every blob within its plan's tolerance, the same bits twice", async () => {
    const seed = freshSeed();
    const next = uniform(seed);
    const weights = await weightsOf(seed);
    for (const batch of [1, 2]) {
      const shaped = shapedFor(batch);
      const data = noise(batch, seed);
      const expected = await runReference(shaped, weights, new Map([["data", data]]), { keep: "all" });
      for (let turn = 0; turn < DRAWS; turn++) {
        const options = draw(batch, gpu.limits, next);
        const create = { device: gpu.device, kernels: kernelsOnDisk, batch, ...options };
        const probabilities: Float32Array[] = [];
        for (let time = 0; time < 2; time++) {
          using session = await Session.create(graph, weights, create);
          const plan = await session.plan();
          const outputs = Object.keys(plan.values);
          const blobs = new Map(Object.entries(await session.run({ data }, { outputs })));
          const wanted = new Map([...expected].filter(([id]) => blobs.has(id)));
          const { verdicts, firstFailure } = verifyBlobs(shaped, blobs, wanted, tolerancesOf(plan));
          const failure = verdicts.find(({ blob }) => blob === firstFailure);
          expect(failure, `GOOGLENET_TEST_SEED=${seed}, batch ${batch}, ${JSON.stringify(options)}`).toBeUndefined();
          probabilities.push((await session.run({ data })).prob.data);
        }
        expect(probabilities[1]).toEqual(probabilities[0]);
      }
    }
  });

  test.each([
    ["f32", 1],
    ["f16", 1],
    ["f32", 2],
  ] as const)(
    "as tuned, %s, batch %i: every blob within its plan's tolerance, the same bits twice",
    async (precision, batch) => {
      const seed = freshSeed();
      const weights = await weightsOf(seed);
      const create = { device: gpu.device, kernels: kernelsOnDisk, precision };
      const { choices, notes } = await tune({ graph, weights }, { ...create, batches: [batch], rounds: 1 });
      expect(notes).toEqual([]);
      const shaped = shapedFor(batch);
      const data = noise(batch, seed);
      const expected = await runReference(shaped, weights, new Map([["data", data]]), { keep: "all" });
      const results: Float32Array[] = [];
      for (let time = 0; time < 2; time++) {
        using session = await Session.create(graph, weights, { ...create, batch, choices });
        const plan = await session.plan(batch);
        const blobs = new Map(Object.entries(await session.run({ data }, { outputs: Object.keys(plan.values) })));
        const wanted = new Map([...expected].filter(([id]) => blobs.has(id)));
        const { firstFailure } = verifyBlobs(shaped, blobs, wanted, tolerancesOf(plan));
        expect(firstFailure, `GOOGLENET_TEST_SEED=${seed}`).toBeNull();
        results.push((await session.run({ data })).prob.data);
      }
      expect(results[1]).toEqual(results[0]);
    },
  );
});
