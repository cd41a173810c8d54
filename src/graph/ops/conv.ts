/** Convolution (N, C, H, W) → (N, outChannels, outH, outW); weights are (O, I / groups, kernelH, kernelW). */

import { EngineError } from "../../errors.ts";
import type { Shape } from "../tensor.ts";
import { type Inferred, onlyFeatureMap, type ParameterRule } from "./op_rule.ts";
import { slideWindow, type Window } from "./window.ts";

/**
 * Convolution, (N, C, H, W) → (N, outChannels, outH, outW); its weights are (outChannels, C / groups, kernelH,
 * kernelW).
 */
export interface Conv extends Window {
  readonly type: "conv";
  readonly outChannels: number;
  readonly groups: number;
  readonly bias: boolean;
}

export function inferConv(subject: string, op: Conv, inputs: readonly Shape[]): Inferred {
  const [batch, channels, height, width] = onlyFeatureMap(subject, inputs);
  const { outChannels, groups, kernel } = op;
  if (!(Number.isSafeInteger(groups) && groups >= 1) || channels % groups !== 0 || outChannels % groups !== 0) {
    throw new EngineError(
      "graph",
      subject,
      `${groups} groups do not divide ${channels} input and ${outChannels} output channels`,
      "correct the layer's attributes",
    );
  }
  const [outHeight, outWidth] = slideWindow(subject, height, width, op, "floor", true);
  const weight: ParameterRule = { role: "weight", shape: [outChannels, channels / groups, ...kernel] };
  return {
    output: [batch, outChannels, outHeight, outWidth],
    parameters: op.bias ? [weight, { role: "bias", shape: [outChannels] }] : [weight],
    macs: batch * outChannels * outHeight * outWidth * (channels / groups) * kernel[0] * kernel[1],
  };
}
