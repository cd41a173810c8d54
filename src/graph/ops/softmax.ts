/** Softmax along one axis, or over all from one on; or its logarithm. */

import type { Shape } from "../tensor.ts";
import { type Inferred, onlyInput, resolveAxis, shapeOnly } from "./op_rule.ts";

/** exp(x) over the sum of exp along an axis, or the logarithm of that. */
export interface Softmax {
  readonly type: "softmax";
  /** From the front, or negative from the back. */
  readonly axis: number;
  /** Whether all axes from `axis` on are taken as one, as ONNX's operator sets before 13 do. */
  readonly trailing?: boolean;
  /** Whether the result is the logarithm (ONNX's LogSoftmax). */
  readonly log?: boolean;
}

export function inferSoftmax(subject: string, op: Softmax, inputs: readonly Shape[]): Inferred {
  const shape = onlyInput(subject, inputs);
  resolveAxis(subject, op.axis, shape.length);
  return shapeOnly(shape);
}
