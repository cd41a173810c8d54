/** Concatenation along one axis. */

import type { Concat } from "../graph/ops.ts";
import { elementCount, type Shape, type Tensor } from "../graph/tensor.ts";

export function concat(op: Concat, inputs: readonly Tensor[], outputShape: Shape): Tensor {
  const axis = op.axis < 0 ? op.axis + outputShape.length : op.axis;
  const blocks = elementCount(outputShape.slice(0, axis));
  const blockLength = elementCount(outputShape.slice(axis));
  const output = new Float32Array(elementCount(outputShape));
  let start = 0;
  for (const { shape, data } of inputs) {
    const length = elementCount(shape.slice(axis));
    for (let block = 0; block < blocks; block++) {
      output.set(data.subarray(block * length, (block + 1) * length), block * blockLength + start);
    }
    start += length;
  }
  return { shape: outputShape, data: output };
}
