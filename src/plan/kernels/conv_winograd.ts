/**
 * Winograd's minimal filtering for 3×3 convolutions of stride 1, F(2×2, 3×3) and F(4×4, 3×3): the input's tiles and
 * the weights are transformed, multiplied channel by channel as one matrix product a frequency, and transformed back.
 * A tile of m×m outputs takes (m + 2)² products a channel instead of 9m²: 2.25 and 4 times fewer.
 * A value that is not finite spoils its tile's outputs rather than those of its windows alone.
 * (Lavin & Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016.)
 */

import type { Conv } from "../../graph/ops.ts";
import { type Algorithm, type Kernel, type Launch, type Problem, threadPerTile } from "../kernel.ts";
import type { PlanLimits } from "../limits.ts";
import { bytesPerElement, type WinogradSize } from "../plan.ts";
import { kernelsOfProducts, launchPreferred } from "./product.ts";
import { broadcastPreference } from "./subgroups.ts";

/** Images that are transformed at once keep their scratch memory within this, where one image does. */
const scratchBudget = 16_000_000;

const tileFields = ["rowTiles", "columnTiles", "images", "firstImage"] as const;

/** What one image needs, and how many images go through the three steps at once. */
function dimensions({ inputs, output, limits }: Problem<Conv>, size: WinogradSize) {
  const [images, channels] = inputs[0].shape;
  const [, outChannels, height, width] = output.shape;
  const rowTiles = Math.ceil(height / size);
  const columnTiles = Math.ceil(width / size);
  const frequencies = (size + 2) ** 2;
  const mapBytes = frequencies * rowTiles * columnTiles * bytesPerElement;
  const imageBytes = mapBytes * Math.max(channels, outChannels);
  const budget = Math.min(scratchBudget, mostBytes(limits));
  const chunk = Math.max(1, Math.min(images, Math.floor(budget / imageBytes)));
  return {
    images,
    channels,
    outChannels,
    height,
    width,
    rowTiles,
    columnTiles,
    frequencies,
    mapBytes,
    imageBytes,
    chunk,
  };
}

function mostBytes({ maxBufferSize, maxStorageBufferBindingSize }: PlanLimits): number {
  return Math.min(maxBufferSize, maxStorageBufferBindingSize);
}

function winograd(size: WinogradSize): Algorithm<Conv> {
  const inputKernel: Kernel = {
    name: `winograd${size}_input`,
    bindings: [
      { name: "input", access: "read" },
      { name: "output", access: "read_write" },
    ],
    constants: ["workgroupSize"],
    layer: ["threadCount", "channels", "height", "width", "inOffset", "inStride", "padTop", "padLeft", ...tileFields],
    tiles: [],
  };
  const outputKernel: Kernel = {
    name: `winograd${size}_output`,
    bindings: [
      { name: "input", access: "read" },
      { name: "bias", access: "read" },
      { name: "output", access: "read_write" },
    ],
    constants: ["workgroupSize", "relu"],
    layer: ["threadCount", "channels", "height", "width", "outOffset", "outStride", ...tileFields],
    tiles: [],
  };
  return {
    name: `conv_winograd${size}`,
    op: "conv",
    kernels: [inputKernel, ...kernelsOfProducts, outputKernel],
    // F(4×4) multiplies by up to 8 and adds values of both signs: it loses a digit.
    ...(size === 4 ? { tolerance: 3e-5 } : {}),
    accepts(problem) {
      const { kernel, stride, dilation, groups } = problem.op;
      return (
        kernel.every((extent) => extent === 3) &&
        [...stride, ...dilation, groups].every((extent) => extent === 1) &&
        dimensions(problem, size).imageBytes <= mostBytes(problem.limits)
      );
    },
    preference(problem) {
      // The product's columns are the tiles: fewer than these leave most of its register tiles empty.
      const { rowTiles, columnTiles, chunk } = dimensions(problem, size);
      if (rowTiles * columnTiles * chunk < 49) return -1;
      return broadcastPreference(problem.limits) > 0 ? size : -1;
    },
    scratch(problem) {
      const { channels, outChannels, mapBytes, chunk } = dimensions(problem, size);
      return [channels, outChannels].map((count) => count * mapBytes * chunk);
    },
    launch(problem) {
      const { images, chunk } = dimensions(problem, size);
      const launches: Launch[] = [];
      for (let first = 0; first < images; first += chunk) {
        launches.push(...launchChunk(problem, size, inputKernel, outputKernel, first, Math.min(chunk, images - first)));
      }
      return launches;
    },
  };
}

/** The three steps for some images of the batch. */
function launchChunk(
  problem: Problem<Conv>,
  size: WinogradSize,
  inputKernel: Kernel,
  outputKernel: Kernel,
  firstImage: number,
  images: number,
): Launch[] {
  const { layer, op, inputs, output, relu, limits } = problem;
  const { channels, outChannels, height, width, rowTiles, columnTiles, frequencies } = dimensions(problem, size);
  const tiles = { rowTiles, columnTiles, images, firstImage };
  const columns = images * rowTiles * columnTiles;
  const toTiles = threadPerTile(layer, columns * channels, limits);
  const fromTiles = threadPerTile(layer, columns * outChannels, limits);
  return [
    {
      kernel: inputKernel,
      values: {
        ...toTiles.values,
        ...tiles,
        channels,
        height: inputs[0].shape[2],
        width: inputs[0].shape[3],
        inOffset: inputs[0].offset,
        inStride: inputs[0].stride,
        padTop: op.pad.top,
        padLeft: op.pad.left,
      },
      bindings: [
        { kind: "input", input: 0 },
        { kind: "scratch", scratch: 0 },
      ],
      workgroups: toTiles.workgroups,
      macs: 0,
    },
    {
      ...launchPreferred({
        layer,
        limits,
        images: frequencies,
        inChannels: channels,
        outChannels,
        columns,
        ownWeights: true,
        relu: false,
        place: { inOffset: 0, inStride: channels * columns, outOffset: 0, outStride: outChannels * columns },
        input: { kind: "scratch", scratch: 0 },
        output: { kind: "scratch", scratch: 1 },
        parameters(tileChannels) {
          const paddedChannels = Math.ceil(outChannels / tileChannels) * tileChannels;
          return {
            weight: {
              layout: "winograd_tiles",
              name: `${layer}.weight`,
              elements: frequencies * channels * paddedChannels,
              size,
              tileChannels,
            },
            bias: { layout: "zeros", elements: paddedChannels },
          };
        },
      }),
      macs: images * outChannels * channels * 9 * height * width,
    },
    {
      kernel: outputKernel,
      values: {
        ...fromTiles.values,
        ...tiles,
        channels: outChannels,
        height,
        width,
        outOffset: output.offset,
        outStride: output.stride,
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
      workgroups: fromTiles.workgroups,
      macs: 0,
    },
  ];
}

export const convWinograd2 = winograd(2);
export const convWinograd4 = winograd(4);
