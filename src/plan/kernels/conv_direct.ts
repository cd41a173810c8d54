/** Launches kernels/conv_direct.wgsl. */

import type { Conv } from "../../graph/ops.ts";
import { bestTile, inputWeightBiasOutput, oneKernel, placement, type Problem, threadPerTile } from "../kernel.ts";
import { convParameters } from "./conv_parameters.ts";

/** Wider kernels are walked in pieces: every column that is walked at once costs registers. */
const mostTaps = 11;

/** The longest piece of a row that a thread keeps in registers: strides and dilations may be any. */
const longestSegment = 48;

export const convDirect = oneKernel<Conv>({
  name: "conv_direct",
  op: "conv",
  bindings: inputWeightBiasOutput,
  constants: ["workgroupSize", "relu"],
  layer: [
    "threadCount",
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
    "dilationY",
    "padTop",
    "padLeft",
  ],
  tiles: ["TILE_CHANNELS", "TILE_COLUMNS", "TAPS", "STRIDE_X", "DILATION_X"],
  accepts: () => true,
  launch(problem: Problem<Conv>) {
    const { layer, op, output, relu, limits } = problem;
    const [batch, , outHeight, outWidth] = output.shape;
    const { groups, stride, dilation } = op;
    const outChannels = op.outChannels / groups;
    const tileChannels = outChannels <= 4 ? 4 : 8;
    const tileColumns = bestTile(outWidth, columnTiles(op, [7, 8, 6, 5, 4]));
    const { weight, bias } = convParameters(problem, tileChannels);
    const threads =
      batch * groups * Math.ceil(outChannels / tileChannels) * outHeight * Math.ceil(outWidth / tileColumns);
    const { values, workgroups } = threadPerTile(layer, threads, limits);
    return [
      {
        values: {
          ...values,
          ...convLayer(problem),
          relu: Number(relu),
          TILE_CHANNELS: tileChannels,
          TILE_COLUMNS: tileColumns,
          TAPS: tapsFor(op),
          STRIDE_X: stride[1],
          DILATION_X: dilation[1],
        },
        bindings: [
          { kind: "input", input: 0 },
          { kind: "parameter", parameter: weight },
          { kind: "parameter", parameter: bias },
          { kind: "output" },
        ],
        workgroups,
      },
    ];
  },
});

/** The fields of `Layer` that say what a convolution is, for every kernel that slides a window over groups. */
export function convLayer(problem: Problem<Conv>) {
  const { op, inputs } = problem;
  const { groups } = op;
  return {
    ...windowLayer(problem),
    inChannels: inputs[0].shape[1] / groups,
    groups,
    outChannels: op.outChannels / groups,
  };
}

/** Those of them that hang on neither channels nor groups. */
export function windowLayer({ op, inputs, output }: Problem<Conv>) {
  const [, , inHeight, inWidth] = inputs[0].shape;
  const [, , outHeight, outWidth] = output.shape;
  const { kernel, stride, dilation, pad } = op;
  return {
    ...placement(inputs[0], output),
    inHeight,
    inWidth,
    outHeight,
    outWidth,
    kernelHeight: kernel[0],
    kernelWidth: kernel[1],
    strideY: stride[0],
    dilationY: dilation[0],
    padTop: pad.top,
    padLeft: pad.left,
  };
}

/** How many of a kernel's columns are walked at once. */
export function tapsFor({ kernel, dilation }: Conv): number {
  return largestDivisor(kernel[1], Math.min(mostTaps, Math.ceil(longestSegment / 2 / dilation[1])));
}

/** The numbers among `sizes` of output columns that a thread can compute at once, or the most that it can. */
export function columnTiles(op: Conv, sizes: readonly number[]): readonly number[] {
  const taps = (tapsFor(op) - 1) * op.dilation[1] + 1;
  const most = Math.floor((longestSegment - taps) / op.stride[1]) + 1;
  const fitting = sizes.filter((size) => size <= most);
  return fitting.length > 0 ? fitting : [Math.max(most, 1)];
}

function largestDivisor(value: number, most: number): number {
  let divisor = Math.min(value, most);
  while (value % divisor !== 0) divisor--;
  return divisor;
}
