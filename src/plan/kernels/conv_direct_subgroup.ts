/** Launches kernels/conv_direct_subgroup.wgsl. */

import type { Conv } from "../../graph/ops.ts";
import { inputWeightBiasOutput, oneKernel, workgroupGrid } from "../kernel.ts";
import { convLayer } from "./conv_direct.ts";
import { convParameters } from "./conv_parameters.ts";
import { blockChannels, broadcastPreference, canBroadcast, pixelBlocks } from "./subgroups.ts";

export const convDirectSubgroup = oneKernel<Conv>({
  name: "conv_direct_subgroup",
  op: "conv",
  bindings: inputWeightBiasOutput,
  constants: ["workgroupSize", "relu"],
  layer: [
    "images",
    "inChannels",
    "inHeight",
    "inWidth",
    "inOffset",
    "inStride",
    "groups",
    "outChannels",
    "outHeight",
    "outWidth",
    "outOffset",
    "outStride",
    "kernelHeight",
    "kernelWidth",
    "strideY",
    "strideX",
    "dilationY",
    "dilationX",
    "padTop",
    "padLeft",
  ],
  tiles: ["TILE_PIXELS"],
  accepts: ({ limits }) => canBroadcast(limits),
  // A group of few channels leaves most of a tile empty.
  preference: ({ op, limits }) => (op.outChannels / op.groups > blockChannels / 4 ? broadcastPreference(limits) : -1),
  launch(problem) {
    const { layer, op, output, relu, limits } = problem;
    const [images, , outHeight, outWidth] = output.shape;
    const { workgroupSize, tilePixels, blocks } = pixelBlocks(outHeight * outWidth, limits);
    const channelTiles = op.groups * Math.ceil(op.outChannels / op.groups / blockChannels);
    const { weight, bias } = convParameters(problem, blockChannels);
    return [
      {
        values: {
          ...convLayer(problem),
          workgroupSize,
          images,
          relu: Number(relu),
          strideX: op.stride[1],
          dilationX: op.dilation[1],
          TILE_PIXELS: tilePixels,
        },
        bindings: [
          { kind: "input", input: 0 },
          { kind: "parameter", parameter: weight },
          { kind: "parameter", parameter: bias },
          { kind: "output" },
        ],
        workgroups: workgroupGrid(layer, images * channelTiles * blocks, limits),
      },
    ];
  },
});
