/** Fully connected layer: (N, …) → (N, outFeatures); all but the batch axis is flattened; weights are (O, I). */

import { EngineError } from "../../errors.ts";
import { elementCount, formatShape, type Shape } from "../tensor.ts";
import { type Inferred, onlyInput, type ParameterRule } from "./op_rule.ts";

/** (N, …) → (N, outFeatures); its weights are (outFeatures, elements of one image). */
export interface FullyConnected {
  readonly type: "fully_connected";
  readonly outFeatures: number;
  readonly bias: boolean;
}

export function inferFullyConnected(subject: string, op: FullyConnected, inputs: readonly Shape[]): Inferred {
  const shape = onlyInput(subject, inputs);
  if (shape.length < 2) {
    throw new EngineError("graph", subject, `its input ${formatShape(shape)} is not N×features`, "correct the graph");
  }
  const batch = shape[0];
  const inFeatures = elementCount(shape.slice(1));
  const weight: ParameterRule = { role: "weight", shape: [op.outFeatures, inFeatures] };
  return {
    output: [batch, op.outFeatures],
    parameters: op.bias ? [weight, { role: "bias", shape: [op.outFeatures] }] : [weight],
    macs: batch * op.outFeatures * inFeatures,
  };
}
