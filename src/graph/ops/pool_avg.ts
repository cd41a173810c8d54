/** Average pooling. */

import type { Shape } from "../tensor.ts";
import { type Inferred, onlyFeatureMap, shapeOnly } from "./op_rule.ts";
import { type Rounding, slideWindow, type Window } from "./window.ts";

/** Average pooling, (N, C, H, W) → (N, C, outH, outW). */
export interface PoolAvg extends Window {
  readonly type: "pool_avg";
  readonly rounding: Rounding;
  /**
   * Caffe divides by the window's area padding included (but clipped where it would reach past the padding);
   * `false` divides by the number of real pixels, as ONNX does by default.
   */
  readonly countPadding: boolean;
}

export function inferPoolAvg(subject: string, op: PoolAvg, inputs: readonly Shape[]): Inferred {
  const [batch, channels, height, width] = onlyFeatureMap(subject, inputs);
  return shapeOnly([batch, channels, ...slideWindow(subject, height, width, op, op.rounding)]);
}
