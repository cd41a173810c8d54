/** Softmax or its logarithm; the largest value is subtracted first, so that no exponential overflows. */

import type { Softmax } from "../graph/ops.ts";
import { elementCount, type Tensor } from "../graph/tensor.ts";

export function softmax(op: Softmax, { shape, data }: Tensor): Tensor {
  const axis = op.axis < 0 ? op.axis + shape.length : op.axis;
  const end = op.trailing ? shape.length : axis + 1;
  const extent = elementCount(shape.slice(axis, end));
  const outer = elementCount(shape.slice(0, axis));
  const inner = elementCount(shape.slice(end));
  const output = new Float32Array(data.length);
  const exponentials = new Float64Array(extent);
  for (let block = 0; block < outer; block++) {
    for (let lane = 0; lane < inner; lane++) {
      const start = block * extent * inner + lane;
      let largest = -Infinity;
      for (let i = 0; i < extent; i++) largest = Math.max(largest, data[start + i * inner]);
      let sum = 0;
      for (let i = 0; i < extent; i++) {
        exponentials[i] = Math.exp(data[start + i * inner] - largest);
        sum += exponentials[i];
      }
      for (let i = 0; i < extent; i++) {
        const at = start + i * inner;
        output[at] = op.log ? data[at] - largest - Math.log(sum) : exponentials[i] / sum;
      }
    }
  }
  return { shape, data: output };
}
