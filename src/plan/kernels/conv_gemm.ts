/** Convolutions by kernels/conv_gemm.wgsl: one product, or a product in parts that kernels/sum_parts.wgsl adds up. */

import type { Conv } from "../../graph/ops.ts";
import {
  type Algorithm,
  imageElements,
  type Kernel,
  type Launch,
  type LaunchBinding,
  type Problem,
  threadPerTile,
} from "../kernel.ts";
import { largestBuffer } from "../limits.ts";
import { bytesPerElement } from "../plan.ts";
import { elementBytes } from "../precision.ts";
import { windowLayer } from "./conv_direct.ts";
import { convParameters, restPlace, tensorsOf } from "./conv_parameters.ts";
import {
  blocksOf,
  type GemmSize,
  gemmKernel,
  type GemmTile,
  gemmTiles,
  launchGemm,
  onePlace,
  predictedSpeed,
  tileFits,
  tileName,
} from "./gemm.ts";
import { hasWideSubgroups } from "./subgroups.ts";

/** The product that a convolution is. */
export function sizeOf({ op, inputs, output }: Problem<Conv>): GemmSize {
  const [images, , outHeight, outWidth] = output.shape;
  const depth = inputs[0].shape[1] * op.kernel[0] * op.kernel[1];
  return { outChannels: op.outChannels, columns: images * outHeight * outWidth, depth, parts: 1, partDepth: depth };
}

/** The values of `windowFields` for a convolution. */
export function windowOf(problem: Problem<Conv>) {
  const { op, output } = problem;
  return {
    ...windowLayer(problem),
    strideX: op.stride[1],
    dilationX: op.dilation[1],
    images: output.shape[0],
    outChannels: op.outChannels,
    depth: sizeOf(problem).depth,
    ...restPlace(problem),
  };
}

/** A dispatch that computes the whole of it. */
const onePart = { parts: 1, inPartStride: 0, outPartStride: 0 };

export function restBinding({ rest }: Problem<Conv>): LaunchBinding {
  return { kind: rest ? "rest" : "unused" };
}

function convGemm(tile: GemmTile): Algorithm<Conv> {
  return {
    name: `conv_gemm_${tileName(tile)}`,
    op: "conv",
    kernels: [gemmKernel],
    fuses: ["rest", "pool"],
    accepts: ({ op, limits }) => op.groups === 1 && tileFits(tile, limits),
    preference: (problem) => (hasWideSubgroups(problem.limits) ? predictedSpeed(tile, sizeOf(problem), 1) : -1),
    launch(problem) {
      const { layer, limits, relu } = problem;
      const window = { ...windowOf(problem), ...onePart };
      return [
        launchGemm(tile, {
          layer,
          limits,
          window,
          partDepth: window.depth,
          ownWeights: false,
          relu,
          pool: problem.pool,
          input: { kind: "input", input: 0 },
          rest: restBinding(problem),
          output: { kind: "output" },
          parameters: (blockChannels) => convParameters(problem, blockChannels),
        }),
      ];
    },
  };
}

/** Workgroups that fill a large GPU twice: there is no point in more parts. */
const enoughWorkgroups = 264;

/** Steps of the depth that a part should have at least. */
const fewSteps = 2;

/** The product in parts: 1 where it has workgroups enough or is too short. */
function split(tile: GemmTile, problem: Problem<Conv>): GemmSize {
  const size = sizeOf(problem);
  const { depth } = size;
  const { limits, scratchBudget } = problem;
  const partBytes = size.columns * size.outChannels * bytesPerElement;
  const wanted = Math.min(
    Math.floor(enoughWorkgroups / blocksOf(tile, size)),
    Math.floor(depth / (fewSteps * tile.blockDepth)),
    Math.floor(largestBuffer(limits) / partBytes),
  );
  const most = Math.min(wanted, Math.max(2, Math.floor(scratchBudget / partBytes)));
  if (most < 2) return size;
  const partDepth = Math.ceil(depth / most / tile.blockDepth) * tile.blockDepth;
  return { ...size, parts: Math.ceil(depth / partDepth), partDepth };
}

const sumKernel: Kernel = {
  name: "sum_parts",
  bindings: [
    { name: "input", access: "read_write" },
    { name: "bias", access: "read" },
    { name: "rest", access: "read_write" },
    { name: "output", access: "read_write" },
  ],
  constants: ["workgroupSize", "relu"],
  layer: [
    "threadCount",
    "parts",
    "channels",
    "pixels",
    "outOffset",
    "outStride",
    "firstChannels",
    "restOffset",
    "restStride",
  ],
  tiles: [],
};

/**
 * Split-K: where a layer has too few blocks for the device, each is computed in several parts, of the depth, whose
 * sums another dispatch adds up.
 */
function convGemmSplit(tile: GemmTile): Algorithm<Conv> {
  return {
    name: `conv_gemm_${tileName(tile)}_split`,
    op: "conv",
    kernels: [gemmKernel, sumKernel],
    fuses: ["rest", "pool"],
    accepts: (problem) => problem.op.groups === 1 && tileFits(tile, problem.limits) && split(tile, problem).parts > 1,
    preference: (problem) => (hasWideSubgroups(problem.limits) ? predictedSpeed(tile, split(tile, problem), 2) : -1),
    scratch(problem) {
      const { parts, columns, outChannels } = split(tile, problem);
      return [parts * columns * outChannels * bytesPerElement];
    },
    launch: (problem) => [multiplyParts(tile, problem), sumParts(tile, problem)],
  };
}

function multiplyParts(tile: GemmTile, problem: Problem<Conv>): Launch {
  const { layer, precision, limits, inputs } = problem;
  const { parts, partDepth, depth, columns, outChannels } = split(tile, problem);
  const launch = launchGemm(tile, {
    layer,
    limits,
    window: {
      ...windowOf(problem),
      ...onePart,
      ...onePlace(outChannels),
      outOffset: 0,
      outStride: (columns * outChannels) / inputs[0].shape[0],
      outPartStride: columns * outChannels,
      parts,
    },
    partDepth,
    ownWeights: false,
    relu: false,
    pool: problem.pool,
    input: { kind: "input", input: 0 },
    rest: { kind: "unused" },
    output: scratch,
    parameters(blockChannels) {
      const { weight, bias } = convParameters(problem, blockChannels);
      return { weight, bias: { layout: "zeros", elements: bias.elements } };
    },
  });
  const read = inputs[0].shape[0] * imageElements(inputs[0]) + outChannels * depth;
  return {
    ...launch,
    elements: { Output: "f32" },
    macs: outChannels * columns * depth,
    bytes: read * elementBytes[precision] + parts * columns * outChannels * bytesPerElement,
  };
}

function sumParts(tile: GemmTile, problem: Problem<Conv>): Launch {
  const { layer, op, output, relu, limits } = problem;
  const { parts, columns, outChannels } = split(tile, problem);
  const [, , height, width] = output.shape;
  const { values, workgroups } = threadPerTile(layer, columns * outChannels, limits);
  return {
    kernel: sumKernel,
    values: {
      ...values,
      parts,
      channels: outChannels,
      pixels: height * width,
      outOffset: output.offset,
      outStride: output.stride,
      ...restPlace(problem),
      relu: Number(relu),
    },
    bindings: [
      scratch,
      {
        kind: "parameter",
        parameter: op.bias
          ? { layout: "plain", ...tensorsOf(problem, "bias"), elements: outChannels }
          : { layout: "zeros", elements: outChannels },
      },
      restBinding(problem),
      { kind: "output" },
    ],
    workgroups,
    macs: 0,
    bytes:
      parts * columns * outChannels * bytesPerElement + (columns + 1) * outChannels * elementBytes[problem.precision],
  };
}

const scratch: LaunchBinding = { kind: "scratch", scratch: 0 };

export const convGemms: readonly Algorithm<Conv>[] = gemmTiles.map(convGemm);

/** Small blocks alone are so many that parts of them fill a GPU. */
export const convGemmSplits: readonly Algorithm<Conv>[] = gemmTiles.slice(-2).map(convGemmSplit);
