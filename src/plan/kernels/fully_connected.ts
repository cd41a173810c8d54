/** Launches kernels/fully_connected.wgsl and fully_connected_subgroup.wgsl. */

import type { FullyConnected } from "../../graph/ops.ts";
import {
  imageElements,
  inputWeightBiasOutput,
  oneKernel,
  placement,
  type Problem,
  workgroupGrid,
  workgroupSizeFor,
} from "../kernel.ts";
import { largestBuffer, type PlanLimits } from "../limits.ts";
import type { PackedParameter } from "../plan.ts";
import { elementBytes, type Precision } from "../precision.ts";
import { broadcastPreference, canBroadcast, subgroupSize } from "./subgroups.ts";

const tileFeatures = 4;

const layerFields = ["images", "inFeatures", "inOffset", "inStride", "outFeatures", "outOffset", "outStride"] as const;

export const fullyConnected = oneKernel<FullyConnected>({
  name: "fully_connected",
  op: "fully_connected",
  bindings: inputWeightBiasOutput,
  constants: ["workgroupSize", "relu"],
  layer: layerFields,
  tiles: ["TILE_FEATURES", "TILE_IMAGES"],
  accepts: () => true,
  launch({ layer, op, inputs, output, relu, precision, limits }) {
    const images = output.shape[0];
    const inFeatures = imageElements(inputs[0]);
    // Every weight is loaded once a tile of images.
    const tileImages = Math.min(images, 4);
    return featureParts(op.outFeatures, inFeatures, precision, limits).map(({ first, count }) => {
      const tiles = Math.ceil(count / tileFeatures) * Math.ceil(images / tileImages);
      const parameter = (role: string, size: number): PackedParameter => {
        const name = `${layer}.${role}`;
        return count === op.outFeatures
          ? { layout: "plain", name, elements: count * size }
          : { layout: "part", name, first: first * size, elements: count * size };
      };
      return {
        values: {
          ...placement(inputs[0], output),
          outOffset: output.offset + first,
          workgroupSize: workgroupSizeFor(limits),
          images,
          inFeatures,
          outFeatures: count,
          relu: Number(relu),
          TILE_FEATURES: tileFeatures,
          TILE_IMAGES: tileImages,
        },
        bindings: [
          { kind: "input", input: 0 },
          { kind: "parameter", parameter: parameter("weight", inFeatures) },
          { kind: "parameter", parameter: op.bias ? parameter("bias", 1) : { layout: "zeros", elements: count } },
          { kind: "output" },
        ],
        workgroups: workgroupGrid(layer, tiles, limits),
        macs: images * count * inFeatures,
        bytes: elementBytes[precision] * (images * (inFeatures + count) + count * (inFeatures + 1)),
      };
    });
  },
});

/** Images of a tile of the other kernel: their sums stay in registers. */
const mostImages = 8;

export const fullyConnectedSubgroup = oneKernel<FullyConnected>({
  name: "fully_connected_subgroup",
  op: "fully_connected",
  bindings: inputWeightBiasOutput,
  constants: ["workgroupSize", "relu"],
  layer: layerFields,
  tiles: ["TILE_IMAGES"],
  accepts: (problem) =>
    canBroadcast(problem.limits) &&
    packedElements(problem) * elementBytes[problem.precision] <= largestBuffer(problem.limits),
  preference: ({ limits }) => broadcastPreference(limits),
  launch(problem) {
    const { layer, op, inputs, output, relu, limits } = problem;
    const images = output.shape[0];
    const workgroupSize = subgroupSize(limits);
    const tileChannels = 4 * workgroupSize;
    const featureTiles = Math.ceil(op.outFeatures / tileChannels);
    const tileImages = Math.min(images, mostImages);
    const padded = featureTiles * tileChannels;
    const packed = { groups: 1, tileChannels };
    const weight = `${layer}.weight`;
    const bias = `${layer}.bias`;
    return [
      {
        values: {
          ...placement(inputs[0], output),
          workgroupSize,
          images,
          inFeatures: imageElements(inputs[0]),
          outFeatures: op.outFeatures,
          relu: Number(relu),
          TILE_IMAGES: tileImages,
        },
        bindings: [
          { kind: "input", input: 0 },
          {
            kind: "parameter",
            parameter: { layout: "conv_tiles", name: weight, elements: packedElements(problem), ...packed },
          },
          {
            kind: "parameter",
            parameter: op.bias
              ? { layout: "bias_tiles", name: bias, elements: padded, ...packed }
              : { layout: "zeros", elements: padded },
          },
          { kind: "output" },
        ],
        workgroups: workgroupGrid(layer, featureTiles * Math.ceil(images / tileImages), limits),
      },
    ];
  },
});

/** Weights, the last tile filled up. */
function packedElements({ op, inputs, limits }: Problem<FullyConnected>): number {
  const tileChannels = 4 * subgroupSize(limits);
  return Math.ceil(op.outFeatures / tileChannels) * tileChannels * imageElements(inputs[0]);
}

/** Output features whose weights one buffer holds: AlexNet's and VGG's first such layers have more than many devices bind. */
function featureParts(
  outFeatures: number,
  inFeatures: number,
  precision: Precision,
  limits: PlanLimits,
): { first: number; count: number }[] {
  const rows = Math.floor(largestBuffer(limits) / (inFeatures * elementBytes[precision]));
  const parts = Math.ceil(outFeatures / Math.max(rows, 1));
  const count = Math.ceil(outFeatures / parts);
  return Array.from({ length: Math.ceil(outFeatures / count) }, (_, part) => ({
    first: part * count,
    count: Math.min(count, outFeatures - part * count),
  }));
}
