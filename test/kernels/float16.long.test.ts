/** Every algorithm in float16 on every case of the table that it accepts. */

import { describe, expect, test } from "vitest";
import { takesRelu } from "../../src/plan/fuse.ts";
import { algorithms } from "../../src/plan/registry.ts";
import { casesOf } from "../support/cases.ts";
import { describeGpu, useGpu } from "../support/gpu.ts";
import { algorithmsOf, checkCase } from "./check_case.ts";

describeGpu("kernels on the GPU against the reference, in float16", () => {
  const gpu = useGpu();

  describe.each([...new Set(algorithms.map(({ op }) => op))])("%s", (op) => {
    const ran = new Set<string>();
    const cases = casesOf([op]).map((each, index) => {
      const relu = takesRelu.has(op) && (each.group === "network" || index % 2 === 0);
      return [`${each.name}${relu ? " + relu" : ""}`, each, relu] as const;
    });

    test.each(cases)("%s", async (_, each, relu) => {
      for (const name of await checkCase(gpu, each, { precision: "f16", relu })) ran.add(name);
    });

    test("every kernel ran", () => {
      expect([...ran].sort()).toEqual(algorithmsOf(op, gpu.limits));
    });
  });
});
