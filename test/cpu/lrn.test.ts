import { describe, expect, test } from "vitest";
import { lrn } from "../../src/cpu/lrn.ts";
import "../support/close.ts";
import { tensor } from "../support/tensor.ts";

describe("LRN", () => {
  const input = tensor([1, 4, 1, 1], [1, 2, 3, 4]);

  test("α is divided by the size, and the window is cut off at the first and last channel", () => {
    // 3 channels, α / n = 1: 1 + (1 + 4), 1 + (1 + 4 + 9), 1 + (4 + 9 + 16), 1 + (9 + 16)
    const result = lrn({ type: "lrn", size: 3, alpha: 3, beta: 1, k: 1 }, input);
    expect(result).toBeAllclose(tensor([1, 4, 1, 1], [1 / 6, 2 / 15, 3 / 30, 4 / 26]), { relative: 1e-7 });
  });

  test("an even size reaches one further up", () => {
    // 2 channels, own and next: 1 + 4, 4 + 9, 9 + 16, 16; k = 0
    const result = lrn({ type: "lrn", size: 2, alpha: 2, beta: 1, k: 0 }, input);
    expect(result).toBeAllclose(tensor([1, 4, 1, 1], [1 / 5, 2 / 13, 3 / 25, 4 / 16]), { relative: 1e-7 });
  });

  test("β is an exponent and k comes before it", () => {
    // (12 + 1 · 4)^0.75 = 8, (12 + 1 · 69)^0.75 = 27
    const values = tensor([1, 1, 1, 2], [2, Math.sqrt(69)]);
    const result = lrn({ type: "lrn", size: 1, alpha: 1, beta: 0.75, k: 12 }, values);
    expect(result).toBeAllclose(tensor([1, 1, 1, 2], [2 / 8, Math.sqrt(69) / 27]), { relative: 1e-7 });
  });

  test("images and pixels are apart", () => {
    const values = tensor([2, 2, 1, 2], [1, 2, 3, 4, 5, 6, 7, 8]);
    const result = lrn({ type: "lrn", size: 3, alpha: 3, beta: 1, k: 0 }, values);
    const expected = [1 / 10, 2 / 20, 3 / 10, 4 / 20, 5 / 74, 6 / 100, 7 / 74, 8 / 100];
    expect(result).toBeAllclose(tensor([2, 2, 1, 2], expected), { relative: 1e-7 });
  });
});
