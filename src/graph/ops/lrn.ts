/**
 * Local response normalisation: x / (k + (α / m) · Σ x²)^β. Across channels the sum is over the m = n channels around
 * x's own (fewer at the ends); within a channel over the m = n² pixels around x (fewer at the borders). α is divided by
 * m, as Caffe and ONNX do and Krizhevsky's paper does not.
 */

import { EngineError } from "../../errors.ts";
import type { Shape } from "../tensor.ts";
import { type Inferred, onlyFeatureMap, shapeOnly } from "./op_rule.ts";

/** Local response normalisation of (N, C, H, W): x / (k + (α / m) · Σ x²)^β over a window of m values. */
export interface Lrn {
  readonly type: "lrn";
  /** `across` channels unless given; `within` is Caffe's WITHIN_CHANNEL, whose k is always 1. */
  readonly region?: "across" | "within";
  /** n. An even one reaches one further up than down, as in ONNX. */
  readonly size: number;
  readonly alpha: number;
  readonly beta: number;
  readonly k: number;
}

export function inferLrn(subject: string, op: Lrn, inputs: readonly Shape[]): Inferred {
  if (!(Number.isSafeInteger(op.size) && op.size >= 1)) {
    throw new EngineError("graph", subject, `its size ${op.size} is not a whole number from 1`, "correct the layer");
  }
  return shapeOnly(onlyFeatureMap(subject, inputs));
}

/** How many channels, or pixels, below and above its own a value's window reaches. */
export function lrnReach(size: number): { below: number; above: number } {
  const below = Math.floor((size - 1) / 2);
  return { below, above: size - 1 - below };
}
