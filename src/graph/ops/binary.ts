/** Functions of two elements, one of each input; the inputs are broadcast to one shape, as in NumPy and ONNX. */

import { EngineError } from "../../errors.ts";
import type { Shape } from "../tensor.ts";
import { broadcastShapes } from "./broadcast.ts";
import { type Inferred, shapeOnly, twoInputs } from "./op_rule.ts";

/** `max` and `min` give what is no number where either is none; `pow` is the first input to the power of the second. */
export type Binary = { readonly type: "binary" } & (
  | { readonly function: "sub" | "mul" | "div" | "max" | "min" | "pow" }
  /** The sum of the inputs, each times its scale (1 unless given): what Caffe's Eltwise and ONNX's Gemm ask for. */
  | { readonly function: "add"; readonly scales?: readonly [number, number] }
);

export type BinaryFunction = Binary["function"];

export function inferBinary(subject: string, op: Binary, inputs: readonly Shape[]): Inferred {
  const scales = op.function === "add" ? (op.scales ?? []) : [];
  for (const scale of scales) {
    if (!Number.isFinite(Math.fround(scale))) {
      throw new EngineError("graph", subject, `${scale} is not a finite float32`, "correct the layer's attributes");
    }
  }
  return shapeOnly(broadcastShapes(subject, ...twoInputs(subject, inputs)));
}
