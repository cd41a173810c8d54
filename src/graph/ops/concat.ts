/** Concatenation along one axis. */

import { EngineError } from "../../errors.ts";
import { formatShape, type Shape } from "../tensor.ts";
import { type Inferred, resolveAxis, shapeOnly } from "./op_rule.ts";

/** Any number of values of one shape but for the axis → joined along it. */
export interface Concat {
  readonly type: "concat";
  /** From the front, or negative from the back. */
  readonly axis: number;
}

export function inferConcat(subject: string, op: Concat, inputs: readonly Shape[]): Inferred {
  const first = inputs[0];
  if (!first) throw new EngineError("graph", subject, "it has no inputs", "correct the graph");
  const axis = resolveAxis(subject, op.axis, first.length);
  for (const shape of inputs) {
    if (shape.length !== first.length || shape.some((extent, other) => other !== axis && extent !== first[other])) {
      throw new EngineError(
        "graph",
        subject,
        `inputs of shape ${inputs.map(formatShape).join(" and ")} cannot be joined along axis ${axis}`,
        "correct the graph",
      );
    }
  }
  return shapeOnly(
    first.with(
      axis,
      inputs.reduce((sum, shape) => sum + shape[axis], 0),
    ),
  );
}
