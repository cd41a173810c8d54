/** Global average pooling: the mean of each whole feature map, (N, C, H, W) → (N, C, 1, 1). */

import type { Shape } from "../tensor.ts";
import { type Inferred, onlyFeatureMap, shapeOnly } from "./op_rule.ts";

/** The mean of each feature map, (N, C, H, W) → (N, C, 1, 1). */
export interface PoolGlobalAvg {
  readonly type: "pool_global_avg";
}

export function inferPoolGlobalAvg(subject: string, inputs: readonly Shape[]): Inferred {
  const [batch, channels] = onlyFeatureMap(subject, inputs);
  return shapeOnly([batch, channels, 1, 1]);
}
