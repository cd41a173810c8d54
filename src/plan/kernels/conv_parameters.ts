/** Weights and biases of a convolution, packed into tiles of output channels. */

import type { Conv } from "../../graph/ops.ts";
import type { Problem } from "../kernel.ts";
import type { PackedParameter } from "../plan.ts";

export function convParameters(
  { layer, op, inputs }: Problem<Conv>,
  tileChannels: number,
): { weight: PackedParameter; bias: PackedParameter } {
  const { groups, kernel } = op;
  const inChannels = inputs[0].shape[1] / groups;
  const paddedChannels = groups * Math.ceil(op.outChannels / groups / tileChannels) * tileChannels;
  return {
    weight: {
      layout: "conv_tiles",
      name: `${layer}.weight`,
      elements: paddedChannels * inChannels * kernel[0] * kernel[1],
      groups,
      tileChannels,
    },
    bias: op.bias
      ? { layout: "bias_tiles", name: `${layer}.bias`, elements: paddedChannels, groups, tileChannels }
      : { layout: "zeros", elements: paddedChannels },
  };
}
