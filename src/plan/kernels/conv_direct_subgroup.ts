/** Launches kernels/conv_direct_subgroup.wgsl. */

import type { Conv } from "../../graph/ops.ts";
import { inputWeightBiasOutput, oneKernel, workgroupGrid } from "../kernel.ts";
import { columnTiles, convDirect, convLayer, tapsFor } from "./conv_direct.ts";
import { convParameters } from "./conv_parameters.ts";
import { bestBlockTile, broadcastPreference, broadcastWorkgroupSize, canBroadcast } from "./subgroups.ts";

const tileChannels = 16;

export const convDirectSubgroup = oneKernel<Conv>({
  name: "conv_direct_subgroup",
  op: "conv",
  bindings: inputWeightBiasOutput,
  constants: ["workgroupSize", "relu"],
  layer: convDirect.layer.with(0, "images"),
  tiles: convDirect.tiles,
  accepts: ({ limits }) => canBroadcast(limits),
  // A group of few channels leaves most of a tile empty.
  preference: ({ op, limits }) => (op.outChannels / op.groups > tileChannels / 2 ? broadcastPreference(limits) : -1),
  launch(problem) {
    const { layer, op, output, relu, limits } = problem;
    const [images, , outHeight, outWidth] = output.shape;
    const workgroupSize = broadcastWorkgroupSize(limits);
    const mapTiles = (columns: number) => outHeight * Math.ceil(outWidth / columns);
    const tileColumns = bestBlockTile(workgroupSize, columnTiles(op, [7, 6, 5, 4]), mapTiles);
    const blocks = Math.ceil(mapTiles(tileColumns) / workgroupSize);
    const channelTiles = op.groups * Math.ceil(op.outChannels / op.groups / tileChannels);
    const { weight, bias } = convParameters(problem, tileChannels);
    return [
      {
        values: {
          ...convLayer(problem),
          workgroupSize,
          images,
          relu: Number(relu),
          TILE_CHANNELS: tileChannels,
          TILE_COLUMNS: tileColumns,
          TAPS: tapsFor(op),
          STRIDE_X: op.stride[1],
          DILATION_X: op.dilation[1],
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
