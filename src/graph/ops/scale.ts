/**
 * Scale and shift by channel, weight · x + bias: batch normalisation at inference, and Caffe's Scale. The weights
 * have the extents of `axes` neighbouring axes of the input from `axis` on, one axis of channels as a rule.
 */

import { EngineError } from "../../errors.ts";
import type { Shape } from "../tensor.ts";
import { type Inferred, onlyInput, type ParameterRule, resolveAxis } from "./op_rule.ts";

/** weight · x + bias by channel; its weights have the extents of `axes` axes from `axis` on. */
export interface Scale {
  readonly type: "scale";
  /** From the front, or negative from the back; not the first. */
  readonly axis: number;
  readonly axes: number;
  readonly bias: boolean;
}

export function inferScale(subject: string, op: Scale, inputs: readonly Shape[]): Inferred {
  const output = onlyInput(subject, inputs);
  const axis = resolveAxis(subject, op.axis, output.length);
  if (axis === 0 || !(Number.isInteger(op.axes) && op.axes >= 1) || axis + op.axes > output.length) {
    throw new EngineError(
      "graph",
      subject,
      `it has no weights for ${op.axes} axes from axis ${op.axis} on of ${output.length}`,
      "scale by axes behind the first, or multiply by a constant",
    );
  }
  const shape = output.slice(axis, axis + op.axes);
  const weight: ParameterRule = { role: "weight", shape };
  return { output, parameters: op.bias ? [weight, { role: "bias", shape }] : [weight], macs: 0 };
}
