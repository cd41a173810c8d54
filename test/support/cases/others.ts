/** Awkward shapes for the ops that slide no window, and huge ones for every op. */

import type { Op } from "../../../src/graph/ops.ts";
import { squareWindow } from "../../../src/graph/ops/window.ts";
import type { Shape } from "../../../src/graph/tensor.ts";
import { type OpCase, opCase } from "./op_case.ts";

function globalAverage(input: Shape): OpCase {
  return opCase({ type: "pool_global_avg" }, [input]);
}

export const poolGlobalAvgCases: readonly OpCase[] = [
  globalAverage([1, 1, 1, 1]),
  globalAverage([3, 5, 1, 1]),
  globalAverage([2, 7, 5, 9]),
  globalAverage([1, 3, 1, 300]),
  globalAverage([1, 2, 37, 41]),
  globalAverage([5, 33, 7, 6]),
  globalAverage([64, 3, 3, 2]),
];

function lrn(input: Shape, size: number, { alpha = 1e-4, beta = 0.75, k = 1 } = {}): OpCase {
  return opCase({ type: "lrn", size, alpha, beta, k }, [input]);
}

export const lrnCases: readonly OpCase[] = [
  // Every size around seven channels, even ones too, up to windows that reach past both ends.
  ...[1, 2, 3, 4, 5, 6, 7, 8, 9].map((size) => lrn([1, 7, 3, 5], size)),
  lrn([1, 1, 1, 1], 1),
  lrn([1, 1, 4, 3], 5),
  lrn([2, 2, 1, 1], 3, { beta: 0.5 }),
  lrn([1, 3, 5, 5], 5, { beta: 0.5 }),
  lrn([1, 3, 5, 5], 5, { beta: 1 }),
  lrn([1, 6, 4, 7], 3, { k: 2, alpha: 1e-3 }),
  lrn([1, 6, 4, 7], 4, { k: 0.5, beta: 1, alpha: 5e-2 }),
  lrn([3, 13, 2, 301], 5),
  lrn([1, 131, 3, 3], 31, { alpha: 2e-4, k: 2 }),
  lrn([5, 5, 7, 3], 5),
  // Windows larger than registers hold, one of them far larger than there are channels.
  lrn([1, 131, 3, 2], 64),
  lrn([2, 5, 3, 2], 1_000_001, { alpha: 5 }),
  lrn([64, 3, 2, 2], 3),
];

/** Within a channel: windows that reach past two borders, past all, and even ones. */
export const lrnWithinCases: readonly OpCase[] = (
  [
    [[1, 1, 1, 1], 1],
    [[1, 1, 1, 1], 5],
    [[2, 3, 5, 7], 3],
    [[1, 2, 13, 4], 5],
    [[3, 1, 6, 6], 4],
    [[2, 2, 1, 9], 3],
  ] satisfies [Shape, number][]
).map(([input, size]) => opCase({ type: "lrn", region: "within", size, alpha: 5e-3, beta: 0.75, k: 1 }, [input]));

function concat(axis: number, ...inputs: readonly Shape[]): OpCase {
  return opCase({ type: "concat", axis }, inputs);
}

export const concatCases: readonly OpCase[] = [
  concat(0, [3], [1], [5]),
  concat(-1, [300], [7]),
  concat(0, [2, 3], [1, 3]),
  concat(1, [5, 3], [5, 4], [5, 1]),
  concat(0, [1, 3, 4], [2, 3, 4]),
  concat(1, [2, 3, 5], [2, 1, 5]),
  concat(2, [2, 3, 1], [2, 3, 6]),
  concat(0, [1, 3, 2, 5], [2, 3, 2, 5], [3, 3, 2, 5]),
  concat(1, [2, 3, 5, 7], [2, 1, 5, 7], [2, 6, 5, 7], [2, 5, 5, 7]),
  concat(1, [1, 4, 3, 3]),
  concat(1, [64, 1, 1, 3], [64, 2, 1, 3]),
  concat(2, [3, 2, 1, 4], [3, 2, 5, 4]),
  concat(3, [1, 2, 3, 301], [1, 2, 3, 2]),
  concat(-3, [5, 2, 3, 3], [5, 3, 3, 3]),
  // More inputs than a device binds buffers in one stage by default.
  concat(1, ...Array.from({ length: 11 }, (_, index): Shape => [1, 1 + (index % 3), 3, 2])),
];

function softmax(input: Shape, axis: number, magnitude = 8, { log = false, trailing = false } = {}): OpCase {
  return opCase({ type: "softmax", axis, log, trailing }, [input], { magnitude });
}

export const softmaxCases: readonly OpCase[] = [
  softmax([1], 0),
  softmax([7], 0),
  softmax([1, 1], 1),
  softmax([3, 5], 0),
  softmax([3, 5], -1),
  softmax([2, 255], 1),
  softmax([2, 256], 1),
  softmax([2, 257], 1),
  softmax([5, 1001], 1),
  softmax([64, 10], 1),
  softmax([2, 1000], 1, 1e4),
  softmax([1, 1000], 1, 1e-3),
  softmax([1, 70], 1, 100),
  softmax([2, 3, 4], 0),
  softmax([2, 3, 4], 1),
  softmax([2, 3, 4], 2, 1e4),
  softmax([2, 5, 3, 7], 0),
  softmax([2, 5, 3, 7], 1),
  softmax([2, 5, 3, 7], 2),
  softmax([2, 5, 3, 7], -1),
  softmax([1, 21, 9, 33], 1, 1e4),
  // All axes from one on as one row; logarithms.
  ...[0, 1, 2, -1].map((axis) => softmax([2, 5, 3, 7], axis, 8, { trailing: true })),
  softmax([7], 0, 8, { trailing: true }),
  softmax([2, 5, 3, 7], 1, 8, { log: true }),
  softmax([3, 300], -1, 100, { log: true }),
  softmax([2, 5, 3], 1, 8, { log: true, trailing: true }),
];

function fullyConnected(input: Shape, outFeatures: number, bias = true): OpCase {
  return opCase({ type: "fully_connected", outFeatures, bias }, [input]);
}

export const fullyConnectedCases: readonly OpCase[] = [
  fullyConnected([1, 1], 1),
  fullyConnected([1, 5], 3),
  fullyConnected([2, 7], 5, false),
  fullyConnected([3, 7, 1, 1], 9),
  fullyConnected([2, 3, 5, 7], 11),
  fullyConnected([5, 4, 3], 6),
  fullyConnected([1, 1023], 1001),
  fullyConnected([1, 257], 1),
  fullyConnected([1, 1], 300),
  fullyConnected([8, 64], 64),
  fullyConnected([64, 33], 17),
];

const elementwise: readonly Op[] = [{ type: "relu" }, { type: "dropout", ratio: 0.5 }];

export const elementwiseCases: readonly OpCase[] = elementwise.flatMap((op) =>
  ([[1], [3], [257], [2, 5], [1, 3, 5, 7], [5, 2, 3, 3], [64, 3, 2, 1]] satisfies Shape[]).map((shape) =>
    opCase(op, [shape]),
  ),
);

/** More outputs than 65,535 workgroups of 64 hold: 4,194,240. Copies and sums of a few, so that a CPU checks them. */
export const hugeCases: readonly OpCase[] = (
  [
    [{ type: "relu" }, [[1, 3, 1031, 1361]]],
    [{ type: "conv", ...squareWindow(1), outChannels: 2, groups: 1, bias: true }, [[1, 1, 1451, 1451]]],
    [{ type: "conv", ...squareWindow(3, 1, 1), outChannels: 1, groups: 1, bias: true }, [[1, 1, 2053, 2049]]],
    [{ type: "conv", ...squareWindow(1), outChannels: 70_001, groups: 1, bias: true }, [[1, 2, 3, 1]]],
    [{ type: "pool_max", ...squareWindow(2), rounding: "ceil" }, [[1, 1, 2053, 2055]]],
    [{ type: "pool_avg", ...squareWindow(2), rounding: "ceil", countPadding: true }, [[1, 70_001, 2, 3]]],
    [{ type: "pool_global_avg" }, [[3, 70_001, 1, 2]]],
    [{ type: "lrn", size: 3, alpha: 1e-4, beta: 0.75, k: 1 }, [[1, 2, 1, 2_100_001]]],
    [
      { type: "concat", axis: 1 },
      [
        [2, 1_050_001],
        [2, 1_050_003],
      ],
    ],
    [{ type: "softmax", axis: 1 }, [[70_001, 3]]],
    [{ type: "softmax", axis: 0 }, [[2, 2_100_001]]],
    [{ type: "fully_connected", outFeatures: 70_001, bias: true }, [[1, 3]]],
  ] satisfies [Op, Shape[]][]
).map(([op, inputShapes]) => opCase(op, inputShapes, { group: "huge" }));
