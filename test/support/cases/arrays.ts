/** Awkward shapes for the ops that work on arrays of any rank. */

import type { SliceRange } from "../../../src/graph/ops/slice.ts";
import type { PlainFunction } from "../../../src/graph/ops/unary.ts";
import type { Binary, Op, Pad, Reduce, Unary } from "../../../src/graph/ops.ts";
import type { Shape } from "../../../src/graph/tensor.ts";
import { type OpCase, opCase } from "./op_case.ts";

const lowest = -3.4028234663852886e38;

function unary(op: Unary | PlainFunction, input: Shape, magnitude = 1): OpCase {
  return opCase(typeof op === "string" ? { type: "unary", function: op } : op, [input], { magnitude });
}

const plainFunctions: readonly PlainFunction[] = ["abs", "exp", "log", "neg", "sigmoid", "sqrt", "tanh"];

export const unaryCases: readonly OpCase[] = [
  ...plainFunctions.flatMap((name) => [unary(name, [5, 2, 3, 3]), unary(name, [2, 257], 8)]),
  unary("sigmoid", [300], 100),
  unary("tanh", [300], 100),
  unary("exp", []),
  unary({ type: "unary", function: "leaky_relu", slope: 0.01 }, [2, 3, 5]),
  unary({ type: "unary", function: "leaky_relu", slope: -2 }, [1, 3, 5, 7]),
  unary({ type: "unary", function: "clip", min: 0, max: 6 }, [1, 3, 5, 7], 10),
  unary({ type: "unary", function: "clip", min: -0.25, max: 0.5 }, [7]),
  unary({ type: "unary", function: "clip", min: lowest, max: 0.1 }, [2, 3, 1, 5, 2]),
  // The upper limit wins.
  unary({ type: "unary", function: "clip", min: 2, max: -1 }, [2, 5]),
];

function binary(name: Binary["function"], a: Shape, b: Shape, magnitude = 1): OpCase {
  return opCase({ type: "binary", function: name }, [a, b], { magnitude });
}

/** Every kind of stretching, up to rank 6. */
const pairs: readonly [Shape, Shape][] = [
  [[], []],
  [[3], []],
  [[1], [5]],
  [
    [2, 3, 5, 7],
    [2, 3, 5, 7],
  ],
  [
    [2, 3, 5, 7],
    [3, 1, 1],
  ],
  [
    [1, 3, 1, 7],
    [4, 1, 5, 1],
  ],
  [[300], [2, 3, 300]],
  [
    [2, 1, 3, 1, 2, 5],
    [1, 4, 3, 2, 1, 5],
  ],
];

export const binaryCases: readonly OpCase[] = [
  ...pairs.map(([a, b]) => binary("add", a, b)),
  ...(["sub", "mul", "div", "max", "min", "pow"] as const).flatMap((name) => [
    binary(name, [2, 3, 4], [2, 3, 4]),
    binary(name, [5, 1, 7], [1, 3, 1], 4),
  ]),
  opCase({ type: "binary", function: "add", scales: [0.5, -3] }, [
    [2, 3, 4],
    [3, 1],
  ]),
];

export const scaleCases: readonly OpCase[] = (
  [
    [[2, 3, 5, 7], 1, 1, true],
    [[2, 3, 5, 7], -1, 1, true],
    [[3, 5], 1, 1, false],
    [[1, 2, 3, 4, 2], 2, 2, true],
    [[64, 3, 2, 1], 1, 3, false],
    [[1, 1, 1, 1], 1, 1, false],
  ] satisfies [Shape, number, number, boolean][]
).map(([input, axis, axes, bias]) => opCase({ type: "scale", axis, axes, bias }, [input]));

function matmul(a: Shape, b: Shape, transposeA = false, transposeB = false): OpCase {
  return opCase({ type: "matmul", transposeA, transposeB }, [a, b]);
}

export const matmulCases: readonly OpCase[] = [
  matmul([1, 1], [1, 1]),
  matmul([3, 5], [5, 7]),
  matmul([5, 3], [5, 7], true),
  matmul([3, 5], [7, 5], false, true),
  matmul([2, 6, 4], [2, 9, 6], true, true),
  matmul([9], [9]),
  matmul([5], [5, 6]),
  matmul([5, 6], [6]),
  matmul([4], [2, 3, 4, 2]),
  matmul([2, 3, 4, 5], [5]),
  matmul([4, 17, 9], [9, 33]),
  matmul([3, 2], [4, 2, 5]),
  matmul([2, 1, 3, 4], [5, 4, 2]),
  matmul([3, 1, 2, 1, 2, 3], [1, 4, 1, 2, 3, 5]),
  matmul([64, 1, 12], [64, 12, 1]),
];

function reduce(name: Reduce["function"], input: Shape, axes: readonly number[], keepDims = true): OpCase {
  return opCase({ type: "reduce", function: name, axes, keepDims }, [input]);
}

export const reduceCases: readonly OpCase[] = [
  ...(["mean", "sum", "max", "min"] as const).flatMap((name) => [
    reduce(name, [2, 3, 5, 7], [2, 3]),
    reduce(name, [2, 3, 5, 7], [-3, 0], false),
    reduce(name, [3, 300], [1], false),
  ]),
  reduce("mean", [7], [0], false),
  reduce("mean", [1, 1, 1], [1]),
  reduce("max", [2, 3], [0, 1], false),
  reduce("sum", [2, 3, 2, 3, 2, 3], [0, 2, 4]),
  reduce("min", [2, 3, 2, 3, 2, 3], [5, 1, -3], false),
  reduce("max", [70, 3, 2], [0]),
];

export const transposeCases: readonly OpCase[] = (
  [
    [[7], [0]],
    [
      [3, 5],
      [1, 0],
    ],
    [
      [2, 3, 5, 7],
      [0, 2, 3, 1],
    ],
    [
      [2, 3, 5, 7],
      [0, 3, 1, 2],
    ],
    [
      [2, 3, 5, 7],
      [1, 0, 3, 2],
    ],
    [
      [2, 3, 1, 5],
      [0, 1, 2, 3],
    ],
    [
      [2, 2, 3, 5, 1],
      [0, 2, 1, 3, 4],
    ],
    [
      [2, 3, 2, 3, 2, 3],
      [5, 3, 1, 0, 2, 4],
    ],
  ] satisfies [Shape, number[]][]
).map(([input, permutation]) => opCase({ type: "transpose", permutation }, [input]));

function slice(input: Shape, ...ranges: [axis: number, start: number, end: number, step: number][]): OpCase {
  const named = ranges.map(([axis, start, end, step]): SliceRange => ({ axis, start, end, step }));
  return opCase({ type: "slice", ranges: named }, [input]);
}

const far = Number.MAX_SAFE_INTEGER;

export const sliceCases: readonly OpCase[] = [
  slice([10], [0, 2, 7, 1]),
  slice([10], [0, 8, 1, -3]),
  slice([10], [0, far, -far, -1]),
  slice([10], [-1, -3, far, 1]),
  slice([2, 3, 5, 7], [1, 1, 2, 1]),
  slice([2, 3, 5, 7], [2, 0, far, 2], [3, -1, -far, -2]),
  slice([4, 3, 5], [0, 1, 3, 1], [-1, -2, -1, 1]),
  slice([4, 3, 5], [0, 5, -6, -1]),
  slice([2, 3, 2, 3, 2, 3], [1, 2, 0, -1], [3, 0, 2, 1], [5, 1, 3, 1]),
  slice([3, 2]),
];

function gather(input: Shape, axis: number, indices: readonly number[], indicesShape = [indices.length]): OpCase {
  return opCase({ type: "gather", axis, indices, indicesShape }, [input]);
}

export const gatherCases: readonly OpCase[] = [
  gather([5], 0, [3], []),
  gather([5], 0, [4, -5, 2, 2, -1]),
  gather([3, 5], 0, [2, 0], [1, 2]),
  gather([3, 5, 2], 1, [4], []),
  gather([3, 5, 2], 1, [-1, 0, 3, 3], [2, 2]),
  gather([3, 5, 2], -1, [1, 0, 1]),
  gather([2, 3, 4, 5], 0, [1], []),
  gather([2, 3, 4, 5], 2, [0, 2, -1]),
  gather([2, 2, 2, 2, 2, 3], 5, [2, 1]),
];

function pad(input: Shape, before: number[], after: number[], mode: Pad["mode"] = "constant", value = 0): OpCase {
  return opCase({ type: "pad", before, after, mode, value }, [input]);
}

export const padCases: readonly OpCase[] = [
  pad([5], [2], [3], "constant", 1.5),
  pad([2, 3, 5, 7], [0, 0, 1, 2], [0, 0, 3, 0]),
  pad([2, 3, 4], [1, 0, 2], [2, 1, 0], "constant", -1),
  pad([2, 3, 5, 7], [0, -1, -2, 3], [0, 1, 1, -4], "constant", 9),
  pad([2, 3, 5, 7], [0, 0, 1, 2], [0, 0, 3, 8], "edge"),
  pad([3, 4], [2, 5], [1, 0], "edge"),
  pad([2, 3, 5, 7], [0, 0, 4, 2], [0, 0, 3, 6], "reflect"),
  pad([3, 4, 1], [2, 3, 0], [1, 0, 0], "reflect"),
  pad([1, 2, 1, 3, 2, 2], [0, 1, 0, 0, 1, 2], [1, 0, 1, 0, 0, 1]),
  pad([2, 3], [0, 0], [0, 0]),
];

export const viewCases: readonly OpCase[] = [
  opCase({ type: "identity" }, [[2, 3]]),
  opCase({ type: "reshape", form: "shape", shape: [0, -1, 7] }, [[2, 3, 5, 7]]),
  opCase({ type: "reshape", form: "shape", shape: [] }, [[1, 1]]),
  opCase({ type: "reshape", form: "flatten", axis: 2 }, [[2, 3, 5, 7]]),
  opCase({ type: "reshape", form: "flatten", axis: 0 }, [[2, 3]]),
  opCase({ type: "reshape", form: "flatten", axis: -1 }, [[2, 3, 5]]),
  opCase({ type: "reshape", form: "squeeze", axes: [-1, 1] }, [[2, 1, 5, 1]]),
  opCase({ type: "reshape", form: "unsqueeze", axes: [0, -1] }, [[2, 5]]),
];

export const constantCases: readonly OpCase[] = ([[], [300], [2, 3, 5]] satisfies Shape[]).map((shape) =>
  opCase({ type: "constant", shape }, []),
);

/** More outputs than 65,535 workgroups of 64 hold, or than so many workgroups with one each. */
export const hugeArrayCases: readonly OpCase[] = (
  [
    [{ type: "binary", function: "max" }, [[3, 1_400_003], [1_400_003]]],
    [{ type: "reduce", function: "max", axes: [1], keepDims: false }, [[70_001, 3]]],
  ] satisfies [Op, Shape[]][]
).map(([op, inputShapes]) => opCase(op, inputShapes, { group: "huge" }));
