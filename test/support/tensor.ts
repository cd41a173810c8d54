import type { Shape, Tensor } from "../../src/graph/tensor.ts";

/** A tensor written out. */
export function tensor(shape: Shape, values: readonly number[]): Tensor {
  return { shape, data: new Float32Array(values) };
}
