/** Launches kernels/lrn_window.wgsl. */

import { lrnReach } from "../../graph/ops/lrn.ts";
import type { Lrn } from "../../graph/ops.ts";
import { elementCount } from "../../graph/tensor.ts";
import { imageElements, inputAndOutput, oneKernel, placement, placementFields, threadPerTile } from "../kernel.ts";

export const lrnWindow = oneKernel<Lrn>({
  name: "lrn_window",
  op: "lrn",
  bindings: inputAndOutput,
  constants: ["workgroupSize"],
  layer: [
    "threadCount",
    "elements",
    "channels",
    "height",
    "width",
    "channelsBelow",
    "channelsAbove",
    "pixelsBefore",
    "pixelsAfter",
    ...placementFields,
    "alphaOverArea",
    "beta",
    "k",
  ],
  floats: ["alphaOverArea", "beta", "k"],
  tiles: [],
  accepts: () => true,
  // Across channels a tile of them shares its loads, where its registers hold the window.
  preference: ({ op }) => (op.region === "within" ? 0 : -1),
  launch({ layer, op, inputs, output, limits }) {
    const [, channels, height, width] = output.shape;
    const within = op.region === "within";
    // No further than to the last channel or pixel: sizes may be any.
    const { below, above } = lrnReach(Math.min(op.size, 2 * Math.max(channels, height, width)));
    const { values, workgroups } = threadPerTile(layer, elementCount(output.shape), limits);
    return [
      {
        values: {
          ...values,
          ...placement(inputs[0], output),
          elements: imageElements(output),
          channels,
          height,
          width,
          channelsBelow: within ? 0 : below,
          channelsAbove: within ? 0 : above,
          pixelsBefore: within ? below : 0,
          pixelsAfter: within ? above : 0,
          alphaOverArea: op.alpha / (within ? op.size * op.size : op.size),
          beta: op.beta,
          k: op.k,
        },
        bindings: [{ kind: "input", input: 0 }, { kind: "output" }],
        workgroups,
      },
    ];
  },
});
