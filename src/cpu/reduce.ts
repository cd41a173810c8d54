/** Mean, sum, largest or smallest along some axes. */

import type { Reduce } from "../graph/ops.ts";
import { elementCount, type Shape, type Tensor } from "../graph/tensor.ts";
import { offsetsOf, stridesOf } from "./offsets.ts";

export function reduce(op: Reduce, { shape, data }: Tensor, outputShape: Shape): Tensor {
  const axes = op.axes.map((axis) => (axis < 0 ? axis + shape.length : axis));
  const kept = shape.map((extent, axis) => (axes.includes(axis) ? 1 : extent));
  const strides = stridesOf(kept).map((stride, axis) => (axes.includes(axis) ? 0 : stride));
  const results = new Float64Array(elementCount(kept)).fill(
    { mean: 0, sum: 0, max: -Infinity, min: Infinity }[op.function],
  );
  const join = { mean: add, sum: add, max: Math.max, min: Math.min }[op.function];
  offsetsOf(shape, strides).forEach((at, index) => {
    results[at] = join(results[at], data[index]);
  });
  const divisor = op.function === "mean" ? data.length / results.length : 1;
  return { shape: outputShape, data: Float32Array.from(results, (result) => result / divisor) };
}

function add(a: number, b: number): number {
  return a + b;
}
