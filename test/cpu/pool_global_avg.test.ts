import { expect, test } from "vitest";
import { poolGlobalAvg } from "../../src/cpu/pool_global_avg.ts";
import { tensor } from "../support/tensor.ts";

test("global average pooling", () => {
  const input = tensor([2, 2, 1, 3], [1, 2, 3, 4, 5, 6, -1, -2, -3, 10, 20, 60]);
  expect(poolGlobalAvg(input, [2, 2, 1, 1])).toEqual(tensor([2, 2, 1, 1], [2, 5, -2, 30]));
});
