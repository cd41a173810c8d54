/** Lays trained parameters out as kernels want them. */

import type { Tensor } from "../graph/tensor.ts";
import type { PackedParameter } from "./plan.ts";

/**
 * The buffer contents for one packed parameter. `lookUp` gives the trained tensor of that name: convolution weights
 * (O, I, H, W), biases (O), fully connected weights (O, I).
 */
export function packParameter(parameter: PackedParameter, lookUp: (name: string) => Tensor): Float32Array {
  switch (parameter.layout) {
    case "plain":
      return lookUp(parameter.name).data;
    case "zeros":
      return new Float32Array(parameter.elements);
    case "conv_tiles": {
      const { shape, data } = lookUp(parameter.name);
      return packTiles(data, shape[0], data.length / shape[0], parameter);
    }
    case "bias_tiles": {
      const { data } = lookUp(parameter.name);
      return packTiles(data, data.length, 1, parameter);
    }
    default:
      return parameter satisfies never;
  }
}

/** [outChannel][tap] → [group][tile][tap][tileChannels], channels past a group's last being zero. */
function packTiles(
  data: Float32Array,
  outChannels: number,
  taps: number,
  { elements, groups, tileChannels }: { elements: number; groups: number; tileChannels: number },
): Float32Array {
  const packed = new Float32Array(elements);
  const groupChannels = outChannels / groups;
  const groupTiles = Math.ceil(groupChannels / tileChannels);
  for (let channel = 0; channel < outChannels; channel++) {
    const within = channel % groupChannels;
    const tile = Math.floor(channel / groupChannels) * groupTiles + Math.floor(within / tileChannels);
    const lane = within % tileChannels;
    for (let tap = 0; tap < taps; tap++) {
      packed[(tile * taps + tap) * tileChannels + lane] = data[channel * taps + tap];
    }
  }
  return packed;
}
