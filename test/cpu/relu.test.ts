import { expect, test } from "vitest";
import { relu } from "../../src/cpu/relu.ts";
import { tensor } from "../support/tensor.ts";

test("ReLU: negative values become 0, a NaN stays", () => {
  expect([...relu(tensor([5], [-2, 0, 3, NaN, -Infinity])).data]).toEqual([0, 0, 3, NaN, 0]);
});
