/** Ops that leave the shape as it is and look at one element at a time. */

import type { Shape } from "../tensor.ts";
import { type Inferred, onlyInput, shapeOnly } from "./op_rule.ts";

/** max(x, 0) */
export interface Relu {
  readonly type: "relu";
}

/** Nothing at inference: Caffe scales while training. */
export interface Dropout {
  readonly type: "dropout";
  readonly ratio: number;
}

export function inferElementwise(subject: string, inputs: readonly Shape[]): Inferred {
  return shapeOnly(onlyInput(subject, inputs));
}
