/** Functions of one element at a time, in float64. */

import type { Unary } from "../graph/ops.ts";
import type { Tensor } from "../graph/tensor.ts";

export function unary(op: Unary, { shape, data }: Tensor): Tensor {
  return { shape, data: data.map(functionOf(op)) };
}

function functionOf(op: Unary): (x: number) => number {
  switch (op.function) {
    case "abs":
      return Math.abs;
    case "exp":
      return Math.exp;
    case "log":
      return Math.log;
    case "neg":
      return (x) => -x;
    case "sigmoid":
      return (x) => 1 / (1 + Math.exp(-x));
    case "sqrt":
      return Math.sqrt;
    case "tanh":
      return Math.tanh;
    case "leaky_relu":
      return (x) => (x < 0 ? op.slope * x : x);
    case "clip":
      return (x) => Math.min(Math.max(x, op.min), op.max);
    default:
      return op satisfies never;
  }
}
