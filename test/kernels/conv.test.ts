/** Every kernel that computes convolutions, on every convolution of the table. */

import { expect, test } from "vitest";
import { casesOf } from "../support/cases.ts";
import { describeGpu, useGpu } from "../support/gpu.ts";
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

  test("every kernel ran", () => {
    expect([...ran].sort()).toEqual(algorithmsOf("conv", gpu.limits));
  });
});
