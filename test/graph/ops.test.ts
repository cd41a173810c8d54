/** The shape rules: what each op makes of its inputs' shapes, and what it refuses. */

import { describe, expect, test } from "vitest";
import { inferOp, type Op } from "../../src/graph/ops.ts";
import { lrnReach } from "../../src/graph/ops/lrn.ts";
import { squareWindow } from "../../src/graph/ops/window.ts";
import type { Shape } from "../../src/graph/tensor.ts";

const conv = { type: "conv", ...squareWindow(3, 2, 1), outChannels: 6, groups: 2, bias: true } as const;

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
