/** Every kernel that computes convolutions, on every convolution of the table. */

import { describe, expect, test } from "vitest";
import { algorithms } from "../../src/plan/registry.ts";
import { casesOf } from "../support/cases.ts";
import { describeGpu, useGpu } from "../support/gpu.ts";
import { twoPlaces } from "../support/run_kernel.ts";
import { checkCase, algorithmsOf } from "./check_case.ts";

describeGpu("convolution kernels on the GPU against the reference", () => {
  const gpu = useGpu();
  const ran = new Set<string>();

  // The network runs its convolutions with the ReLU fused; of the awkward ones every second does: a kernel with it is
  // another pipeline, and drivers take longer to compile one than to run it.
  const cases = casesOf(["conv"], ["awkward", "network"]).map((each, index) => {
    const relu = each.group === "network" || index % 2 === 0;
    const turn = each.group === "network" ? index : undefined;
    return [`${each.name}${relu ? " + relu" : ""}`, each, { relu, turn }] as const;
  });

  test.each(cases)("%s", async (_, each, options) => {
    for (const kernel of await checkCase(gpu, each, options)) ran.add(kernel);
  });

  describe("written to two places", () => {
    const wrote = new Set<string>();
    const divisible = casesOf(["conv"]).filter(
      ({ op, outputShape, macs }) => op.type === "conv" && op.groups === 1 && outputShape[1] > 1 && macs < 3e6,
    );

    test.each(divisible.map((each, turn) => [each.name, each, turn] as const))("%s", async (_, each, turn) => {
      for (const name of await checkCase(gpu, each, { placements: [twoPlaces], turn })) wrote.add(name);
    });

    test("by every algorithm that can", () => {
      const able = algorithms.filter(({ writesRest }) => writesRest);
      expect([...wrote].sort()).toEqual(able.map(({ name }) => name).sort());
    });
  });

  test("every kernel ran", () => {
    expect([...ran].sort()).toEqual(algorithmsOf("conv", gpu.limits));
  });
});
