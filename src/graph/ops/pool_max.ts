/** Max pooling: the largest value under the window; padding never wins. */

import type { Shape } from "../tensor.ts";
import { type Inferred, onlyFeatureMap, shapeOnly } from "./op_rule.ts";
import { type Rounding, slideWindow, type Window } from "./window.ts";

/** Max pooling, (N, C, H, W) → (N, C, outH, outW); padding never wins. */
export interface PoolMax extends Window {
  readonly type: "pool_max";
  readonly rounding: Rounding;
}

export function inferPoolMax(subject: string, op: PoolMax, inputs: readonly Shape[]): Inferred {
  const [batch, channels, height, width] = onlyFeatureMap(subject, inputs);
  return shapeOnly([batch, channels, ...slideWindow(subject, height, width, op, op.rounding)]);
}
