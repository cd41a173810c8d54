/** Axes in another order. */

import type { Transpose } from "../graph/ops.ts";
import type { Shape, Tensor } from "../graph/tensor.ts";
import { offsetsOf, pick, stridesOf } from "./offsets.ts";

export function transpose({ permutation }: Transpose, { shape, data }: Tensor, outputShape: Shape): Tensor {
  const strides = stridesOf(shape);
  const moved = permutation.map((axis) => strides[axis]);
  return { shape: outputShape, data: pick(data, offsetsOf(outputShape, moved)) };
}
