import { describe, expect, test } from "vitest";
import { poolMax } from "../../src/cpu/pool_max.ts";
import { inferOp, type PoolMax } from "../../src/graph/ops.ts";
import { squareWindow, type Window } from "../../src/graph/ops/window.ts";
import type { Tensor } from "../../src/graph/tensor.ts";
import { tensor } from "../support/tensor.ts";

const fourByFour = tensor([1, 1, 4, 4], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);

function max(input: Tensor, window: Window, rounding: PoolMax["rounding"] = "ceil"): Tensor {
  const op: PoolMax = { type: "pool_max", ...window, rounding };
  return poolMax(op, input, inferOp("pool", op, [input.shape]).output);
}

describe("max pooling", () => {
  test("rounded up, the last window is cut off at the map's edge", () => {
    expect(max(fourByFour, squareWindow(3, 2))).toEqual(tensor([1, 1, 2, 2], [11, 12, 15, 16]));
  });

  test("rounded down, there is no such window", () => {
    expect(max(fourByFour, squareWindow(3, 2), "floor")).toEqual(tensor([1, 1, 1, 1], [11]));
  });

  test("padding never wins over negative values", () => {
    const input = tensor([1, 1, 2, 2], [-4, -3, -2, -1]);
    expect(max(input, squareWindow(2, 1, 1))).toEqual(tensor([1, 1, 3, 3], [-4, -3, -3, -2, -1, -1, -2, -1, -1]));
  });

  test("a NaN under the window is not passed over", () => {
    const input = tensor([1, 1, 1, 4], [1, NaN, 2, 3]);
    expect([...max(input, { ...squareWindow(1), kernel: [1, 2] }).data]).toEqual([NaN, NaN, 3]);
  });

  test("a dilated window with a pad beyond its kernel takes the pixels it meets, or the lowest float32", () => {
    const input = tensor([1, 1, 1, 2], [5, 7]);
    const window: Window = {
      kernel: [1, 2],
      stride: [1, 1],
      dilation: [1, 3],
      pad: { top: 0, left: 2, bottom: 0, right: 2 },
    };
    // taps at (−2, 1), (−1, 2), (0, 3): only the first and the last meet the map
    expect([...max(input, window).data]).toEqual([7, -3.4028234663852886e38, 5]);
  });
});
