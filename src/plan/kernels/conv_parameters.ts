/** Weights and biases of a convolution, packed into tiles of output channels. */

import type { Conv } from "../../graph/ops.ts";
import type { Problem } from "../kernel.ts";
import type { PackedParameter } from "../plan.ts";
import { onePlace } from "./gemm.ts";

export function convParameters(
  problem: Problem<Conv>,
  tileChannels: number,
): { weight: PackedParameter; bias: PackedParameter } {
  const { op, inputs } = problem;
  const { groups, kernel } = op;
  const inChannels = inputs[0].shape[1] / groups;
  const paddedChannels = groups * Math.ceil(op.outChannels / groups / tileChannels) * tileChannels;
  return {
    weight: {
      layout: "conv_tiles",
      ...tensorsOf(problem, "weight"),
      elements: paddedChannels * inChannels * kernel[0] * kernel[1],
      groups,
      tileChannels,
    },
    bias: op.bias
      ? { layout: "bias_tiles", ...tensorsOf(problem, "bias"), elements: paddedChannels, groups, tileChannels }
      : { layout: "zeros", elements: paddedChannels },
  };
}

/** The weights or biases of all the layers that a convolution stands for. */
export function tensorsOf({ layer, restLayers }: Problem<Conv>, kind: "weight" | "bias") {
  const name = `${layer}.${kind}`;
  return restLayers ? { name, joined: restLayers.map((each) => `${each}.${kind}`) } : { name };
}

/** Where the output's channels go, for a kernel that writes to two places. */
export function restPlace({ op, output, rest }: Problem<Conv>) {
  return rest
    ? { firstChannels: output.shape[1], restOffset: rest.offset, restStride: rest.stride }
    : onePlace(op.outChannels);
}
