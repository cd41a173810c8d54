/** Elements put before and after each axis, or taken away. */

import type { Pad } from "../graph/ops.ts";
import type { Shape, Tensor } from "../graph/tensor.ts";
import { offsetsOf, stridesOf } from "./offsets.ts";

export function pad(op: Pad, { shape, data }: Tensor, outputShape: Shape): Tensor {
  const strides = stridesOf(shape);
  const outStrides = stridesOf(outputShape);
  const output = Float32Array.from(offsetsOf(outputShape, outStrides), (index) => {
    let from = 0;
    for (let axis = 0; axis < shape.length; axis++) {
      const at = (Math.floor(index / outStrides[axis]) % outputShape[axis]) - op.before[axis];
      const inside = insideAxis(op.mode, at, shape[axis]);
      if (inside === undefined) return op.value;
      from += inside * strides[axis];
    }
    return data[from];
  });
  return { shape: outputShape, data: output };
}

/** The index of the input that stands at `at`, which may lie beyond either end; none where the pad's value does. */
function insideAxis(mode: Pad["mode"], at: number, extent: number): number | undefined {
  switch (mode) {
    case "constant":
      return at >= 0 && at < extent ? at : undefined;
    case "edge":
      return Math.min(Math.max(at, 0), extent - 1);
    case "reflect":
      return extent - 1 - Math.abs(extent - 1 - Math.abs(at));
    default:
      return mode satisfies never;
  }
}
