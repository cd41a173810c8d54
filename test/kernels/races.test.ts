/**
 * Kernels whose lanes share workgroup memory, with their lanes numbered in another order. Barriers make the order of no
 * consequence, so that the results must be the same to the bit. A driver on a CPU runs a workgroup's subgroups one after
 * another between barriers: where one is missing, one order or another reads what is not yet, or no longer, there.
 */

import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { kernelsOnDisk } from "../../src/node/kernels.ts";
import { algorithms } from "../../src/plan/registry.ts";
import { PipelineCache } from "../../src/webgpu/pipelines.ts";
import { cases, drawCase } from "../support/cases.ts";
import "../support/close.ts";
import { describeGpu, useGpu } from "../support/gpu.ts";
import { freshSeed } from "../support/random.ts";
import { oddPlacement, problemOf, referenceOf, runKernel } from "../support/run_kernel.ts";

const folder = new URL("../../kernels/", import.meta.url);
const sharing = readdirSync(folder)
  .filter((file) => readFileSync(new URL(file, folder), "utf8").includes("var<workgroup>"))
  .map((file) => file.replace(".wgsl", ""));

/** Which lane of the kernel a lane of the device is to be. */
const orders = {
  "last to first": "workgroupSize - 1u - deviceLane",
  "halves exchanged": "(deviceLane + workgroupSize / 2u) % workgroupSize",
};

/** The algorithms that use the kernel: the first shows its races as well as any. */
const usersOf = (kernel: string) => algorithms.filter(({ kernels }) => kernels.some(({ name }) => name === kernel));

test("there are kernels that share memory, and each is of some algorithm", () => {
  expect(sharing.length).toBeGreaterThan(0);
  for (const name of sharing) expect(usersOf(name), name).not.toEqual([]);
});

describeGpu("kernels that share workgroup memory on the GPU, lanes in another order", () => {
  const gpu = useGpu();

  describe.each(sharing)("%s", (name) => {
    test.each(Object.entries(orders))("%s", async (_, lane) => {
      const [algorithm] = usersOf(name);
      const reordered = {
        ...gpu,
        pipelines: new PipelineCache(gpu.device, async (kernel) => renumber(await kernelsOnDisk(kernel), lane)),
      };
      // Rows and sums so large that every lane has work, yet quickly checked.
      const chosen = cases
        .filter(({ op, group, bytes }) => op.type === algorithm.op && group !== "huge" && bytes < 300_000)
        .filter((each) => algorithm.accepts(problemOf(each, oddPlacement, false, gpu.limits)))
        .sort((a, b) => b.bytes - a.bytes)
        .slice(0, 8);
      for (const each of chosen) {
        const seed = freshSeed();
        const context = `${each.name}, GOOGLENET_TEST_SEED=${seed}`;
        const { inputs, weights } = drawCase(each, seed);
        const problem = problemOf(each, oddPlacement, false, gpu.limits);
        const expected = referenceOf(each, inputs, weights, false);
        const usual = await runKernel(gpu, algorithm, problem, inputs, weights);
        const other = await runKernel(reordered, algorithm, problem, inputs, weights);
        expect(usual.output, context).toBeAllclose(expected, { relative: 1e-5 });
        expect(other.output, context).toBeAllclose(usual.output, { absolute: 0 });
        expect(other.strayWrites, context).toEqual([]);
      }
    });
  });
});

function renumber(source: string, lane: string): string {
  const parameter = "@builtin(local_invocation_index) lane: u32";
  const body = /(@compute[\s\S]*?\) \{\n)/;
  expect(source).toContain(parameter);
  expect(source).toMatch(body);
  return source
    .replace(parameter, "@builtin(local_invocation_index) deviceLane: u32")
    .replace(body, `$1  let lane = ${lane};\n`);
}
