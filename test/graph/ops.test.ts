/** The shape rules: what each op makes of its inputs' shapes, and what it refuses. */

import { describe, expect, test } from "vitest";
import { inferOp, type Op } from "../../src/graph/ops.ts";
import { lrnReach } from "../../src/graph/ops/lrn.ts";
import { squareWindow } from "../../src/graph/ops/window.ts";
import type { Shape } from "../../src/graph/tensor.ts";

const conv = { type: "conv", ...squareWindow(3, 2, 1), outChannels: 6, groups: 2, bias: true } as const;

const add = { type: "binary", function: "add" } as const;
const padded = { type: "pad", before: [0, 0], after: [0, 0], mode: "constant", value: 0 } as const;
const product = { type: "matmul", transposeA: false, transposeB: false } as const;

describe("output, parameters and multiply-accumulates", () => {
  test("of a grouped convolution", () => {
    expect(inferOp("conv", conv, [[2, 4, 8, 7]])).toEqual({
      output: [2, 6, 4, 4],
      parameters: [
        { role: "weight", shape: [6, 2, 3, 3] },
        { role: "bias", shape: [6] },
      ],
      macs: 2 * 6 * 4 * 4 * 2 * 9,
    });
    expect(inferOp("conv", { ...conv, bias: false }, [[2, 4, 8, 7]]).parameters).toHaveLength(1);
  });

  test("of a fully connected layer on a feature map", () => {
    expect(inferOp("fc", { type: "fully_connected", outFeatures: 5, bias: true }, [[3, 2, 4, 4]])).toEqual({
      output: [3, 5],
      parameters: [
        { role: "weight", shape: [5, 32] },
        { role: "bias", shape: [5] },
      ],
      macs: 3 * 5 * 32,
    });
  });

  test.each<[a: Shape, b: Shape, op: Op, output: Shape, macs: number]>([
    [[3, 5], [5, 7], product, [3, 7], 105],
    [[5, 3], [7, 5], { ...product, transposeA: true, transposeB: true }, [3, 7], 105],
    [[4, 1, 3, 5], [2, 5, 7], product, [4, 2, 3, 7], 8 * 105],
    [[5], [2, 5, 7], product, [2, 7], 70],
    [[2, 3, 5], [5], product, [2, 3], 30],
    [[5], [5], product, [], 5],
  ])("of a product of %j and %j", (a, b, op, output, macs) => {
    expect(inferOp("product", op, [a, b])).toEqual({ output, parameters: [], macs });
  });

  test("of a scale by two axes and of a constant, whose elements are parameters", () => {
    expect(inferOp("scale", { type: "scale", axis: -3, axes: 2, bias: true }, [[2, 3, 4, 5]])).toEqual({
      output: [2, 3, 4, 5],
      parameters: [
        { role: "weight", shape: [3, 4] },
        { role: "bias", shape: [3, 4] },
      ],
      macs: 0,
    });
    expect(inferOp("constant", { type: "constant", shape: [2, 3] }, [])).toEqual({
      output: [2, 3],
      parameters: [{ role: "weight", shape: [2, 3] }],
      macs: 0,
    });
  });

  test.each<[string, Op, Shape[], Shape]>([
    [
      "max pooling rounds up",
      { type: "pool_max", ...squareWindow(3, 2), rounding: "ceil" },
      [[1, 2, 8, 7]],
      [1, 2, 4, 3],
    ],
    ["or down", { type: "pool_max", ...squareWindow(3, 2), rounding: "floor" }, [[1, 2, 8, 7]], [1, 2, 3, 3]],
    [
      "average pooling",
      { type: "pool_avg", ...squareWindow(5, 3), rounding: "ceil", countPadding: true },
      [[1, 2, 14, 15]],
      [1, 2, 4, 5],
    ],
    ["global average pooling", { type: "pool_global_avg" }, [[2, 3, 8, 7]], [2, 3, 1, 1]],
    [
      "concat",
      { type: "concat", axis: -2 },
      [
        [2, 3, 4],
        [2, 5, 4],
        [2, 1, 4],
      ],
      [2, 9, 4],
    ],
    ["softmax", { type: "softmax", axis: -1 }, [[2, 3]], [2, 3]],
    ["LRN", { type: "lrn", size: 5, alpha: 1, beta: 1, k: 1 }, [[2, 3, 4, 5]], [2, 3, 4, 5]],
    ["dropout", { type: "dropout", ratio: 0.5 }, [[2, 3]], [2, 3]],
    ["identity", { type: "identity" }, [[]], []],
    ["a function of one element", { type: "unary", function: "exp" }, [[2, 3]], [2, 3]],
    [
      "a sum stretched both ways",
      add,
      [
        [2, 1, 4],
        [3, 1],
      ],
      [2, 3, 4],
    ],
    ["a sum with a scalar", add, [[], [3, 1]], [3, 1]],
    ["a mean", { type: "reduce", function: "mean", axes: [-1, 1], keepDims: true }, [[2, 3, 4]], [2, 1, 1]],
    ["a mean without the axes", { type: "reduce", function: "mean", axes: [-1, 0], keepDims: false }, [[2, 3, 4]], [3]],
    ["the largest of all", { type: "reduce", function: "max", axes: [0], keepDims: false }, [[2]], []],
    ["transpose", { type: "transpose", permutation: [2, 0, 1] }, [[2, 3, 4]], [4, 2, 3]],
    ["slice", { type: "slice", ranges: [{ axis: -1, start: -2, end: 99, step: 1 }] }, [[3, 5]], [3, 2]],
    ["slice backwards", { type: "slice", ranges: [{ axis: 0, start: 99, end: -99, step: -2 }] }, [[5, 2]], [3, 2]],
    ["slice up to the front", { type: "slice", ranges: [{ axis: 0, start: 3, end: 0, step: -1 }] }, [[5]], [3]],
    ["gather", { type: "gather", axis: -2, indices: [0, -1, 1, 0], indicesShape: [2, 2] }, [[3, 2, 5]], [3, 2, 2, 5]],
    ["gather of one index", { type: "gather", axis: 0, indices: [-3], indicesShape: [] }, [[3, 2]], [2]],
    ["pad", { ...padded, before: [1, 0], after: [2, -1] }, [[3, 4]], [6, 3]],
    ["reshape", { type: "reshape", form: "shape", shape: [0, -1, 2] }, [[3, 4, 5]], [3, 10, 2]],
    ["reshape to a scalar", { type: "reshape", form: "shape", shape: [] }, [[1, 1]], []],
    ["reshape of a scalar", { type: "reshape", form: "shape", shape: [-1] }, [[]], [1]],
    ["flatten", { type: "reshape", form: "flatten", axis: -2 }, [[2, 3, 4, 5]], [6, 20]],
    ["flatten from the front", { type: "reshape", form: "flatten", axis: 0 }, [[2, 3]], [1, 6]],
    ["flatten behind the last", { type: "reshape", form: "flatten", axis: 2 }, [[2, 3]], [6, 1]],
    ["squeeze", { type: "reshape", form: "squeeze", axes: [-1, 0] }, [[1, 3, 1]], [3]],
    ["unsqueeze", { type: "reshape", form: "unsqueeze", axes: [0, -2] }, [[2, 3]], [1, 2, 1, 3]],
  ])("%s", (_, op, inputs, output) => {
    expect(inferOp("layer", op, inputs)).toEqual({ output, parameters: [], macs: 0 });
  });
});

test.each([
  [1, 0, 0],
  [2, 0, 1],
  [3, 1, 1],
  [4, 1, 2],
  [5, 2, 2],
])("LRN of size %i reaches %i below and %i above", (size, below, above) => {
  expect(lrnReach(size)).toEqual({ below, above });
});

describe("refused", () => {
  test.each<[string, Op, Shape[], RegExp]>([
    [
      "groups that do not divide the input",
      { ...conv, groups: 3 },
      [[1, 4, 8, 8]],
      /3 groups do not divide 4 input and 6/,
    ],
    ["groups that do not divide the output", { ...conv, groups: 4 }, [[1, 4, 8, 8]], /4 groups do not divide/],
    ["no groups", { ...conv, groups: 0 }, [[1, 4, 8, 8]], /0 groups do not divide/],
    ["a convolution of no map", conv, [[1, 4]], /its input 1×4 is not N×C×H×W/],
    ["two inputs where one is due", { type: "relu" }, [[1], [1]], /it has 2 inputs instead of 1/],
    ["a concat of nothing", { type: "concat", axis: 0 }, [], /it has no inputs/],
    [
      "a concat of unlike shapes",
      { type: "concat", axis: 1 },
      [
        [1, 2, 3],
        [1, 2, 4],
      ],
      /1×2×3 and 1×2×4 cannot be joined/,
    ],
    [
      "a concat of unlike ranks",
      { type: "concat", axis: 1 },
      [
        [1, 2, 3],
        [1, 2],
      ],
      /cannot be joined along axis 1/,
    ],
    ["a concat beyond the rank", { type: "concat", axis: 2 }, [[1, 2]], /axis 2 is not among its input's 2/],
    ["a softmax before the front", { type: "softmax", axis: -3 }, [[1, 2]], /axis -3 is not among/],
    ["an LRN of size 0", { type: "lrn", size: 0, alpha: 1, beta: 1, k: 1 }, [[1, 1, 1, 1]], /its size 0 is not/],
    ["a sum of shapes that do not fit", add, [[2, 3], [4]], /2×3 and 4 do not fit each other/],
    ["a sum of one", add, [[2]], /it has 1 inputs instead of 2/],
    ["a sum scaled by no number", { ...add, scales: [1, NaN] }, [[2], [2]], /NaN is not a finite float32/],
    [
      "a clip without end",
      { type: "unary", function: "clip", min: 0, max: Infinity },
      [[2]],
      /Infinity is not a finite/,
    ],
    [
      "a scale of the batch",
      { type: "scale", axis: 0, axes: 1, bias: true },
      [[2, 3]],
      /no weights for 1 axes from axis 0/,
    ],
    [
      "a scale past the end",
      { type: "scale", axis: 1, axes: 2, bias: true },
      [[2, 3]],
      /no weights for 2 axes from axis 1/,
    ],
    [
      "a product that does not fit",
      product,
      [
        [2, 3],
        [2, 3],
      ],
      /2×3 and 2×3 cannot be multiplied/,
    ],
    ["a product of a scalar", product, [[], [3]], /scalar and 3 cannot be multiplied/],
    ["a vector transposed", { ...product, transposeB: true }, [[3], [3]], /3 and 3ᵀ cannot be multiplied/],
    [
      "products whose stacks do not fit",
      product,
      [
        [2, 3, 4],
        [3, 4, 5],
      ],
      /shapes 2 and 3 do not fit/,
    ],
    ["a mean of no axes", { type: "reduce", function: "mean", axes: [], keepDims: true }, [[2]], /it names no axes/],
    [
      "a mean of an axis twice",
      { type: "reduce", function: "mean", axes: [0, -1], keepDims: true },
      [[2]],
      /axes 0, -1 name one twice/,
    ],
    [
      "a transpose of too few axes",
      { type: "transpose", permutation: [0] },
      [[2, 3]],
      /0 is no order of its input's 2 axes/,
    ],
    ["a transpose of an axis twice", { type: "transpose", permutation: [0, 0] }, [[2, 3]], /0, 0 is no order/],
    [
      "a slice of nothing",
      { type: "slice", ranges: [{ axis: 0, start: 2, end: 2, step: 1 }] },
      [[3]],
      /its output would be 0/,
    ],
    [
      "a slice by steps of 0",
      { type: "slice", ranges: [{ axis: 0, start: 0, end: 2, step: 0 }] },
      [[3]],
      /0 to 2 by 0 is no range/,
    ],
    [
      "an index past the end",
      { type: "gather", axis: 0, indices: [3], indicesShape: [1] },
      [[3]],
      /index 3 is not among the 3/,
    ],
    [
      "an index before the front",
      { type: "gather", axis: 0, indices: [-4], indicesShape: [] },
      [[3]],
      /index -4 is not among/,
    ],
    [
      "indices of another shape",
      { type: "gather", axis: 0, indices: [0], indicesShape: [2] },
      [[3]],
      /1 indices are not of shape 2/,
    ],
    ["pads of another rank", padded, [[2]], /pads for 2 and 2 axes of its input's 1/],
    [
      "a pad that takes more than there is",
      { ...padded, before: [-3, 0] },
      [[2, 2]],
      /a pad of -3 \(constant\) does not fit an axis of 2/,
    ],
    ["a pad that leaves nothing", { ...padded, before: [-1, 0], after: [-1, 0] }, [[2, 2]], /its output would be 0×2/],
    ["an edge taken away", { ...padded, mode: "edge", after: [-1, 0] }, [[2, 2]], /a pad of -1 \(edge\)/],
    [
      "a mirror that shows more than there is",
      { ...padded, mode: "reflect", after: [2, 0] },
      [[2, 2]],
      /a pad of 2 \(reflect\)/,
    ],
    [
      "a reshape to other elements",
      { type: "reshape", form: "shape", shape: [5] },
      [[2, 3]],
      /2×3 cannot be reshaped to 5/,
    ],
    [
      "a reshape that does not divide",
      { type: "reshape", form: "shape", shape: [-1, 4] },
      [[2, 3]],
      /cannot be reshaped to -1×4/,
    ],
    [
      "a reshape with two free extents",
      { type: "reshape", form: "shape", shape: [-1, -1] },
      [[2, 3]],
      /cannot be reshaped to -1×-1/,
    ],
    [
      "a reshape by an extent that is not there",
      { type: "reshape", form: "shape", shape: [6, 1, 0] },
      [[2, 3]],
      /cannot be reshaped/,
    ],
    ["a squeeze of more than 1", { type: "reshape", form: "squeeze", axes: [0] }, [[2, 3]], /axis 0 of 2×3 is not 1/],
    [
      "an unsqueeze beyond",
      { type: "reshape", form: "unsqueeze", axes: [3] },
      [[2, 3]],
      /axis 3 is not among its input's 3/,
    ],
    ["a constant of something", { type: "constant", shape: [2] }, [[2]], /it has 1 inputs instead of none/],
    ["a constant of nothing", { type: "constant", shape: [2, 0] }, [], /its output would be 2×0/],
    [
      "a fully connected layer of no batch",
      { type: "fully_connected", outFeatures: 5, bias: true },
      [[7]],
      /is not N×features/,
    ],
  ])("%s", (_, op, inputs, message) => {
    expect(() => inferOp("layer", op, inputs)).toThrow(expect.objectContaining({ code: "graph" }));
    expect(() => inferOp("layer", op, inputs)).toThrow(message);
    expect(() => inferOp("layer", op, inputs)).toThrow(/^layer: /);
  });
});
