/** Sliding windows against the window-by-window counting that the rules stand for. */

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { dilatedExtent, slideWindow, squareWindow, windowCount } from "../../src/graph/ops/window.ts";

interface Axis {
  readonly extent: number;
  readonly kernel: number;
  readonly stride: number;
  readonly padBefore: number;
  readonly padAfter: number;
  readonly dilation: number;
}

const axes: fc.Arbitrary<Axis> = fc
  .record({
    extent: fc.integer({ min: 1, max: 40 }),
    kernel: fc.integer({ min: 1, max: 11 }),
    stride: fc.integer({ min: 1, max: 13 }),
    dilation: fc.integer({ min: 1, max: 4 }),
    before: fc.nat(),
    after: fc.nat(),
  })
  .map(({ before, after, ...rest }) => {
    const reach = dilatedExtent(rest.kernel, rest.dilation);
    return { ...rest, padBefore: before % reach, padAfter: after % reach };
  });

/** Whether the window fits into map and padding at all; Caffe, rounding up, takes even one somewhat larger. */
function fits({ extent, kernel, dilation, padBefore, padAfter }: Axis): boolean {
  return extent + padBefore + padAfter >= dilatedExtent(kernel, dilation);
}

/**
 * Slides a window one stride at a time. Rounded down, while it lies within map and padding; rounded up, until one
 * reaches the end of map and padding, unless that one starts behind the map.
 */
function slide({ extent, kernel, stride, padBefore, padAfter, dilation }: Axis, rounding: "floor" | "ceil"): number {
  const reach = dilatedExtent(kernel, dilation);
  let count = 0;
  for (let start = -padBefore; ; start += stride) {
    const past = start + reach > extent + padAfter;
    if (rounding === "floor" ? past : start >= extent) return count;
    count++;
    if (start + reach >= extent + padAfter) return count;
  }
}

function count({ extent, kernel, stride, padBefore, padAfter, dilation }: Axis, rounding: "floor" | "ceil"): number {
  return windowCount(extent, kernel, stride, padBefore, padAfter, dilation, rounding);
}

describe("the number of windows", () => {
  test.each(["floor", "ceil"] as const)("is what sliding one by one counts (%s)", (rounding) => {
    fc.assert(
      fc.property(axes.filter(fits), (axis) => {
        expect(count(axis, rounding)).toBe(slide(axis, rounding));
      }),
      { numRuns: 2000 },
    );
  });

  test("rounded up, follows Caffe's pooling_layer.cpp wherever its last window meets the map", () => {
    const symmetric = axes.map((axis) => {
      const pad = axis.padBefore % axis.kernel;
      return { ...axis, padBefore: pad, padAfter: pad, dilation: 1 };
    });
    fc.assert(
      fc.property(symmetric, (axis) => {
        const { extent, kernel, stride, padBefore: pad } = axis;
        let pooled = Math.ceil((extent + 2 * pad - kernel) / stride) + 1;
        if (pad > 0 && (pooled - 1) * stride >= extent + pad) pooled--;
        const meetsMap = (pooled - 1) * stride - pad < extent;
        expect(count(axis, "ceil")).toBe(meetsMap ? pooled : pooled - 1);
        if (stride <= kernel) expect(meetsMap).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });

  test.each([
    // extent, kernel, stride, pad, floor, ceil
    [112, 3, 2, 0, 55, 56],
    [224, 7, 2, 3, 112, 113],
    [14, 3, 1, 1, 14, 14],
    [14, 5, 3, 0, 4, 4],
    [4, 2, 2, 1, 3, 3],
    [5, 2, 2, 1, 3, 3],
    [6, 2, 3, 1, 3, 3],
    [11, 2, 5, 0, 2, 3],
    [10, 1, 4, 0, 3, 3],
    [2, 3, 1, 0, 0, 0],
    [2, 3, 2, 0, 0, 1],
  ])("extent %i, window %i, stride %i, pad %i: %i down, %i up", (extent, kernel, stride, pad, down, up) => {
    expect(windowCount(extent, kernel, stride, pad, pad, 1, "floor")).toBe(down);
    expect(windowCount(extent, kernel, stride, pad, pad, 1, "ceil")).toBe(up);
  });
});

describe("what is refused", () => {
  test.each([
    ["kernel", { ...squareWindow(3), kernel: [0, 3] as const }, /its kernel 0×3 is not a pair of whole numbers/],
    ["stride", { ...squareWindow(3), stride: [1, 0] as const }, /its stride 1×0/],
    ["dilation", { ...squareWindow(3), dilation: [1.5, 1] as const }, /its dilation 1.5×1/],
    ["pad as wide as the window", squareWindow(3, 1, 3), /its pad 3, 3, 3, 3 is not from 0 to one less/],
    [
      "negative pad",
      { ...squareWindow(3), pad: { top: 0, left: -1, bottom: 0, right: 0 } },
      /its pad 0, 0, -1, 0 is not four whole numbers/,
    ],
    ["a window beyond what kernels count", squareWindow(2, 1, 0, 2 ** 25), /its window reaches 33554433 pixels/],
    ["a stride beyond it", squareWindow(1, 2 ** 31), /its window reaches 2147483648 pixels/],
    ["a window that finds no position", squareWindow(10, 2), /layer: a 10×10 window with stride 2×2 finds no position/],
  ])("%s", (_, window, message) => {
    expect(() => slideWindow("layer", 8, 8, window, "ceil")).toThrow(message);
  });

  test("but a pad that only a dilated window reaches across is allowed", () => {
    expect(slideWindow("layer", 5, 5, squareWindow(3, 1, 4, 2), "floor")).toEqual([9, 9]);
  });
});
