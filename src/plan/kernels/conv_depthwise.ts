/** Launches kernels/conv_depthwise.wgsl. */

import type { Conv } from "../../graph/ops.ts";
import { bestTile, inputWeightBiasOutput, oneKernel, threadPerTile } from "../kernel.ts";
import { columnTiles, tapsFor, windowLayer } from "./conv_direct.ts";

/** From so many output channels for each of the input on, a tile of them shares what it loads of that. */
const fewChannels = 4;

export const convDepthwise = oneKernel<Conv>({
  name: "conv_depthwise",
  op: "conv",
  bindings: inputWeightBiasOutput,
  constants: ["workgroupSize", "relu"],
  layer: [
    "threadCount",
    "outChannels",
    "multiplier",
    "inHeight",
    "inWidth",
    "inOffset",
    "inStride",
    "outHeight",
    "outWidth",
    "outOffset",
    "outStride",
    "kernelHeight",
    "kernelWidth",
    "strideY",
    "dilationY",
    "padTop",
    "padLeft",
  ],
  tiles: ["TILE_COLUMNS", "TAPS", "STRIDE_X", "DILATION_X"],
  accepts: ({ op, inputs }) => inputs[0].shape[1] === op.groups,
  // More than any other kernel of convolutions is: theirs are tiles of channels, which stay empty.
  preference: ({ op }) => (op.outChannels / op.groups < fewChannels && op.groups > 1 ? 2 : -1),
  launch(problem) {
    const { layer, op, output, relu, limits } = problem;
    const [images, , outHeight, outWidth] = output.shape;
    const { groups, outChannels, kernel, stride, dilation } = op;
    const tileColumns = bestTile(outWidth, columnTiles(op, [4]));
    const threads = images * outChannels * outHeight * Math.ceil(outWidth / tileColumns);
    const { values, workgroups } = threadPerTile(layer, threads, limits);
    return [
      {
        values: {
          ...values,
          ...windowLayer(problem),
          outChannels,
          multiplier: outChannels / groups,
          relu: Number(relu),
          TILE_COLUMNS: tileColumns,
          TAPS: tapsFor(op),
          STRIDE_X: stride[1],
          DILATION_X: dilation[1],
        },
        bindings: [
          { kind: "input", input: 0 },
          {
            kind: "parameter",
            parameter: { layout: "plain", name: `${layer}.weight`, elements: outChannels * kernel[0] * kernel[1] },
          },
          {
            kind: "parameter",
            parameter: op.bias
              ? { layout: "plain", name: `${layer}.bias`, elements: outChannels }
              : { layout: "zeros", elements: outChannels },
          },
          { kind: "output" },
        ],
        workgroups,
      },
    ];
  },
});
