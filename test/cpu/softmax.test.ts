import { describe, expect, test } from "vitest";
import { softmax } from "../../src/cpu/softmax.ts";
import "../support/close.ts";
import { tensor } from "../support/tensor.ts";

describe("softmax", () => {
  test("e^x over the sum of e^x", () => {
    const result = softmax({ type: "softmax", axis: 1 }, tensor([1, 3], [0, Math.log(2), Math.log(5)]));
    expect(result).toBeAllclose(tensor([1, 3], [1 / 8, 2 / 8, 5 / 8]), { relative: 1e-7 });
  });

  test("along an inner axis", () => {
    const result = softmax({ type: "softmax", axis: 0 }, tensor([2, 2], [0, 0, Math.log(3), 0]));
    expect(result).toBeAllclose(tensor([2, 2], [0.25, 0.5, 0.75, 0.5]), { relative: 1e-7 });
  });

  test("logits whose exponentials overflow or vanish", () => {
    const result = softmax({ type: "softmax", axis: -1 }, tensor([2, 2], [1e4, 1e4, -1e4, 1e4]));
    expect([...result.data]).toEqual([0.5, 0.5, 0, 1]);
  });

  test("a NaN spoils its own row and no other", () => {
    const result = softmax({ type: "softmax", axis: 1 }, tensor([2, 2], [NaN, 1, 1, 1]));
    expect([...result.data]).toEqual([NaN, NaN, 0.5, 0.5]);
  });
});
