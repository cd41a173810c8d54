/** A value that is known beforehand: its elements are the layer's `weight`. */

import { EngineError } from "../../errors.ts";
import type { Shape } from "../tensor.ts";
import type { Inferred } from "./op_rule.ts";

/** No input → the layer's `weight`, of this shape. */
export interface Constant {
  readonly type: "constant";
  readonly shape: Shape;
}

export function inferConstant(subject: string, { shape }: Constant, inputs: readonly Shape[]): Inferred {
  if (inputs.length > 0) {
    throw new EngineError("graph", subject, `it has ${inputs.length} inputs instead of none`, "correct the graph");
  }
  return { output: shape, parameters: [{ role: "weight", shape }], macs: 0 };
}
