/** Functions of one element at a time. What is no number stays none. */

import type { Shape } from "../tensor.ts";
import { EngineError } from "../../errors.ts";
import { type Inferred, onlyInput, shapeOnly } from "./op_rule.ts";

/** Functions that take nothing but the element; `log` is the natural one. */
export type PlainFunction = "abs" | "exp" | "log" | "neg" | "sigmoid" | "sqrt" | "tanh";

/** A function of one element at a time. */
export type Unary = { readonly type: "unary" } & (
  | { readonly function: PlainFunction }
  /** x, or `slope` · x below 0. */
  | { readonly function: "leaky_relu"; readonly slope: number }
  /** min(max(x, `min`), `max`), so that `max` wins where `min` lies above it; both finite. */
  | { readonly function: "clip"; readonly min: number; readonly max: number }
);

export function inferUnary(subject: string, op: Unary, inputs: readonly Shape[]): Inferred {
  const numbers = op.function === "leaky_relu" ? [op.slope] : op.function === "clip" ? [op.min, op.max] : [];
  for (const value of numbers) {
    if (!Number.isFinite(Math.fround(value))) {
      throw new EngineError("graph", subject, `${value} is not a finite float32`, "correct the layer's attributes");
    }
  }
  return shapeOnly(onlyInput(subject, inputs));
}
