/** Every kernel but those of convolutions, on every case of the table; and what not-a-numbers come to. */

import { describe, expect, test } from "vitest";
import type { Op } from "../../src/graph/ops.ts";
import { squareWindow } from "../../src/graph/ops/window.ts";
import type { Shape, Tensor } from "../../src/graph/tensor.ts";
import { takesRelu } from "../../src/plan/fuse.ts";
import { algorithms, candidates } from "../../src/plan/registry.ts";
import { casesOf, drawCase, opCase } from "../support/cases.ts";
import "../support/close.ts";
import { describeGpu, useGpu } from "../support/gpu.ts";
import { freshSeed } from "../support/random.ts";
import { oddPlacement, problemOf, referenceOf, runKernel } from "../support/run_kernel.ts";
import { checkCase, algorithmsOf } from "./check_case.ts";

/** Every op that has algorithms but convolution, which conv.test.ts looks at. */
const ops = [...new Set(algorithms.map(({ op }) => op))].filter((op) => op !== "conv");

describeGpu("kernels on the GPU against the reference", () => {
  const gpu = useGpu();

  describe.each(ops)("%s", (op) => {
    const ran = new Set<string>();
    const flavours = takesRelu.has(op) ? [false, true] : [false];
    const cases = casesOf([op], ["awkward", "network"]).flatMap((each) =>
      flavours.map((relu) => [`${each.name}${relu ? " + relu" : ""}`, each, relu] as const),
    );

    test.each(cases)("%s", async (_, each, relu) => {
      for (const kernel of await checkCase(gpu, each, { relu })) ran.add(kernel);
    });

    test("every kernel ran", () => {
      expect([...ran].sort()).toEqual(algorithmsOf(op, gpu.limits));
    });
  });

  describe("values that are no numbers, and those at the end of the range", () => {
    const odd = [NaN, Infinity, -Infinity, -0, 0, 3.4028234663852886e38, -3.4028234663852886e38, 1e-45, -1e-45];

    // Rows -1 and 2 of a map of two, and such columns: every tap lies beside it.
    const missing = { ...squareWindow(2, 1, 1), dilation: [3, 3] } as const;
    const cases: [name: string, op: Op, shape: Shape, relu: boolean][] = [
      ["relu", { type: "relu" }, [2, 3, 5, 7], false],
      ["pool_max", { type: "pool_max", ...squareWindow(3, 2, 1), rounding: "ceil" }, [2, 3, 14, 13], false],
      ["pool_max of one pixel", { type: "pool_max", ...squareWindow(1), rounding: "ceil" }, [1, 2, 9, 9], false],
      [
        "pool_max whose taps all miss the map",
        { type: "pool_max", ...missing, rounding: "floor" },
        [1, 3, 2, 2],
        false,
      ],
      [
        "pool_avg of such taps",
        { type: "pool_avg", ...missing, rounding: "floor", countPadding: false },
        [1, 3, 2, 2],
        false,
      ],
      [
        "pool_avg of padding",
        { type: "pool_avg", ...missing, rounding: "floor", countPadding: true },
        [1, 3, 2, 2],
        false,
      ],
      [
        "conv + relu",
        { type: "conv", ...squareWindow(3, 1, 1), outChannels: 5, groups: 1, bias: true },
        [1, 2, 8, 9],
        true,
      ],
      [
        "pointwise conv + relu",
        { type: "conv", ...squareWindow(1), outChannels: 5, groups: 1, bias: true },
        [1, 2, 8, 8],
        true,
      ],
      ["fully_connected + relu", { type: "fully_connected", outFeatures: 9, bias: true }, [3, 4], true],
    ];

    test.each(cases)("%s", async (_, op, shape, relu) => {
      const each = opCase(op, [shape]);
      const seed = freshSeed();
      const { inputs, weights } = drawCase(each, seed);
      const { data } = inputs.get("input0")!;
      // One in seven values is odd: sums over many would be no numbers everywhere.
      const sums = op.type === "conv" || op.type === "fully_connected";
      const kinds = sums ? odd.slice(0, 1) : odd;
      for (let i = 0; i < data.length; i += 7) data[i] = kinds[(i / 7) % kinds.length];
      const expected = referenceOf(each, inputs, weights, relu);
      const problem = problemOf(each, oddPlacement, relu, gpu.limits);
      // Winograd's transforms carry what is not finite all over a tile.
      for (const algorithm of candidates(problem).filter(({ name }) => !name.startsWith("conv_winograd"))) {
        const { output, strayWrites } = await runKernel(gpu, algorithm, problem, inputs, weights);
        expect(withoutSigns(output), `${algorithm.name}, GOOGLENET_TEST_SEED=${seed}`).toBeAllclose(
          withoutSigns(expected),
          {
            absolute: sums ? 1e-5 : 0,
          },
        );
        expect(strayWrites).toEqual([]);
      }
    });
  });
});

/** −0 is as good as 0, and GPUs may flush what is smaller than the smallest normal number. */
function withoutSigns({ shape, data }: Tensor): Tensor {
  return { shape, data: data.map((value) => (Math.abs(value) < 1.2e-38 ? 0 : value)) };
}
