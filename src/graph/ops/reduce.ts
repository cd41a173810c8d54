/** Mean, sum, largest or smallest along some axes. */

import { EngineError } from "../../errors.ts";
import type { Shape } from "../tensor.ts";
import { type Inferred, onlyInput, resolveAxes, shapeOnly } from "./op_rule.ts";

/** Mean, sum, largest or smallest along some axes. */
export interface Reduce {
  readonly type: "reduce";
  /** `max` and `min` give what is no number where one of the elements is none. */
  readonly function: "mean" | "sum" | "max" | "min";
  /** From the front, or negative from the back; at least one. */
  readonly axes: readonly number[];
  /** Whether the axes stay, with an extent of 1. */
  readonly keepDims: boolean;
}

export function inferReduce(subject: string, op: Reduce, inputs: readonly Shape[]): Inferred {
  const shape = onlyInput(subject, inputs);
  if (op.axes.length === 0) {
    throw new EngineError("graph", subject, "it names no axes", "correct the layer's attributes");
  }
  const axes = resolveAxes(subject, op.axes, shape.length);
  return shapeOnly(
    op.keepDims
      ? shape.map((extent, axis) => (axes.includes(axis) ? 1 : extent))
      : shape.filter((_, axis) => !axes.includes(axis)),
  );
}
