/** A part of the input along some axes. */

import { sliceAxes } from "../graph/ops/slice.ts";
import type { Slice } from "../graph/ops.ts";
import type { Shape, Tensor } from "../graph/tensor.ts";
import { offsetsOf, pick, stridesOf } from "./offsets.ts";

export function slice(op: Slice, { shape, data }: Tensor, outputShape: Shape): Tensor {
  const axes = sliceAxes("slice", op, shape);
  const strides = stridesOf(shape);
  const start = axes.reduce((sum, { start }, axis) => sum + start * strides[axis], 0);
  const steps = axes.map(({ step }, axis) => step * strides[axis]);
  return { shape: outputShape, data: pick(data, offsetsOf(outputShape, steps, start)) };
}
