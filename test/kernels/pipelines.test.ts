/** Every kernel compiled with every set of constants that plans ask for, without a word from the compiler. */

import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { googLeNet } from "../../src/graph/googlenet.ts";
import { inferShapesForBatch } from "../../src/graph/graph.ts";
import { takesRelu } from "../../src/plan/fuse.ts";
import { planGraph } from "../../src/plan/planner.ts";
import { algorithms, candidates, kernels } from "../../src/plan/registry.ts";
import type { PlanLimits } from "../../src/plan/limits.ts";
import { kernelsOnDisk } from "../../src/node/kernels.ts";
import { sortValues } from "../../src/plan/launches.ts";
import { setTiles } from "../../src/webgpu/kernel_source.ts";
import type { PipelineKey } from "../../src/webgpu/pipelines.ts";
import { cases } from "../support/cases.ts";
import { describeGpu, useGpu } from "../support/gpu.ts";
import { channelPlacement, oddPlacement, problemOf } from "../support/run_kernel.ts";
import { runsOn } from "./check_case.ts";

describeGpu("kernels compile on the GPU device", () => {
  const gpu = useGpu();
  let keys: Map<string, PipelineKey> | undefined;

  async function messagesOf(name: string, code: string): Promise<string[]> {
    const { messages } = await gpu.device.createShaderModule({ label: name, code }).getCompilationInfo();
    return messages.map(({ type, lineNum, message }) => `${name}:${lineNum}: ${type}: ${message}`);
  }

  test.for(readdirSync(new URL("../../kernels/", import.meta.url)))("%s as it stands", async (file, context) => {
    const code = readFileSync(new URL(`../../kernels/${file}`, import.meta.url), "utf8");
    for (const [, feature] of code.matchAll(/^enable (\w+);/gm)) {
      context.skip(!gpu.device.features.has(feature), `the device has no ${feature}`);
    }
    expect(await messagesOf(file, code)).toEqual([]);
  });

  test.each(kernels)("$name with every set of constants and tiles", async (kernel) => {
    // Batch 64 has buffers that many devices forbid; here nothing is run.
    keys ??= pipelineKeys({ ...gpu.limits, maxBufferSize: 2 ** 32, maxStorageBufferBindingSize: 2 ** 32 });
    const wanted = [...keys.values()].filter((key) => key.kernel === kernel.name);
    const users = algorithms.filter((algorithm) => algorithm.kernels.includes(kernel));
    expect(wanted.length > 0).toBe(users.some((algorithm) => runsOn(algorithm, gpu.limits)));
    const source = await kernelsOnDisk(kernel.name);
    const codes = new Set(wanted.map(({ tiles }) => setTiles(kernel.name, source, tiles)));
    for (const code of codes) expect(await messagesOf(kernel.name, code)).toEqual([]);
    await Promise.all(wanted.map((key) => gpu.pipelines.get(key)));
  });
});

/** Each pipeline that the network's plans and the case table ask for, once. */
function pipelineKeys(limits: PlanLimits): Map<string, PipelineKey> {
  return new Map([...networkKeys(limits), ...caseKeys(limits)].map((key) => [JSON.stringify(key), key]));
}

function networkKeys(limits: PlanLimits): PipelineKey[] {
  const graphs = [googLeNet(), googLeNet({ heads: "all" }), googLeNet({ height: 97, width: 131 })];
  return graphs.flatMap((graph) =>
    [1, 2, 8, 64].flatMap((batch) =>
      [true, false].flatMap((fuse) =>
        planGraph(inferShapesForBatch(graph, batch), limits, { fuse }).steps.map(({ kernel, constants, tiles }) => ({
          kernel,
          constants,
          tiles,
        })),
      ),
    ),
  );
}

function caseKeys(limits: PlanLimits): PipelineKey[] {
  return cases.flatMap((each) => {
    const fusible = takesRelu.has(each.op.type);
    return [oddPlacement, channelPlacement].flatMap((placement) =>
      (fusible ? [false, true] : [false]).flatMap((relu) => {
        const problem = problemOf(each, placement, relu, limits);
        return candidates(problem).flatMap((algorithm) =>
          algorithm.launch(problem).map((launch) => {
            const { constants, tiles } = sortValues(launch);
            return { kernel: launch.kernel.name, constants, tiles };
          }),
        );
      }),
    );
  });
}
