import { describe, expect, test } from "vitest";
import { concat } from "../../src/cpu/concat.ts";
import { tensor } from "../support/tensor.ts";

describe("concat", () => {
  test("along channels, images stay apart", () => {
    const result = concat(
      { type: "concat", axis: 1 },
      [tensor([2, 1, 1, 2], [1, 2, 3, 4]), tensor([2, 2, 1, 2], [5, 6, 7, 8, 9, 10, 11, 12])],
      [2, 3, 1, 2],
    );
    expect([...result.data]).toEqual([1, 2, 5, 6, 7, 8, 3, 4, 9, 10, 11, 12]);
  });

  test("along the last axis, counted from the back", () => {
    const parts = [tensor([2, 1], [1, 2]), tensor([2, 2], [3, 4, 5, 6])];
    expect([...concat({ type: "concat", axis: -1 }, parts, [2, 3]).data]).toEqual([1, 3, 4, 2, 5, 6]);
  });
});
