/** Launches kernels/conv_pointwise.wgsl and kernels/conv_pointwise_vec4.wgsl: 1×1 convolution as a matrix product. */

import type { Conv } from "../../graph/ops.ts";
import {
  bestTile,
  inputWeightBiasOutput,
  type Kernel,
  type Launch,
  placement,
  type Problem,
  threadPerTile,
} from "../kernel.ts";
import { convParameters } from "./conv_parameters.ts";

const constants = ["workgroupSize", "relu"] as const;
const layer = [
  "threadCount",
  "inChannels",
  "inOffset",
  "inStride",
  "outChannels",
  "outOffset",
  "outStride",
  "pixels",
] as const;

/** Whether a convolution is a product of its weights with each image's pixels as they lie. */
export function isPointwise({ kernel, stride, pad, groups }: Conv): boolean {
  return (
    [...kernel, ...stride, groups].every((extent) => extent === 1) &&
    Object.values(pad).every((extent: number) => extent === 0)
  );
}

function launchProduct(
  problem: Problem<Conv>,
  tileChannels: number,
  pixelTiles: number,
  tiles: Readonly<Record<string, number>>,
): readonly Launch[] {
  const { layer: name, op, inputs, output, relu, limits } = problem;
  const [batch, inChannels, height, width] = inputs[0].shape;
  const { weight, bias } = convParameters(problem, tileChannels);
  const threads = batch * Math.ceil(op.outChannels / tileChannels) * pixelTiles;
  const grid = threadPerTile(name, threads, limits);
  return [
    {
      values: {
        ...grid.values,
        ...placement(inputs[0], output),
        inChannels,
        outChannels: op.outChannels,
        pixels: height * width,
        relu: Number(relu),
        TILE_CHANNELS: tileChannels,
        ...tiles,
      },
      bindings: [
        { kind: "input", input: 0 },
        { kind: "parameter", parameter: weight },
        { kind: "parameter", parameter: bias },
        { kind: "output" },
      ],
      workgroups: grid.workgroups,
    },
  ];
}

export const convPointwise: Kernel<Conv> = {
  name: "conv_pointwise",
  op: "conv",
  bindings: inputWeightBiasOutput,
  constants,
  layer,
  tiles: ["TILE_CHANNELS", "TILE_PIXELS"],
  accepts: ({ op }) => isPointwise(op),
  launch(problem) {
    const pixels = problem.output.shape[2] * problem.output.shape[3];
    const tilePixels = bestTile(pixels, [7, 8, 6, 5, 4]);
    return launchProduct(problem, problem.op.outChannels <= 4 ? 4 : 8, Math.ceil(pixels / tilePixels), {
      TILE_PIXELS: tilePixels,
    });
  },
};

export const convPointwiseVec4: Kernel<Conv> = {
  name: "conv_pointwise_vec4",
  op: "conv",
  bindings: inputWeightBiasOutput,
  constants,
  layer,
  tiles: ["TILE_CHANNELS", "TILE_QUADS"],
  accepts({ op, inputs: [input], output }) {
    const pixels = output.shape[2] * output.shape[3];
    return (
      isPointwise(op) &&
      [pixels, input.offset, input.stride, output.offset, output.stride].every((extent) => extent % 4 === 0)
    );
  },
  launch(problem) {
    const quads = (problem.output.shape[2] * problem.output.shape[3]) / 4;
    const tileQuads = bestTile(quads, [2, 1]);
    return launchProduct(problem, problem.op.outChannels <= 4 ? 4 : 8, Math.ceil(quads / tileQuads), {
      TILE_QUADS: tileQuads,
    });
  },
};
