/** Kernels at the edge of what devices allow: small workgroups, and more workgroups than fit in one dimension. */

import { describe, expect, test } from "vitest";
import { openAdapter } from "../../src/node/dawn.ts";
import { kernelsOnDisk } from "../../src/node/kernels.ts";
import { sortValues } from "../../src/plan/launches.ts";
import { defaultLimits, type PlanLimits } from "../../src/plan/limits.ts";
import { algorithms, candidates } from "../../src/plan/registry.ts";
import { limitsOf } from "../../src/webgpu/device.ts";
import { PipelineCache } from "../../src/webgpu/pipelines.ts";
import { casesOf, type OpCase } from "../support/cases.ts";
import { describeGpu, useGpu } from "../support/gpu.ts";
import { channelPlacement, oddPlacement, problemOf } from "../support/run_kernel.ts";
import { checkCase, runsOn } from "./check_case.ts";

describeGpu("kernels on the GPU within limits", () => {
  const gpu = useGpu();

  describe.each(["maxComputeWorkgroupSizeX", "maxComputeInvocationsPerWorkgroup"] as const)("%s", (limit) => {
    test.each([16, 50, 128])("%i", async (most) => {
      const limits = { [limit]: most };
      const problem = (each: OpCase, tighter = {}) =>
        problemOf(each, channelPlacement, false, { ...gpu.limits, ...tighter });
      for (const algorithm of algorithms.filter((each) => runsOn(each, gpu.limits))) {
        const accepted = (tighter: Partial<PlanLimits>) =>
          casesOf([algorithm.op], ["awkward"]).filter((each) => candidates(problem(each, tighter)).includes(algorithm));
        // Of the cases that it accepts, the one nearest to some hundred threads.
        const [small] = accepted(limits).sort((a, b) => Math.abs(a.bytes - 4000) - Math.abs(b.bytes - 4000));
        if (small) {
          const placements = [channelPlacement];
          expect(await checkCase(gpu, small, { limits, placements, only: algorithm.name })).toEqual([algorithm.name]);
          for (const { values } of algorithm.launch(problem(small, limits))) {
            expect(values.workgroupSize).toBeLessThanOrEqual(most);
          }
        } else {
          // What has workgroups of one size is no candidate where they are too large.
          const sizes = algorithm.launch(problem(accepted({})[0])).map(({ values }) => values.workgroupSize);
          expect(Math.max(...sizes), algorithm.name).toBeGreaterThan(most);
        }
      }
    });
  });

  test("a device with no more workgroup memory than every WebGPU device has compiles what it is a candidate for", async () => {
    const { maxComputeWorkgroupStorageSize } = defaultLimits;
    const adapter = await openAdapter();
    const device = await adapter.requestDevice({
      requiredLimits: { maxComputeWorkgroupStorageSize, maxComputeInvocationsPerWorkgroup: 256 },
      requiredFeatures: [...gpu.device.features].filter((feature) => feature === "subgroups") as GPUFeatureName[],
    });
    try {
      const pipelines = new PipelineCache(device, kernelsOnDisk);
      const limits = { ...limitsOf(device), maxComputeWorkgroupStorageSize };
      const compiled = new Set<string>();
      for (const each of casesOf([...new Set(algorithms.map(({ op }) => op))], ["awkward"])) {
        const problem = problemOf(each, channelPlacement, false, limits);
        for (const algorithm of candidates(problem).filter(({ name }) => !compiled.has(name))) {
          compiled.add(algorithm.name);
          for (const launch of algorithm.launch(problem)) {
            await pipelines.get({ kernel: launch.kernel.name, ...sortValues(launch) });
          }
        }
      }
      expect(compiled).toContain("conv_gemm_32x32");
      expect(compiled).not.toContain("conv_gemm_128x64");
    } finally {
      device.destroy();
      // What Dawn needs of it must last as long as the device.
      expect(adapter.limits.maxComputeWorkgroupStorageSize).toBeGreaterThanOrEqual(maxComputeWorkgroupStorageSize);
    }
  });

  test("a fully connected layer whose weights no buffer holds is computed in parts", async () => {
    const cases = casesOf(["fully_connected"], ["awkward"]).filter(({ shaped }) => {
      const [out, inFeatures] = shaped.parameters[0].shape;
      return out >= 3 && inFeatures > 1;
    });
    for (const each of cases) {
      const [out, inFeatures] = each.shaped.parameters[0].shape;
      for (const rows of [Math.ceil(out / 2), Math.ceil(out / 3)]) {
        const limits = { maxStorageBufferBindingSize: rows * inFeatures * 4 + 3 };
        const problem = problemOf(each, oddPlacement, true, { ...gpu.limits, ...limits });
        const launches = candidates(problem)[0].launch(problem);
        expect(launches.length).toBe(Math.ceil(out / rows));
        expect(launches.reduce((sum, { macs }) => sum + macs!, 0)).toBe(each.macs);
        await checkCase(gpu, each, { limits, relu: true, placements: [oddPlacement] });
      }
    }
    expect(cases.length).toBeGreaterThan(3);
  });

  describe("more than 65,535 workgroups where a dimension takes no more", () => {
    const limits = { maxComputeWorkgroupsPerDimension: 65_535 };
    const wentPast = new Set<string>();
    // A driver on two cores takes a quarter of a minute for two million workgroups.
    const cases = casesOf([...new Set(algorithms.map(({ op }) => op))], ["huge"]).filter(
      (each) => each.op.type !== "softmax" || each.op.axis !== 0,
    );

    test.each(cases.map((each, turn) => [each.name, each, turn] as const))("%s", async (_, each, turn) => {
      await checkCase(gpu, each, { limits, placements: [oddPlacement], turn });
      const problem = problemOf(each, oddPlacement, false, { ...gpu.limits, ...limits });
      for (const algorithm of candidates(problem)) {
        const counts = algorithm.launch(problem).map(({ workgroups: [x, y, z] }) => x * y * z);
        if (Math.max(...counts) > limits.maxComputeWorkgroupsPerDimension) wentPast.add(algorithm.name);
      }
    });

    test("so many there were, where a thread or workgroup makes one output", () => {
      for (const name of ["relu", "pool_max", "pool_global_avg", "softmax"]) expect(wentPast).toContain(name);
    });
  });
});
