/** Functions of two elements, one of each input, broadcast to one shape. */

import type { Binary } from "../graph/ops.ts";
import type { Shape, Tensor } from "../graph/tensor.ts";
import { broadcastStrides, offsetsOf } from "./offsets.ts";

export function binary(op: Binary, [a, b]: readonly Tensor[], outputShape: Shape): Tensor {
  const apply = functionOf(op);
  const [left, right] = [a, b].map(({ shape }) => offsetsOf(outputShape, broadcastStrides(shape, outputShape)));
  return { shape: outputShape, data: Float32Array.from(left, (at, index) => apply(a.data[at], b.data[right[index]])) };
}

function functionOf(op: Binary): (x: number, y: number) => number {
  switch (op.function) {
    case "add": {
      const [first, second] = op.scales ?? [1, 1];
      return (x, y) => first * x + second * y;
    }
    case "sub":
      return (x, y) => x - y;
    case "mul":
      return (x, y) => x * y;
    case "div":
      return (x, y) => x / y;
    case "max":
      return Math.max;
    case "min":
      return Math.min;
    case "pow":
      return Math.pow;
    default:
      return op satisfies never;
  }
}
