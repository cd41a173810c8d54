/** Axes in another order. */

import { EngineError } from "../../errors.ts";
import type { Shape } from "../tensor.ts";
import { type Inferred, onlyInput, shapeOnly } from "./op_rule.ts";

/** Axes in another order. */
export interface Transpose {
  readonly type: "transpose";
  /** For each axis of the output, which of the input's it is. */
  readonly permutation: readonly number[];
}

export function inferTranspose(subject: string, { permutation }: Transpose, inputs: readonly Shape[]): Inferred {
  const shape = onlyInput(subject, inputs);
  if (permutation.length !== shape.length || !shape.every((_, axis) => permutation.includes(axis))) {
    throw new EngineError(
      "graph",
      subject,
      `${permutation.join(", ")} is no order of its input's ${shape.length} axes`,
      "correct the layer's attributes",
    );
  }
  return shapeOnly(permutation.map((axis) => shape[axis]));
}
