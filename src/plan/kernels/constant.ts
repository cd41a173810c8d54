/** Constants: parameters that other layers bind where they take values, copied into memory only to be read back. */

import type { Constant } from "../../graph/ops.ts";
import { elementCount } from "../../graph/tensor.ts";
import type { Algorithm } from "../kernel.ts";
import type { PackedParameter } from "../plan.ts";
import { launchCopy, stridedCopy } from "./strided_copy.ts";

/** The parameter that a constant is. */
export function constantParameter(layer: string, { shape }: Constant): PackedParameter {
  return { layout: "plain", name: `${layer}.weight`, elements: elementCount(shape) };
}

export const constant: Algorithm<Constant> = {
  name: "constant",
  op: "constant",
  kernels: [stridedCopy],
  accepts: () => true,
  launch(problem) {
    const { layer, op, output } = problem;
    const strides = op.shape.map((_, axis) => elementCount(op.shape.slice(axis + 1)));
    const from = {
      binding: { kind: "parameter", parameter: constantParameter(layer, op) },
      offset: 0,
      strides,
    } as const;
    return [launchCopy(problem, from, { binding: { kind: "output" }, view: output })];
  },
};
