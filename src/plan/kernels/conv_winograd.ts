/**
 * Winograd's minimal filtering for 3×3 convolutions of stride 1, F(2×2, 3×3) and F(4×4, 3×3): the input's tiles and
 * the weights are transformed, multiplied channel by channel as one matrix product a frequency, and transformed back.
 * A tile of m×m outputs takes (m + 2)² products a channel instead of 9m²: 2.25 and 4 times fewer.
 * A value that is not finite spoils its tile's outputs rather than those of its windows alone.
 * (Lavin & Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016.)
 */

import type { Conv } from "../../graph/ops.ts";
import { type Algorithm, imageElements, type Kernel, type Launch, type Problem, threadPerTile } from "../kernel.ts";
import { largestBuffer } from "../limits.ts";
import { bytesPerElement, type View, type WinogradSize } from "../plan.ts";
import { elementBytes, type Precision } from "../precision.ts";
import { inBlocks, inRegisters, type ProductChoice } from "./product.ts";
import { broadcastPreference } from "./subgroups.ts";

/**
 * Fewer tiles an image than these, the columns of the products, leave most of the products' register tiles empty. More
 * images would fill them, but the same algorithm whatever the batch gives a picture the same probabilities in each.
 */
const fewTiles = 49;

/** Output channels are parted at multiples of this, which most products' tiles divide; the others' are padded. */
const channelBlock = 32;

const tileFields = ["rowTiles", "columnTiles", "firstTile", "tiles"] as const;

/** The batch's tiles, and the most tiles and output channels that go through the steps at once. */
function tiling({ inputs, output, limits, scratchBudget }: Problem<Conv>, size: WinogradSize) {
  const [images, channels] = inputs[0].shape;
  const [, outChannels, height, width] = output.shape;
  const rowTiles = Math.ceil(height / size);
  const columnTiles = Math.ceil(width / size);
  const total = images * rowTiles * columnTiles;
  const frequencies = (size + 2) ** 2;
  const tileBytes = frequencies * bytesPerElement;
  const inBudget = Math.floor(scratchBudget / (tileBytes * (channels + outChannels)));
  const inLimits = Math.floor(largestBuffer(limits) / (tileBytes * Math.max(channels, outChannels)));
  const mostTiles = evenly(total, Math.min(Math.max(inBudget, fewTiles), inLimits));
  const channelsInBudget = Math.floor(scratchBudget / (tileBytes * mostTiles)) - channels;
  const blocks = Math.ceil(outChannels / channelBlock);
  const mostChannels = evenly(blocks, Math.max(1, Math.floor(channelsInBudget / channelBlock))) * channelBlock;
  return {
    channels,
    outChannels,
    rowTiles,
    columnTiles,
    frequencies,
    tileBytes,
    total,
    mostTiles,
    mostChannels: Math.min(mostChannels, outChannels),
    fits: inLimits > 0,
  };
}

/** The size of nearly equal parts of `count`, none above `most`: a small one at the end is as slow as a full one. */
function evenly(count: number, most: number): number {
  return Math.ceil(count / Math.ceil(count / Math.max(most, 1)));
}

/** Tiles or channels that go through a step at once. */
interface Part {
  readonly first: number;
  readonly count: number;
}

function parts(total: number, most: number): Part[] {
  return Array.from({ length: Math.ceil(total / most) }, (_, part) => ({
    first: part * most,
    count: Math.min(most, total - part * most),
  }));
}

/** The first and the last step. */
function transformKernels(size: WinogradSize): { readonly input: Kernel; readonly output: Kernel } {
  return {
    input: {
      name: `winograd${size}_input`,
      bindings: [
        { name: "input", access: "read_write" },
        { name: "output", access: "read_write" },
      ],
      constants: ["workgroupSize"],
      layer: ["threadCount", "channels", "height", "width", "inOffset", "inStride", "padTop", "padLeft", ...tileFields],
      tiles: [],
    },
    output: {
      name: `winograd${size}_output`,
      bindings: [
        { name: "input", access: "read_write" },
        { name: "bias", access: "read" },
        { name: "output", access: "read_write" },
      ],
      constants: ["workgroupSize", "relu"],
      layer: ["threadCount", "channels", "firstChannel", "height", "width", "outOffset", "outStride", ...tileFields],
      tiles: [],
    },
  };
}

const transforms = { 2: transformKernels(2), 4: transformKernels(4) } as const;

function winograd(name: string, size: WinogradSize, products: ProductChoice): Algorithm<Conv> {
  const { input: inputKernel, output: outputKernel } = transforms[size];
  return {
    name,
    op: "conv",
    kernels: [inputKernel, ...products.kernels, outputKernel],
    // F(4×4) multiplies by up to 8 and adds values of both signs: it loses a digit.
    ...(size === 4 ? { tolerance: 3e-5 } : {}),
    accepts(problem) {
      const { kernel, stride, dilation, groups } = problem.op;
      return (
        kernel.every((extent) => extent === 3) &&
        [...stride, ...dilation, groups].every((extent) => extent === 1) &&
        products.accepts(problem.limits) &&
        tiling(problem, size).fits
      );
    },
    preference(problem) {
      const { rowTiles, columnTiles } = tiling(problem, size);
      if (rowTiles * columnTiles < fewTiles) return -1;
      return products === inRegisters && broadcastPreference(problem.limits) > 0 ? size : -1;
    },
    scratch(problem) {
      const { channels, mostChannels, tileBytes, mostTiles } = tiling(problem, size);
      return [channels, mostChannels].map((count) => count * tileBytes * mostTiles);
    },
    launch(problem) {
      const { outChannels, total, mostTiles, mostChannels } = tiling(problem, size);
      return parts(total, mostTiles).flatMap((tiles) => [
        transformInput(problem, size, inputKernel, tiles),
        ...parts(outChannels, mostChannels).flatMap((channels) => [
          multiply(problem, size, products, tiles, channels),
          transformOutput(problem, size, outputKernel, tiles, channels),
        ]),
      ]);
    },
  };
}

function transformInput(problem: Problem<Conv>, size: WinogradSize, kernel: Kernel, tiles: Part): Launch {
  const { layer, op, inputs, limits } = problem;
  const { channels, rowTiles, columnTiles, tileBytes, total } = tiling(problem, size);
  const [input] = inputs;
  const { values, workgroups } = threadPerTile(layer, tiles.count * channels, limits);
  return {
    kernel,
    values: {
      ...values,
      channels,
      height: input.shape[2],
      width: input.shape[3],
      inOffset: input.offset,
      inStride: input.stride,
      padTop: op.pad.top,
      padLeft: op.pad.left,
      rowTiles,
      columnTiles,
      firstTile: tiles.first,
      tiles: tiles.count,
    },
    bindings: [
      { kind: "input", input: 0 },
      { kind: "scratch", scratch: 0 },
    ],
    workgroups,
    macs: 0,
    bytes: Math.round((viewBytes(input, problem.precision) * tiles.count) / total) + channels * tiles.count * tileBytes,
  };
}

/** One product a frequency; its direct equivalent counts as the layer's multiply-accumulates. */
function multiply(
  problem: Problem<Conv>,
  size: WinogradSize,
  products: ProductChoice,
  tiles: Part,
  outChannels: Part,
): Launch {
  const { layer, inputs, output, limits } = problem;
  const { channels, frequencies, tileBytes, total } = tiling(problem, size);
  const [, , height, width] = output.shape;
  const scratchBytes = (channels + outChannels.count) * tiles.count * tileBytes;
  return {
    ...products.launch({
      layer,
      limits,
      images: frequencies,
      inChannels: channels,
      outChannels: outChannels.count,
      columns: tiles.count,
      ownWeights: true,
      relu: false,
      place: {
        inOffset: 0,
        inStride: channels * tiles.count,
        outOffset: 0,
        outStride: outChannels.count * tiles.count,
      },
      input: { kind: "scratch", scratch: 0 },
      output: { kind: "scratch", scratch: 1 },
      parameters(tileChannels) {
        const paddedChannels = Math.ceil(outChannels.count / tileChannels) * tileChannels;
        return {
          weight: {
            layout: "winograd_tiles",
            name: `${layer}.weight`,
            elements: frequencies * channels * paddedChannels,
            size,
            tileChannels,
            firstChannel: outChannels.first,
            outChannels: outChannels.count,
          },
          bias: { layout: "zeros", elements: paddedChannels },
        };
      },
    }),
    // What is transformed is larger than what comes of it, and cancels: float16 would lose another digit.
    elements: { Element: "f32", Output: "f32" },
    macs: (inputs[0].shape[0] * outChannels.count * channels * 9 * height * width * tiles.count) / total,
    bytes: scratchBytes + channels * outChannels.count * tileBytes,
  };
}

function transformOutput(
  problem: Problem<Conv>,
  size: WinogradSize,
  kernel: Kernel,
  tiles: Part,
  channels: Part,
): Launch {
  const { layer, op, output, relu, limits } = problem;
  const { outChannels, rowTiles, columnTiles, tileBytes, total } = tiling(problem, size);
  const part = (tiles.count * channels.count) / (total * outChannels);
  const { values, workgroups } = threadPerTile(layer, tiles.count * channels.count, limits);
  return {
    kernel,
    values: {
      ...values,
      channels: channels.count,
      firstChannel: channels.first,
      height: output.shape[2],
      width: output.shape[3],
      outOffset: output.offset,
      outStride: output.stride,
      rowTiles,
      columnTiles,
      firstTile: tiles.first,
      tiles: tiles.count,
      relu: Number(relu),
    },
    bindings: [
      { kind: "scratch", scratch: 1 },
      {
        kind: "parameter",
        parameter: op.bias
          ? { layout: "plain", name: `${layer}.bias`, elements: outChannels }
          : { layout: "zeros", elements: outChannels },
      },
      { kind: "output" },
    ],
    workgroups,
    macs: 0,
    bytes:
      channels.count * (tiles.count * tileBytes + elementBytes[problem.precision]) +
      Math.round(viewBytes(output, problem.precision) * part),
  };
}

/** Bytes of all images of a value, without what lies between them. */
function viewBytes(view: View, precision: Precision): number {
  return view.shape[0] * imageElements(view) * elementBytes[precision];
}

export const convWinograds: readonly Algorithm<Conv>[] = [
  winograd("conv_winograd4", 4, inRegisters),
  winograd("conv_winograd2", 2, inRegisters),
  winograd("conv_winograd4_gemm", 4, inBlocks),
  winograd("conv_winograd2_gemm", 2, inBlocks),
];
