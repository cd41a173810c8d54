/** Every algorithm in the plan of a whole small network, as choices put it there, against the reference. */

import { expect, test } from "vitest";
import { runReference } from "../../src/cpu/reference.ts";
import { inferShapesForBatch } from "../../src/graph/graph.ts";
import { kernelsOnDisk } from "../../src/node/kernels.ts";
import { planGraph, type PlanOptions } from "../../src/plan/planner.ts";
import { Session } from "../../src/webgpu/session.ts";
import { difference } from "../support/close.ts";
import { describeGpu, useGpu } from "../support/gpu.ts";
import { freshSeed } from "../support/random.ts";
import { batchOf, tiny, weightsFor } from "../webgpu/tiny.ts";

describeGpu("each algorithm in turn, in the plan of a small network", () => {
  const gpu = useGpu();

  test.each<[string, PlanOptions]>([
    ["as it is by default", {}],
    ["convolutions of one input merged", { merge: true }],
    ["much scratch memory", { workspace: 2 ** 20 }],
  ])("%s: every blob as the reference has it, the same bits from every session", async (_, options) => {
    const seed = freshSeed();
    const weights = weightsFor(tiny, seed);
    const data = batchOf(2, seed);
    const shaped = inferShapesForBatch(tiny, 2);
    const expected = await runReference(shaped, weights, new Map([["data", data]]), { keep: "all" });
    const { decisions } = planGraph(shaped, gpu.limits, options);
    const names = new Set(decisions.flatMap(({ candidates }) => candidates));
    expect(names.size).toBeGreaterThan(10);
    for (const name of names) {
      const choices = { algorithms: Object.fromEntries(decisions.map(({ problem }) => [problem, [name]])) };
      const results: Float32Array[] = [];
      for (let time = 0; time < 2; time++) {
        const create = { device: gpu.device, kernels: kernelsOnDisk, batch: 2, ...options, choices };
        using session = await Session.create(tiny, weights, create);
        const plan = await session.plan();
        for (const { candidates, algorithm } of plan.decisions) {
          expect(algorithm).toBe(candidates.includes(name) ? name : candidates[0]);
        }
        const blobs = await session.run({ data }, { outputs: Object.keys(plan.values) });
        for (const [id, { data: values }] of Object.entries(blobs)) {
          const { maxRel } = difference(values, expected.get(id)!.data);
          expect(maxRel, `${id} by ${name}, GOOGLENET_TEST_SEED=${seed}`).toBeLessThanOrEqual(plan.tolerance);
        }
        results.push((await session.run({ data })).prob.data);
      }
      expect(results[1], name).toEqual(results[0]);
    }
  });
});
