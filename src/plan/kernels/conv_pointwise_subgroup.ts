/** Launches kernels/conv_pointwise_subgroup.wgsl. */

import type { Conv } from "../../graph/ops.ts";
import { inputWeightBiasOutput, type Kernel, placement, workgroupGrid } from "../kernel.ts";
import { convParameters } from "./conv_parameters.ts";
import { isPointwise } from "./conv_pointwise.ts";
import { bestBlockTile, broadcastPreference, broadcastWorkgroupSize, canBroadcast } from "./subgroups.ts";

const tileChannels = 16;

export const convPointwiseSubgroup: Kernel<Conv> = {
  name: "conv_pointwise_subgroup",
  op: "conv",
  bindings: inputWeightBiasOutput,
  constants: ["workgroupSize", "relu"],
  layer: ["images", "inChannels", "inOffset", "inStride", "outChannels", "outOffset", "outStride", "pixels"],
  tiles: ["TILE_CHANNELS", "TILE_PIXELS"],
  accepts: ({ op, limits }) => isPointwise(op) && canBroadcast(limits),
  preference: ({ limits }) => broadcastPreference(limits),
  launch(problem) {
    const { layer, op, inputs, output, relu, limits } = problem;
    const [images, inChannels, height, width] = inputs[0].shape;
    const pixels = height * width;
    const workgroupSize = broadcastWorkgroupSize(limits);
    const tilePixels = bestBlockTile(workgroupSize, [7, 6, 5, 4], (size) => Math.ceil(pixels / size));
    const blocks = Math.ceil(pixels / (tilePixels * workgroupSize));
    const { weight, bias } = convParameters(problem, tileChannels);
    return [
      {
        values: {
          ...placement(inputs[0], output),
          workgroupSize,
          images,
          inChannels,
          outChannels: op.outChannels,
          pixels,
          relu: Number(relu),
          TILE_CHANNELS: tileChannels,
          TILE_PIXELS: tilePixels,
        },
        bindings: [
          { kind: "input", input: 0 },
          { kind: "parameter", parameter: weight },
          { kind: "parameter", parameter: bias },
          { kind: "output" },
        ],
        workgroups: workgroupGrid(layer, images * Math.ceil(op.outChannels / tileChannels) * blocks, limits),
      },
    ];
  },
};
