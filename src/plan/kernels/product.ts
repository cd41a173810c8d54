/**
 * Matrix products, output (outChannels × columns) = weight (outChannels × inChannels) · input (inChannels × columns),
 * for each of several images: 1×1 convolutions, and what other convolutions make into products. The kernels are
 * kernels/conv_pointwise*.wgsl and kernels/conv_gemm.wgsl.
 */

import {
  type Algorithm,
  bestTile,
  inputWeightBiasOutput,
  inputWeightBiasRestOutput,
  type Kernel,
  type Launch,
  type LaunchBinding,
  threadPerTile,
  workgroupGrid,
} from "../kernel.ts";
import type { PlanLimits } from "../limits.ts";
import type { PackedParameter } from "../plan.ts";
import { gemmKernel, gemmTiles, launchGemm, onePlace, predictedSpeed, someTileFits, tileFits } from "./gemm.ts";
import { blockChannels, broadcastPreference, canBroadcast, pixelBlocks } from "./subgroups.ts";

export interface Product {
  /** The layer, as errors name it. */
  readonly layer: string;
  readonly limits: PlanLimits;
  readonly images: number;
  readonly inChannels: number;
  readonly outChannels: number;
  readonly columns: number;
  /** Whether each image has weights of its own, one after another in the packed parameter. */
  readonly ownWeights: boolean;
  readonly relu: boolean;
  readonly place: {
    readonly inOffset: number;
    readonly inStride: number;
    readonly outOffset: number;
    readonly outStride: number;
  };
  readonly input: LaunchBinding;
  readonly output: LaunchBinding;
  /** Where the output channels after the first so many go, for a kernel that writes to two places. */
  readonly rest?: { readonly firstChannels: number; readonly restOffset: number; readonly restStride: number };
  /** Weights and biases packed into tiles of that many output channels. */
  parameters(tileChannels: number): { readonly weight: PackedParameter; readonly bias: PackedParameter };
}

/** A kernel that computes products. */
export interface ProductKernel {
  readonly kernel: Kernel;
  /** Whether it writes to two places. */
  readonly fuses?: Algorithm["fuses"];
  readonly accepts: (product: Product) => boolean;
  readonly preference: (limits: PlanLimits) => number;
  readonly launch: (product: Product) => Launch;
}

const productLayer = [
  "inChannels",
  "inOffset",
  "inStride",
  "outChannels",
  "outOffset",
  "outStride",
  "pixels",
  "weightTiles",
] as const;

function declare(name: string, first: "threadCount" | "images", tiles: readonly string[]): Kernel {
  return {
    name,
    bindings: inputWeightBiasOutput,
    constants: ["workgroupSize", "relu"],
    layer: [first, ...productLayer],
    tiles,
  };
}

/** The launch of any product kernel, but for what its own mapping of threads adds. */
function launchProduct(
  kernel: Kernel,
  product: Product,
  tileChannels: number,
  own: Readonly<Record<string, number>>,
  workgroups: Launch["workgroups"],
): Launch {
  const { inChannels, outChannels, columns, ownWeights, relu, place, input, output } = product;
  const { weight, bias } = product.parameters(tileChannels);
  return {
    kernel,
    values: {
      ...place,
      inChannels,
      outChannels,
      pixels: columns,
      weightTiles: ownWeights ? Math.ceil(outChannels / tileChannels) : 0,
      relu: Number(relu),
      ...own,
    },
    bindings: [input, { kind: "parameter", parameter: weight }, { kind: "parameter", parameter: bias }, output],
    workgroups,
  };
}

function launchThreads(
  kernel: Kernel,
  product: Product,
  columnTiles: number,
  tiles: Readonly<Record<string, number>>,
): Launch {
  const { layer, limits, images, outChannels } = product;
  const tileChannels = outChannels <= 4 ? 4 : 8;
  const threads = images * Math.ceil(outChannels / tileChannels) * columnTiles;
  const { values, workgroups } = threadPerTile(layer, threads, limits);
  const own = { ...values, TILE_CHANNELS: tileChannels, ...tiles };
  return launchProduct(kernel, product, tileChannels, own, workgroups);
}

const scalar = declare("conv_pointwise", "threadCount", ["TILE_CHANNELS", "TILE_PIXELS"]);
const vec4 = declare("conv_pointwise_vec4", "threadCount", ["TILE_CHANNELS", "TILE_QUADS"]);
const subgroup: Kernel = {
  name: "conv_pointwise_subgroup",
  bindings: inputWeightBiasRestOutput,
  constants: ["workgroupSize", "relu"],
  layer: ["images", ...productLayer, "firstChannels", "restOffset", "restStride"],
  tiles: ["TILE_PIXELS", "DEPTH"],
};

export const productScalar: ProductKernel = {
  kernel: scalar,
  accepts: () => true,
  preference: () => 0,
  launch(product) {
    const tilePixels = bestTile(product.columns, [7, 8, 6, 5, 4]);
    return launchThreads(scalar, product, Math.ceil(product.columns / tilePixels), { TILE_PIXELS: tilePixels });
  },
};

export const productVec4: ProductKernel = {
  kernel: vec4,
  accepts: ({ columns, place }) => [columns, ...Object.values(place)].every((extent) => extent % 4 === 0),
  preference: () => 0,
  launch(product) {
    const quads = product.columns / 4;
    const tileQuads = bestTile(quads, [2, 1]);
    return launchThreads(vec4, product, Math.ceil(quads / tileQuads), { TILE_QUADS: tileQuads });
  },
};

export const productSubgroup: ProductKernel = {
  kernel: subgroup,
  fuses: ["rest"],
  accepts: ({ limits }) => canBroadcast(limits),
  preference: broadcastPreference,
  launch(product) {
    const { layer, limits, images, inChannels, outChannels, columns, rest } = product;
    const { workgroupSize, tilePixels, blocks } = pixelBlocks(columns, limits);
    const count = images * Math.ceil(outChannels / blockChannels) * blocks;
    const depth = inChannels % 2 === 0 ? 2 : 1;
    const own = {
      ...(rest ?? onePlace(outChannels)),
      workgroupSize,
      images,
      TILE_PIXELS: tilePixels,
      DEPTH: depth,
    };
    const launch = launchProduct(subgroup, product, blockChannels, own, workgroupGrid(layer, count, limits));
    const [input, weight, bias, output] = launch.bindings;
    return { ...launch, bindings: [input, weight, bias, { kind: rest ? "rest" : "unused" }, output] };
  },
};

/** A way to choose the kernel of products that are a step of something else. */
export interface ProductChoice {
  /** Every kernel that it may choose. */
  readonly kernels: readonly Kernel[];
  readonly accepts: (limits: PlanLimits) => boolean;
  readonly launch: (product: Product) => Launch;
}

/** In the order in which they are preferred where their preference is the same. */
const productKernels = [productVec4, productScalar, productSubgroup];

/** The preferred one of the kernels without workgroup memory. */
export const inRegisters: ProductChoice = {
  kernels: productKernels.map(({ kernel }) => kernel),
  accepts: () => true,
  launch(product) {
    const [best] = productKernels
      .filter((each) => each.accepts(product))
      .sort((a, b) => b.preference(product.limits) - a.preference(product.limits));
    return best.launch(product);
  },
};

/** kernels/conv_gemm.wgsl with the tile whose predicted speed is best: each image is a part, one row of columns. */
export const inBlocks: ProductChoice = {
  kernels: [gemmKernel],
  accepts: someTileFits,
  launch(product) {
    const { limits, images, inChannels, outChannels, columns, place } = product;
    const size = { outChannels, columns, depth: inChannels, parts: images, partDepth: inChannels };
    const [best] = gemmTiles
      .filter((tile) => tileFits(tile, limits))
      .sort((a, b) => predictedSpeed(b, size, 1) - predictedSpeed(a, size, 1));
    return launchGemm(best, {
      ...product,
      window: {
        inOffset: place.inOffset,
        inStride: 0,
        inPartStride: place.inStride,
        inHeight: 1,
        inWidth: columns,
        outOffset: place.outOffset,
        outStride: 0,
        outPartStride: place.outStride,
        outHeight: 1,
        outWidth: columns,
        outChannels,
        ...onePlace(outChannels),
        images: 1,
        parts: images,
        depth: inChannels,
        kernelHeight: 1,
        kernelWidth: 1,
        strideY: 1,
        strideX: 1,
        dilationY: 1,
        dilationX: 1,
        padTop: 0,
        padLeft: 0,
      },
      partDepth: inChannels,
      pool: undefined,
      rest: { kind: "unused" },
    });
  },
};
