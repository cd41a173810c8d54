/** Launches kernels/lrn.wgsl. */

import type { Lrn } from "../../graph/ops.ts";
import { inputAndOutput, oneKernel, placement, placementFields, threadPerTile } from "../kernel.ts";

const tileChannels = 8;

/** A thread keeps as many values as a window and its tile take. */
const largestSize = 63;

export const lrn = oneKernel<Lrn>({
  name: "lrn",
  op: "lrn",
  bindings: inputAndOutput,
  constants: ["workgroupSize"],
  layer: ["threadCount", "channels", "pixels", ...placementFields, "alphaOverSize", "beta", "k"],
  floats: ["alphaOverSize", "beta", "k"],
  tiles: ["TILE_CHANNELS", "SIZE"],
  accepts: ({ op }) => op.region !== "within" && op.size <= largestSize,
  launch({ layer, op, inputs, output, limits }) {
    const [images, channels, height, width] = inputs[0].shape;
    const pixels = height * width;
    const { values, workgroups } = threadPerTile(layer, images * Math.ceil(channels / tileChannels) * pixels, limits);
    return [
      {
        values: {
          ...values,
          ...placement(inputs[0], output),
          channels,
          pixels,
          alphaOverSize: op.alpha / op.size,
          beta: op.beta,
          k: op.k,
          TILE_CHANNELS: tileChannels,
          SIZE: op.size,
        },
        bindings: [{ kind: "input", input: 0 }, { kind: "output" }],
        workgroups,
      },
    ];
  },
});
