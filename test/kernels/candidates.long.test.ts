/** Every algorithm on every case of the table that it accepts, in float32 and in float16: none waits for its turn. */

import { describe, expect, test } from "vitest";
import { takesRelu } from "../../src/plan/fuse.ts";
import { PRECISIONS } from "../../src/plan/precision.ts";
import { algorithms } from "../../src/plan/registry.ts";
import { casesOf } from "../support/cases.ts";
import { describeGpu, useGpu } from "../support/gpu.ts";
import { algorithmsOf, checkCase } from "./check_case.ts";

describeGpu("all candidates on the GPU against the reference", () => {
  const gpu = useGpu();
  const ops = [...new Set(algorithms.map(({ op }) => op))];

  describe.each(PRECISIONS.flatMap((precision) => ops.map((op) => [op, precision] as const)))(
    "%s, %s",
    (op, precision) => {
      const ran = new Set<string>();
      const cases = casesOf([op]).map((each, index) => {
        const relu = takesRelu.has(op) && (each.group === "network" || index % 2 === 0);
        return [`${each.name}${relu ? " + relu" : ""}`, each, relu] as const;
      });

      test.each(cases)("%s", async (_, each, relu) => {
        for (const name of await checkCase(gpu, each, { precision, relu })) ran.add(name);
      });

      test("every kernel ran", () => {
        expect([...ran].sort()).toEqual(algorithmsOf(op, gpu.limits));
      });
    },
  );
});
