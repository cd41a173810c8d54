/** Elements put before and after each axis, or, where a pad is negative, taken away. */

import { EngineError } from "../../errors.ts";
import type { Shape } from "../tensor.ts";
import { type Inferred, onlyInput, shapeOnly } from "./op_rule.ts";

/** Puts elements before and after each axis, or takes some away. */
export interface Pad {
  readonly type: "pad";
  /** How many, for every axis of the input. */
  readonly before: readonly number[];
  readonly after: readonly number[];
  /**
   * What is put there: `value`; the element at the edge; or, as in a mirror, those behind the edge, which is not
   * repeated itself. The latter two take nothing away, and a mirror shows at most the whole axis.
   */
  readonly mode: "constant" | "edge" | "reflect";
  /** For `constant`. */
  readonly value: number;
}

export function inferPad(subject: string, op: Pad, inputs: readonly Shape[]): Inferred {
  const shape = onlyInput(subject, inputs);
  const { before, after, mode } = op;
  const wrong = (problem: string): never => {
    throw new EngineError("graph", subject, problem, "correct the layer's attributes");
  };
  if (before.length !== shape.length || after.length !== shape.length) {
    wrong(`it has pads for ${before.length} and ${after.length} axes of its input's ${shape.length}`);
  }
  if (Number.isNaN(op.value)) wrong("it pads with what is no number");
  shape.forEach((extent, axis) => {
    const [least, most] = {
      constant: [-extent, Number.MAX_SAFE_INTEGER],
      edge: [0, Number.MAX_SAFE_INTEGER],
      reflect: [0, extent - 1],
    }[mode];
    for (const pad of [before[axis], after[axis]]) {
      if (!Number.isSafeInteger(pad) || pad < least || pad > most) {
        wrong(`a pad of ${pad} (${mode}) does not fit an axis of ${extent}`);
      }
    }
  });
  return shapeOnly(shape.map((extent, axis) => before[axis] + extent + after[axis]));
}
