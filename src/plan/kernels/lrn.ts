/** Launches kernels/lrn.wgsl. */

import type { Lrn } from "../../graph/ops.ts";
import { inputAndOutput, oneKernel, placement, placementFields, threadPerTile } from "../kernel.ts";
import { perThread } from "./subgroups.ts";

/** A thread keeps as many values as a window takes. */
const largestSize = 63;

export const lrn = oneKernel<Lrn>({
  name: "lrn",
  op: "lrn",
  bindings: inputAndOutput,
  constants: ["workgroupSize", "threeQuarters"],
  layer: ["threadCount", "channels", "tileChannels", "pixels", ...placementFields, "alphaOverSize", "beta", "k"],
  floats: ["alphaOverSize", "beta", "k"],
  tiles: ["SIZE"],
  accepts: ({ op }) => op.region !== "within" && op.size <= largestSize,
  launch({ layer, op, inputs, output, limits }) {
    const [images, channels, height, width] = inputs[0].shape;
    const pixels = height * width;
    const tileChannels = perThread(channels, images * pixels, limits);
    const { values, workgroups } = threadPerTile(layer, images * Math.ceil(channels / tileChannels) * pixels, limits);
    return [
      {
        values: {
          ...values,
          ...placement(inputs[0], output),
          channels,
          tileChannels,
          pixels,
          alphaOverSize: op.alpha / op.size,
          beta: op.beta,
          k: op.k,
          threeQuarters: Number(op.beta === 0.75),
          SIZE: op.size,
        },
        bindings: [{ kind: "input", input: 0 }, { kind: "output" }],
        workgroups,
      },
    ];
  },
});
