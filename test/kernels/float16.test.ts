/** Every algorithm in float16 on a few of the table's cases; all of them are in candidates.long.test.ts. */

import { expect, test } from "vitest";
import { takesRelu } from "../../src/plan/fuse.ts";
import { algorithms } from "../../src/plan/registry.ts";
import { cases } from "../support/cases.ts";
import { describeGpu, useGpu } from "../support/gpu.ts";
import { channelPlacement, oddPlacement, problemOf } from "../support/run_kernel.ts";
import { checkCase, runsOn } from "./check_case.ts";

/** Cases of each algorithm, spread over the small ones that it accepts. */
const few = 3;

describeGpu("kernels on the GPU against the reference, in float16", () => {
  const gpu = useGpu();

  test.each(algorithms)("$name", async (algorithm) => {
    const { name, op } = algorithm;
    const accepted = cases.filter(
      (each) =>
        each.op.type === op &&
        each.group === "awkward" &&
        each.macs < 1e6 &&
        algorithm.accepts(problemOf(each, channelPlacement, false, gpu.limits, "f16")),
    );
    expect(accepted.length > 0).toBe(runsOn(algorithm, gpu.limits));
    const count = Math.min(few, accepted.length);
    for (let turn = 0; turn < count; turn++) {
      const each = accepted[Math.floor(((turn + Math.random()) * accepted.length) / count)];
      const relu = takesRelu.has(op) && turn % 2 === 0;
      // What one lays out in fours may be no case for odd offsets.
      const placements = turn < count / 2 ? [channelPlacement] : [oddPlacement, channelPlacement];
      expect(await checkCase(gpu, each, { precision: "f16", only: name, relu, placements })).toEqual([name]);
    }
  });
});
