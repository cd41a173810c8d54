/** Random small graphs on the GPU: every blob that the plan leaves, against the reference. */

import fc from "fast-check";
import { expect, test } from "vitest";
import { runReference } from "../../src/cpu/reference.ts";
import type { Tensor } from "../../src/graph/tensor.ts";
import { kernelsOnDisk } from "../../src/node/kernels.ts";
import { Session } from "../../src/webgpu/session.ts";
import { randomGraphs, shapedOf } from "../plan/random_graphs.ts";
import { difference } from "../support/close.ts";
import { describeGpu, useGpu } from "../support/gpu.ts";
import { randomTensor, uniform } from "../support/random.ts";
import { weightsFor } from "./tiny.ts";

describeGpu("random graphs on the GPU", () => {
  const gpu = useGpu();

  test.each([true, false])("every blob, twice over with other inputs; fuse: %s", async (fuse) => {
    await fc.assert(
      fc.asyncProperty(randomGraphs(10), fc.nat(), fc.boolean(), async (random, seed, wide) => {
        const shaped = shapedOf(random);
        const weights = weightsFor(random.graph, seed);
        // As it would be planned for a GPU with wide subgroups: other kernels, convolutions of one input as one.
        const limits = wide ? { ...gpu.limits, subgroup: { min: 32, max: 32 } } : gpu.limits;
        const options = { device: gpu.device, kernels: kernelsOnDisk, batch: random.batch, fuse, limits };
        using session = await Session.create(random.graph, weights, options);
        const { values, tolerance } = await session.plan(random.batch);
        const next = uniform(seed);
        for (let run = 0; run < 2; run++) {
          const inputs = new Map(
            shaped.graph.inputs.map(({ name }): [string, Tensor] => [
              name,
              randomTensor(shaped.shapes.get(name)!, next),
            ]),
          );
          const expected = await runReference(shaped, weights, inputs, { keep: "all" });
          const actual = await session.run(Object.fromEntries(inputs), { outputs: Object.keys(values) });
          const outputs = await session.run(Object.fromEntries(inputs));
          for (const [id, { data }] of [...Object.entries(actual), ...Object.entries(outputs)]) {
            expect(difference(data, expected.get(id)!.data).maxRel, `${id}, run ${run}`).toBeLessThanOrEqual(tolerance);
          }
        }
      }),
      { numRuns: 60 },
    );
  });
});
