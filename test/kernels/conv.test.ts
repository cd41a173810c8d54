/** Every kernel that computes convolutions, on every convolution of the table. */

import { describe, expect, test } from "vitest";
import type { PoolMax } from "../../src/graph/ops.ts";
import type { Pair } from "../../src/graph/ops/window.ts";
import { algorithms } from "../../src/plan/registry.ts";
import { casesOf } from "../support/cases.ts";
import { describeGpu, useGpu } from "../support/gpu.ts";
import { twoPlaces } from "../support/run_kernel.ts";
import { algorithmsOf, checkCase, runsOn } from "./check_case.ts";

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
      const able = algorithms.filter((each) => each.fuses?.includes("rest") && runsOn(each, gpu.limits));
      expect([...wrote].sort()).toEqual(able.map(({ name }) => name).sort());
    });
  });

  describe("of what a max pooling leaves", () => {
    const pool = (kernel: Pair, [top, left]: Pair): PoolMax => {
      const pad = { top, left, bottom: kernel[0] - 1 - top, right: kernel[1] - 1 - left };
      return { type: "pool_max", kernel, stride: [1, 1], dilation: [1, 1], pad, rounding: "ceil" };
    };
    const pools = [pool([3, 3], [1, 1]), pool([2, 5], [0, 3]), pool([4, 1], [2, 0])];
    const pooled = new Set<string>();
    const pointwise = casesOf(["conv"]).filter(
      ({ op, macs }) => op.type === "conv" && op.groups === 1 && op.kernel.join() === "1,1" && macs < 3e6,
    );

    test.each(pointwise.map((each, turn) => [each.name, each, turn] as const))("%s", async (_, each, turn) => {
      for (const name of await checkCase(gpu, each, { pool: pools[turn % 3] })) pooled.add(name);
    });

    test("by every algorithm that can", () => {
      const able = algorithms.filter(({ fuses }) => fuses?.includes("pool"));
      expect([...pooled].sort()).toEqual(able.map(({ name }) => name).sort());
    });
  });

  test("every kernel ran", () => {
    expect([...ran].sort()).toEqual(algorithmsOf("conv", gpu.limits));
  });
});
