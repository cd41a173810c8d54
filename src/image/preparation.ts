/** How a picture is made ready for a classifier, as plain data, so that it can be done wherever pictures are decoded. */

import { cropsOf, type Protocol } from "./crops.ts";
import type { RgbImage } from "./resize.ts";
import { sampleCrops, type Sampling } from "./sampling.ts";

/** Reduced to what its crops look at, for crops that are cut on the GPU. */
export interface SamplingPreparation {
  readonly kind: "sampling";
  readonly protocol: Protocol;
  /** Side of the network's input. */
  readonly side: number;
}

/** Left as it is, for crops that are cut on the CPU. */
export interface PicturePreparation {
  readonly kind: "picture";
}

/** How a classifier has its pictures made ready. */
export type Preparation = SamplingPreparation | PicturePreparation;

/** What a preparation makes of a picture. */
export type PreparedBy<Own extends Preparation> = Own extends SamplingPreparation ? Sampling : RgbImage;

/**
 * Makes a picture ready.
 * @throws EngineError `picture` where the picture's data does not have its size.
 */
export function prepareBy(preparation: SamplingPreparation, image: RgbImage): Sampling;
export function prepareBy(preparation: Preparation, image: RgbImage): Sampling | RgbImage;
export function prepareBy(preparation: Preparation, image: RgbImage): Sampling | RgbImage {
  if (preparation.kind === "picture") return image;
  const { protocol, side } = preparation;
  return sampleCrops(image, cropsOf(protocol, image, side), side);
}
