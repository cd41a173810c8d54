import { describe, expect, test } from "vitest";
import { poolAvg } from "../../src/cpu/pool_avg.ts";
import { inferOp, type PoolAvg } from "../../src/graph/ops.ts";
import { squareWindow, type Window } from "../../src/graph/ops/window.ts";
import type { Tensor } from "../../src/graph/tensor.ts";
import { tensor } from "../support/tensor.ts";

const fourByFour = tensor([1, 1, 4, 4], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);

function average(input: Tensor, window: Window, options: Partial<PoolAvg> = {}): Tensor {
  const op: PoolAvg = { type: "pool_avg", ...window, rounding: "ceil", countPadding: true, ...options };
  return poolAvg(op, input, inferOp("pool", op, [input.shape]).output);
}

describe("average pooling", () => {
  test("padding counts in Caffe's divisor", () => {
    // each corner window holds one pixel and three of padding, each edge window two and two
    expect([...average(fourByFour, squareWindow(2, 2, 1)).data]).toEqual([
      1 / 4,
      5 / 4,
      4 / 4,
      14 / 4,
      34 / 4,
      20 / 4,
      13 / 4,
      29 / 4,
      16 / 4,
    ]);
  });

  test("but not what lies beyond the padding", () => {
    // windows of three at −1, 1 and 3; one at 5 would start behind the padding
    const input = tensor([1, 1, 1, 4], [3, 6, 9, 12]);
    const window: Window = {
      kernel: [1, 3],
      stride: [1, 2],
      dilation: [1, 1],
      pad: { top: 0, left: 1, bottom: 0, right: 1 },
    };
    // (0 + 3 + 6) / 3, (6 + 9 + 12) / 3, and at 3: pixel 12 and one of padding, the third beyond it
    expect([...average(input, window).data]).toEqual([3, 9, 6]);
  });

  test("not counted, only pixels make the divisor", () => {
    const input = tensor([1, 1, 1, 4], [3, 6, 9, 12]);
    const window: Window = {
      kernel: [1, 3],
      stride: [1, 2],
      dilation: [1, 1],
      pad: { top: 0, left: 1, bottom: 0, right: 1 },
    };
    expect([...average(input, window, { countPadding: false }).data]).toEqual([4.5, 9, 12]);
    expect([...average(input, window, { countPadding: false, rounding: "floor" }).data]).toEqual([4.5, 9]);
  });

  test("rounded up without padding, the last window's divisor is what is on the map", () => {
    expect([...average(fourByFour, squareWindow(3, 2)).data]).toEqual([6, 7.5, 12, 13.5]);
  });

  test("a dilated window with a pad beyond its kernel", () => {
    const input = tensor([1, 1, 1, 2], [5, 7]);
    const window: Window = {
      kernel: [1, 2],
      stride: [1, 1],
      dilation: [1, 3],
      pad: { top: 0, left: 2, bottom: 0, right: 2 },
    };
    // taps at (−2, 1), (−1, 2), (0, 3), of which all are on the map or its padding
    expect([...average(input, window).data]).toEqual([3.5, 0, 2.5]);
    expect([...average(input, window, { countPadding: false }).data]).toEqual([7, 0, 5]);
  });
});
