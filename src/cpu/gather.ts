/** Indices along one axis picked by a list. */

import { gatherIndices } from "../graph/ops/gather.ts";
import type { Gather } from "../graph/ops.ts";
import { elementCount, type Shape, type Tensor } from "../graph/tensor.ts";

export function gather(op: Gather, { shape, data }: Tensor, outputShape: Shape): Tensor {
  const axis = op.axis < 0 ? op.axis + shape.length : op.axis;
  const indices = gatherIndices("gather", op, shape[axis]);
  const inner = elementCount(shape.slice(axis + 1));
  const output = new Float32Array(elementCount(outputShape));
  let next = 0;
  for (let block = 0; block < elementCount(shape.slice(0, axis)); block++) {
    for (const index of indices) {
      const start = (block * shape[axis] + index) * inner;
      output.set(data.subarray(start, start + inner), next);
      next += inner;
    }
  }
  return { shape: outputShape, data: output };
}
