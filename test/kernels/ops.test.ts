/** Every kernel but those of convolutions, on every case of the table; and what not-a-numbers come to. */

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Op, PoolMax } from "../../src/graph/ops.ts";
import { squareWindow } from "../../src/graph/ops/window.ts";
import type { Shape, Tensor } from "../../src/graph/tensor.ts";
import { takesRelu } from "../../src/plan/fuse.ts";
import { algorithms, candidates } from "../../src/plan/registry.ts";
import { casesOf, drawCase, opCase } from "../support/cases.ts";
import { randomCase } from "../support/cases/random.ts";
import "../support/close.ts";
import { describeGpu, useGpu } from "../support/gpu.ts";
import { freshSeed } from "../support/random.ts";
import { oddPlacement, problemOf, referenceOf, runKernel } from "../support/run_kernel.ts";
import { tensor } from "../support/tensor.ts";
import { algorithmsOf, checkCase, pooled } from "./check_case.ts";

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

  test("random arrays", async () => {
    await fc.assert(
      fc.asyncProperty(randomCase, async (each) => {
        await checkCase(gpu, each, { magnitude: 1 });
      }),
      { numRuns: 150 },
    );
  });

  describe("values that are no numbers, and those at the end of the range", () => {
    const odd = [NaN, Infinity, -Infinity, -0, 0, 3.4028234663852886e38, -3.4028234663852886e38, 1e-45, -1e-45];

    // Rows -1 and 2 of a map of two, and such columns: every tap lies beside it.
    const missing = { ...squareWindow(2, 1, 1), dilation: [3, 3] } as const;
    const cases: [name: string, op: Op, shape: Shape, relu: boolean, pool?: PoolMax][] = [
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
      [
        "pool_max + pointwise conv",
        { type: "conv", ...squareWindow(1), outChannels: 5, groups: 1, bias: true },
        [1, 2, 9, 8],
        false,
        { type: "pool_max", ...squareWindow(3, 1, 1), rounding: "ceil" },
      ],
      ["fully_connected + relu", { type: "fully_connected", outFeatures: 9, bias: true }, [3, 4], true],
      ["abs", { type: "unary", function: "abs" }, [3, 100], false],
      ["neg", { type: "unary", function: "neg" }, [3, 100], false],
      ["leaky ReLU", { type: "unary", function: "leaky_relu", slope: 0.5 }, [3, 100], false],
      ["clip", { type: "unary", function: "clip", min: -0.5, max: 1 }, [3, 100], false],
      ["the largest", { type: "reduce", function: "max", axes: [1], keepDims: true }, [70, 3], false],
      ["the smallest", { type: "reduce", function: "min", axes: [0], keepDims: true }, [100, 70], false],
      ["transpose", { type: "transpose", permutation: [1, 0] }, [9, 7], false],
    ];

    test.each(cases)("%s", async (_, op, shape, relu, pool) => {
      const each = opCase(op, [shape]);
      const seed = freshSeed();
      const { inputs, weights } = drawCase(each, seed);
      const { data } = inputs.get("input0")!;
      // One in seven values is odd: sums over many would be no numbers everywhere.
      const sums = op.type === "conv" || op.type === "fully_connected";
      const kinds = sums ? odd.slice(0, 1) : odd;
      for (let i = 0; i < data.length; i += 7) data[i] = kinds[(i / 7) % kinds.length];
      const expected = referenceOf(each, pooled(inputs, pool), weights, relu);
      const problem = { ...problemOf(each, oddPlacement, relu, gpu.limits), ...(pool && { pool }) };
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

/** The CPU's functions of what GPUs may get wrong at the ends of the range: where the result is certain, to the bit. */
describeGpu("functions at the ends of their range", () => {
  const gpu = useGpu();

  test.each<[name: string, op: Op, inputs: number[][]]>([
    ["sigmoid", { type: "unary", function: "sigmoid" }, [[-1000, -100, 0, 100, 1000, NaN]]],
    ["tanh", { type: "unary", function: "tanh" }, [[-1000, -20, 0, 20, 1000, NaN]]],
    ["exp", { type: "unary", function: "exp" }, [[-1000, 0, NaN]]],
    ["sqrt", { type: "unary", function: "sqrt" }, [[0, 1, 4, NaN]]],
    [
      "max",
      { type: "binary", function: "max" },
      [
        [NaN, 1, NaN, -2, 3],
        [1, NaN, NaN, 3, -2],
      ],
    ],
    [
      "min",
      { type: "binary", function: "min" },
      [
        [NaN, 1, NaN, -2, 3],
        [1, NaN, NaN, 3, -2],
      ],
    ],
    [
      "pow",
      { type: "binary", function: "pow" },
      [
        [-2, -2, -2, -2, 0, 0, 0, 5, -3, 9, 4, NaN, 1],
        [2, 3, -1, 0, 2, 0, 3, 0, 0.5, 0.5, -0.5, 2, 1],
      ],
    ],
  ])("%s", async (_, op, values) => {
    const each = opCase(
      op,
      values.map(({ length }) => [length]),
    );
    const inputs = new Map(values.map((data, index) => [`input${index}`, tensor([data.length], data)]));
    const expected = referenceOf(each, inputs, new Map(), false);
    const problem = problemOf(each, oddPlacement, false, gpu.limits);
    for (const algorithm of candidates(problem)) {
      const { output } = await runKernel(gpu, algorithm, problem, inputs, new Map());
      expect(output, algorithm.name).toBeAllclose(expected, { absolute: 1e-6 });
    }
  });
});

/** −0 is as good as 0, and GPUs may flush what is smaller than the smallest normal number. */
function withoutSigns({ shape, data }: Tensor): Tensor {
  return { shape, data: data.map((value) => (Math.abs(value) < 1.2e-38 ? 0 : value)) };
}
