/**
 * kernels/conv_gemm.wgsl: matrix products of blocks that a workgroup stages, output (outChannels × columns) =
 * weight (outChannels × depth) · input (depth × columns), for convolutions and for what others make into products.
 */

import type { PoolMax } from "../../graph/ops.ts";
import { inputWeightBiasRestOutput, type Kernel, type Launch, type LaunchBinding, workgroupGrid } from "../kernel.ts";
import type { PlanLimits } from "../limits.ts";
import type { PackedParameter } from "../plan.ts";

/** Sizes that the kernel's module-scope constants of the same names in capitals explain. */
export interface GemmTile {
  readonly blockChannels: number;
  readonly blockColumns: number;
  readonly blockDepth: number;
  readonly tileChannels: number;
  readonly tileQuads: number;
  readonly slices: number;
}

/** The large blocks load least, the small ones are many: slices make up for what their steps wait. */
export const gemmTiles: readonly GemmTile[] = [
  { blockChannels: 128, blockColumns: 64, blockDepth: 16, tileChannels: 8, tileQuads: 2, slices: 1 },
  { blockChannels: 64, blockColumns: 64, blockDepth: 16, tileChannels: 8, tileQuads: 2, slices: 1 },
  { blockChannels: 32, blockColumns: 64, blockDepth: 32, tileChannels: 8, tileQuads: 1, slices: 2 },
  { blockChannels: 32, blockColumns: 32, blockDepth: 64, tileChannels: 4, tileQuads: 1, slices: 4 },
  { blockChannels: 32, blockColumns: 16, blockDepth: 64, tileChannels: 4, tileQuads: 1, slices: 8 },
];

/** The fields of `Layer` that say what a convolution is, for kernels that compute it as one product. */
export const windowFields = [
  "inHeight",
  "inWidth",
  "inOffset",
  "inStride",
  "images",
  "outChannels",
  "outHeight",
  "outWidth",
  "outOffset",
  "outStride",
  "firstChannels",
  "restOffset",
  "restStride",
  "kernelHeight",
  "kernelWidth",
  "strideY",
  "strideX",
  "dilationY",
  "dilationX",
  "padTop",
  "padLeft",
  "depth",
] as const;

/** Those that say where the parts lie in which a dispatch computes it. */
const partFields = ["parts", "partBlocks", "partDepth", "inPartStride", "outPartStride"] as const;

export const gemmKernel: Kernel = {
  name: "conv_gemm",
  bindings: inputWeightBiasRestOutput,
  constants: ["workgroupSize", "relu", "pool"],
  layer: [...windowFields, ...partFields, "poolHeight", "poolWidth", "poolTop", "poolLeft"],
  tiles: ["BLOCK_CHANNELS", "BLOCK_COLUMNS", "BLOCK_DEPTH", "TILE_CHANNELS", "TILE_QUADS", "SLICES"],
  elements: ["Element", "Output"],
};

/** What is to be computed: a convolution's geometry, and the parts in which a dispatch computes it. */
export interface Gemm {
  /** The layer, as errors name it. */
  readonly layer: string;
  readonly limits: PlanLimits;
  readonly window: Readonly<Record<(typeof windowFields)[number] | "parts" | "inPartStride" | "outPartStride", number>>;
  /** Rows of the depth that a part sums: all, or the parts are pieces of one product. */
  readonly partDepth: number;
  /** Whether each part has weights of its own, one after another in the packed parameter. */
  readonly ownWeights: boolean;
  readonly relu: boolean;
  /** A max pooling of the input, of stride 1 and to the same height and width. */
  readonly pool: PoolMax | undefined;
  readonly input: LaunchBinding;
  readonly rest: LaunchBinding;
  readonly output: LaunchBinding;
  /** Weights and biases packed into blocks of that many output channels. */
  parameters(blockChannels: number): { readonly weight: PackedParameter; readonly bias: PackedParameter };
}

/** `64x64`: channels by columns. */
export function tileName({ blockChannels, blockColumns }: GemmTile): string {
  return `${blockChannels}x${blockColumns}`;
}

function threadsOf({ blockChannels, blockColumns, tileChannels, tileQuads, slices }: GemmTile): number {
  return ((blockChannels / tileChannels) * blockColumns * slices) / (4 * tileQuads);
}

/** Bytes of workgroup memory: a piece of both matrices, and in the end every slice's sums. */
function storageOf({ blockChannels, blockColumns, blockDepth, slices }: GemmTile): number {
  return 4 * Math.max(blockDepth * (blockChannels + blockColumns), slices * blockChannels * blockColumns);
}

/** Whether the device's workgroups are large enough for the tile. */
export function tileFits(tile: GemmTile, limits: PlanLimits): boolean {
  const threads = threadsOf(tile);
  return (
    threads <= limits.maxComputeWorkgroupSizeX &&
    threads <= limits.maxComputeInvocationsPerWorkgroup &&
    storageOf(tile) <= limits.maxComputeWorkgroupStorageSize
  );
}

/** Whether the device's workgroups are large enough for any tile. */
export function someTileFits(limits: PlanLimits): boolean {
  return gemmTiles.some((tile) => tileFits(tile, limits));
}

/** The size of a product: what its speed hangs on. */
export interface GemmSize {
  readonly outChannels: number;
  readonly columns: number;
  readonly depth: number;
  readonly parts: number;
  readonly partDepth: number;
}

/** Blocks of a part's output. */
export function blocksOf(tile: GemmTile, { outChannels, columns }: Pick<GemmSize, "outChannels" | "columns">): number {
  return Math.ceil(outChannels / tile.blockChannels) * Math.ceil(columns / tile.blockColumns);
}

/** The fields that say that all of a product's channels go to one place. */
export function onePlace(outChannels: number) {
  return { firstChannels: outChannels, restOffset: 0, restStride: 0 };
}

export function launchGemm(tile: GemmTile, gemm: Gemm): Launch {
  const { layer, limits, window, partDepth, ownWeights, relu, pool, input, rest, output } = gemm;
  const { outChannels, images, outHeight, outWidth, parts } = window;
  const { weight, bias } = gemm.parameters(tile.blockChannels);
  const blocks = blocksOf(tile, { outChannels, columns: images * outHeight * outWidth });
  return {
    kernel: gemmKernel,
    values: {
      ...window,
      partBlocks: ownWeights ? Math.ceil(outChannels / tile.blockChannels) : 0,
      partDepth,
      workgroupSize: threadsOf(tile),
      relu: Number(relu),
      pool: Number(pool !== undefined),
      poolHeight: pool?.kernel[0] ?? 0,
      poolWidth: pool?.kernel[1] ?? 0,
      poolTop: pool?.pad.top ?? 0,
      poolLeft: pool?.pad.left ?? 0,
      BLOCK_CHANNELS: tile.blockChannels,
      BLOCK_COLUMNS: tile.blockColumns,
      BLOCK_DEPTH: tile.blockDepth,
      TILE_CHANNELS: tile.tileChannels,
      TILE_QUADS: tile.tileQuads,
      SLICES: tile.slices,
    },
    bindings: [input, { kind: "parameter", parameter: weight }, { kind: "parameter", parameter: bias }, rest, output],
    workgroups: workgroupGrid(layer, parts * blocks, limits),
  };
}

/** One multiprocessor of a large GPU of 2022 (NVIDIA H100), and how many there are, as far as `predictedSpeed` goes. */
const gpu = {
  multiprocessors: 132,
  /** That it holds at once. */
  threads: 2048,
  storageBytes: 200_000,
  /** A cycle: multiply-adds, quads that lanes load from workgroup memory, bytes from the cache that all share. */
  macs: 128,
  quads: 16,
  bytes: 24,
  /** Cycles from a step's fetch to its sums where nothing else is there to be done meanwhile. */
  stepLatency: 800,
  /** Cycles that a dispatch takes beside its work: it waits for all of the one before. */
  dispatch: 6000,
};

/**
 * Multiply-adds a cycle that a large GPU may reach with this tile: a prediction from data sheets, never measured, to
 * have a default where nothing was tuned. A product takes as long as the fullest multiprocessor computes and loads, or
 * as long as its steps wait one after another, whichever is more.
 */
export function predictedSpeed(tile: GemmTile, size: GemmSize, dispatches: number): number {
  const { blockChannels, blockColumns, blockDepth, tileChannels, tileQuads } = tile;
  const workgroups = size.parts * blocksOf(tile, size);
  const steps = Math.ceil(size.partDepth / blockDepth);
  const resident = Math.floor(Math.min(gpu.threads / threadsOf(tile), gpu.storageBytes / storageOf(tile)));

  const stepMacs = blockChannels * blockColumns * blockDepth;
  const stepQuads = (stepMacs * (tileChannels / 4 + tileQuads)) / (tileChannels * 4 * tileQuads);
  const stepBytes = 4 * blockDepth * (blockChannels + blockColumns);
  const step = Math.max(stepMacs / gpu.macs + stepQuads / gpu.quads, stepBytes / gpu.bytes);

  const working = Math.ceil(workgroups / gpu.multiprocessors) * steps * step;
  const waiting = Math.ceil(workgroups / (gpu.multiprocessors * resident)) * steps * gpu.stepLatency;
  const macs = size.outChannels * size.columns * size.depth;
  return macs / (Math.max(working, waiting) + dispatches * gpu.dispatch);
}
