/** Softmax along one axis. */

import type { Shape } from "../tensor.ts";
import { type Inferred, onlyInput, resolveAxis, shapeOnly } from "./op_rule.ts";

export interface Softmax {
  readonly type: "softmax";
  /** From the front, or negative from the back. */
  readonly axis: number;
}

export function inferSoftmax(subject: string, op: Softmax, inputs: readonly Shape[]): Inferred {
  const shape = onlyInput(subject, inputs);
  resolveAxis(subject, op.axis, shape.length);
  return shapeOnly(shape);
}
