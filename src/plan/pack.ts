/** Lays trained parameters out as kernels want them. */

import type { Tensor } from "../graph/tensor.ts";
import type { PackedParameter, WinogradSize } from "./plan.ts";

/**
 * The buffer contents for one packed parameter. `lookUp` gives the trained tensor of that name: convolution weights
 * (O, I, H, W), biases (O), fully connected weights (O, I).
 */
export function packParameter(parameter: PackedParameter, lookUp: (name: string) => Tensor): Float32Array {
  switch (parameter.layout) {
    case "plain":
      return joinTensors(parameter, lookUp).data;
    case "part":
      return lookUp(parameter.name).data.subarray(parameter.first, parameter.first + parameter.elements);
    case "zeros":
      return new Float32Array(parameter.elements);
    case "indices":
      // Their bits: no float32 is made of them.
      return new Float32Array(Uint32Array.from(parameter.indices).buffer);
    case "conv_tiles": {
      const { shape, data } = joinTensors(parameter, lookUp);
      return packTiles(data, shape[0], data.length / shape[0], parameter);
    }
    case "winograd_tiles":
      return packWinograd(lookUp(parameter.name), parameter);
    case "bias_tiles": {
      const { data } = joinTensors(parameter, lookUp);
      return packTiles(data, data.length, 1, parameter);
    }
    default:
      return parameter satisfies never;
  }
}

/** The tensors of one parameter, one behind the other along their first axis. */
function joinTensors(
  { name, joined = [] }: { name: string; joined?: readonly string[] },
  lookUp: (name: string) => Tensor,
): Tensor {
  const tensors = [name, ...joined].map(lookUp);
  if (tensors.length === 1) return tensors[0];
  const data = new Float32Array(tensors.reduce((sum, each) => sum + each.data.length, 0));
  let start = 0;
  for (const each of tensors) {
    data.set(each.data, start);
    start += each.data.length;
  }
  const extent = tensors.reduce((sum, { shape }) => sum + shape[0], 0);
  return { shape: tensors[0].shape.with(0, extent), data };
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

/** G of Lavin & Gray: a filter's column of 3 becomes size + 2 frequencies. */
const filterTransforms: Readonly<Record<WinogradSize, readonly (readonly [number, number, number])[]>> = {
  2: [
    [1, 0, 0],
    [1 / 2, 1 / 2, 1 / 2],
    [1 / 2, -1 / 2, 1 / 2],
    [0, 0, 1],
  ],
  4: [
    [1 / 4, 0, 0],
    [-1 / 6, -1 / 6, -1 / 6],
    [-1 / 6, 1 / 6, -1 / 6],
    [1 / 24, 1 / 12, 1 / 6],
    [1 / 24, -1 / 12, 1 / 6],
    [0, 0, 1],
  ],
};

/** (O, I, 3, 3) → [frequency][tile][inChannel][tileChannels] of G g Gᵀ, computed in float64. */
function packWinograd(
  { shape, data }: Tensor,
  { elements, size, tileChannels, firstChannel, outChannels }: Extract<PackedParameter, { layout: "winograd_tiles" }>,
): Float32Array {
  const packed = new Float32Array(elements);
  const inChannels = shape[1];
  const transform = filterTransforms[size];
  const frequencies = transform.length;
  const frequencyStride = Math.ceil(outChannels / tileChannels) * inChannels * tileChannels;
  for (let outChannel = 0; outChannel < outChannels; outChannel++) {
    const tileStart = Math.floor(outChannel / tileChannels) * inChannels;
    for (let inChannel = 0; inChannel < inChannels; inChannel++) {
      const filter = ((firstChannel + outChannel) * inChannels + inChannel) * 9;
      const start = (tileStart + inChannel) * tileChannels + (outChannel % tileChannels);
      for (let y = 0; y < frequencies; y++) {
        for (let x = 0; x < frequencies; x++) {
          let sum = 0;
          for (let ky = 0; ky < 3; ky++) {
            for (let kx = 0; kx < 3; kx++) sum += transform[y][ky] * transform[x][kx] * data[filter + ky * 3 + kx];
          }
          packed[(y * frequencies + x) * frequencyStride + start] = sum;
        }
      }
    }
  }
  return packed;
}
