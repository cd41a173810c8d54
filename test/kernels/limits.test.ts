/** Kernels at the edge of what devices allow: small workgroups, and more workgroups than fit in one dimension. */

import { describe, expect, test } from "vitest";
import { algorithms, candidates } from "../../src/plan/registry.ts";
import { casesOf } from "../support/cases.ts";
import { describeGpu, useGpu } from "../support/gpu.ts";
import { channelPlacement, oddPlacement, problemOf } from "../support/run_kernel.ts";
import { checkCase, runsOn } from "./check_case.ts";

describeGpu("kernels on the GPU within limits", () => {
  const gpu = useGpu();

  describe.each(["maxComputeWorkgroupSizeX", "maxComputeInvocationsPerWorkgroup"] as const)("%s", (limit) => {
    test.each([16, 50, 128])("%i", async (most) => {
      const limits = { [limit]: most };
      for (const algorithm of algorithms.filter((each) => runsOn(each, gpu.limits))) {
        // Of the cases that it accepts, the one nearest to some hundred threads.
        const [small] = casesOf([algorithm.op], ["awkward"])
          .filter((each) => candidates(problemOf(each, channelPlacement, false, gpu.limits)).includes(algorithm))
          .sort((a, b) => Math.abs(a.bytes - 4000) - Math.abs(b.bytes - 4000));
        const placements = [channelPlacement];
        expect(await checkCase(gpu, small, { limits, placements, only: algorithm.name })).toEqual([algorithm.name]);
        const problem = problemOf(small, channelPlacement, false, { ...gpu.limits, ...limits });
        for (const { values } of algorithm.launch(problem)) expect(values.workgroupSize).toBeLessThanOrEqual(most);
      }
    });
  });

  describe("more than 65,535 workgroups where a dimension takes no more", () => {
    const limits = { maxComputeWorkgroupsPerDimension: 65_535 };
    const wentPast = new Set<string>();
    // A driver on two cores takes a quarter of a minute for two million workgroups.
    const cases = casesOf([...new Set(algorithms.map(({ op }) => op))], ["huge"]).filter(
      (each) => each.op.type !== "softmax" || each.op.axis !== 0,
    );

    test.each(cases.map((each) => [each.name, each] as const))("%s", async (_, each) => {
      await checkCase(gpu, each, { limits, placements: [oddPlacement] });
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
