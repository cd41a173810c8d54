/** What numbers are stored as on the device. Outside of it, arrays are float32 whatever a plan's precision is. */

import { EngineError } from "../errors.ts";
import { elementCount, type Shape } from "../graph/tensor.ts";
import type { PlanLimits } from "./limits.ts";

/** The precisions that there are. */
export const PRECISIONS = ["f32", "f16"] as const;

/** What numbers are stored as on the device: float32 or float16. */
export type Precision = (typeof PRECISIONS)[number];

/** Bytes of an element. */
export const elementBytes: Readonly<Record<Precision, number>> = { f32: 4, f16: 2 };

/** Bytes of a value of that shape. */
export function byteLength(shape: Shape, precision: Precision = "f32"): number {
  return elementCount(shape) * elementBytes[precision];
}

/** Throws EngineError "usage" for what is no precision, "adapter" where the device lacks what it needs. */
export function checkPrecision(precision: Precision = "f32", { float16 = false }: PlanLimits): void {
  if (!PRECISIONS.includes(precision)) {
    const problem = `it is ${JSON.stringify(precision)}`;
    throw new EngineError("usage", "option precision", problem, `give ${PRECISIONS.join(" or ")}`);
  }
  if (precision === "f16" && !float16) {
    const remedy = "compute in f32, or use another adapter";
    throw new EngineError("adapter", "precision f16", 'the adapter has no float16 (the feature "shader-f16")', remedy);
  }
}
