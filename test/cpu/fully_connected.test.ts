import { expect, test } from "vitest";
import { fullyConnected } from "../../src/cpu/fully_connected.ts";
import { tensor } from "../support/tensor.ts";

test("fully connected: rows of weights against flattened images, and the bias", () => {
  const images = tensor([2, 2, 1, 2], [1, 2, 3, 4, 5, 6, 7, 8]);
  const weight = tensor([2, 4], [1, 10, 100, 1000, 1, 1, 1, 1]);
  const result = fullyConnected(images, weight, tensor([2], [0.5, 0.25]), [2, 2]);
  expect(result).toEqual(tensor([2, 2], [4321.5, 10.25, 8765.5, 26.25]));
  expect([...fullyConnected(images, weight, undefined, [2, 2]).data]).toEqual([4321, 10, 8765, 26]);
});
