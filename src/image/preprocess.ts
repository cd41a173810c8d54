/** From a picture to the network's input, as BVLC's GoogLeNet was trained: resized, cut, B, G, R, less the mean. */

import { EngineError } from "../errors.ts";
import { resample, type RgbImage, type Rectangle, type Size } from "./resize.ts";

/** What the mean of the training pictures is taken to be, in the order of the planes: B, G, R. */
export const CHANNEL_MEANS = [104, 117, 123] as const;

/** The side of the network's input, unless asked otherwise. */
export const INPUT_SIDE = 224;

/**
 * How a picture becomes square, named for an input of 224×224:
 * - `squash256`: squashed to 256×256, then the centre 224×224 (Caffe's usual recipe);
 * - `squash224`: squashed to 224×224, nothing cut off;
 * - `short256`: shorter side to 256, aspect kept, then the centre 224×224.
 */
export const RECIPES = ["squash256", "squash224", "short256"] as const;
/** How a picture becomes square, one of RECIPES. */
export type Recipe = (typeof RECIPES)[number];

/** Whether `name` is a recipe's. */
export function isRecipe(name: string): name is Recipe {
  return (RECIPES as readonly string[]).includes(name);
}

/** The whole picture's new size, and the part of it that the network sees. */
export interface Framing {
  readonly size: Size;
  readonly window: Rectangle;
}

/**
 * What a recipe makes of a picture of this size, for an input of `side`×`side`. For sides other than 224 the
 * margin keeps its share: 256 becomes `side` · 256 / 224, rounded half up. The longer side is rounded half up,
 * the centre's offsets are floored.
 */
export function frame(recipe: Recipe, picture: Size, side = INPUT_SIDE): Framing {
  if (!Number.isInteger(side) || side < 1) {
    throw new EngineError("usage", "input size", `${side} is not a whole number of pixels`, "give 1 or more");
  }
  const size = resizedSize(recipe, picture, side);
  return { size, window: centre(size, { width: side, height: side }) };
}

function resizedSize(recipe: Recipe, picture: Size, side: number): Size {
  const withMargin = scaledSide(256, side);
  switch (recipe) {
    case "squash224":
      return { width: side, height: side };
    case "squash256":
      return { width: withMargin, height: withMargin };
    case "short256":
      return shorterSideTo(picture, withMargin);
  }
}

/** What a length in pixels that goes with an input of 224×224 becomes for one of `side`×`side`, rounded half up. */
export function scaledSide(length: number, side: number): number {
  return divideHalfUp(length * side, INPUT_SIDE);
}

/** The size of a picture whose shorter side is made `side`, the longer one in proportion, rounded half up. */
export function shorterSideTo(picture: Size, side: number): Size {
  const { width, height } = picture;
  return width <= height
    ? { width: side, height: divideHalfUp(height * side, width) }
    : { width: divideHalfUp(width * side, height), height: side };
}

/** The rectangle of the given size in the centre of `outer`, offsets floored. */
export function centre(outer: Size, inner: Size): Rectangle {
  return {
    x: Math.floor((outer.width - inner.width) / 2),
    y: Math.floor((outer.height - inner.height) / 2),
    width: inner.width,
    height: inner.height,
  };
}

/** a / b rounded half up, for whole numbers; in whole numbers, so that a half is a half. */
function divideHalfUp(a: number, b: number): number {
  return Math.floor((2 * a + b) / (2 * b));
}

/**
 * Writes a picture as the network's input into `target` from element `offset` on: planes B, G, R
 * (3, side, side), float32, 0–255 less CHANNEL_MEANS. Picture n of a batch goes to `n · 3 · side²`.
 * @throws EngineError as `resample` does.
 */
export function preprocess(
  image: RgbImage,
  recipe: Recipe,
  target: Float32Array,
  offset = 0,
  side: number = INPUT_SIDE,
): void {
  resample(image, frame(recipe, image, side), target, offset);
  toNetworkPlanes(target, offset, side * side);
}

/**
 * Turns three planes R, G, B of 0–255 into what the network takes, in place: B, G, R, less CHANNEL_MEANS.
 * `plane` is the number of elements of one plane.
 */
export function toNetworkPlanes(target: Float32Array, offset: number, plane: number): void {
  const [meanBlue, meanGreen, meanRed] = CHANNEL_MEANS;
  for (let i = offset; i < offset + plane; i++) {
    const red = target[i];
    target[i] = target[i + 2 * plane] - meanBlue;
    target[i + plane] = target[i + plane] - meanGreen;
    target[i + 2 * plane] = red - meanRed;
  }
}
