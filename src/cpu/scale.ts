/** Scale and shift by channel: weight · x + bias. */

import type { Scale } from "../graph/ops.ts";
import { elementCount, type Tensor } from "../graph/tensor.ts";

export function scale(op: Scale, { shape, data }: Tensor, weight: Tensor, bias: Tensor | undefined): Tensor {
  const axis = op.axis < 0 ? op.axis + shape.length : op.axis;
  const inner = elementCount(shape.slice(axis + op.axes));
  return {
    shape,
    data: data.map((value, index) => {
      const channel = Math.floor(index / inner) % weight.data.length;
      return weight.data[channel] * value + (bias ? bias.data[channel] : 0);
    }),
  };
}
