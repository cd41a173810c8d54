/**
 * Crops: the views of one picture whose probabilities are averaged. A protocol is plain data, the list of crops that
 * `cropsOf` gives for a picture's size; `cutCrop` makes one the network's input, as a GPU kernel does with all of them.
 */

import { EngineError } from "../errors.ts";
import {
  centre,
  frame,
  INPUT_SIDE,
  isRecipe,
  type Recipe,
  RECIPES,
  scaledSide,
  shorterSideTo,
  toNetworkPlanes,
} from "./preprocess.ts";
import { type Rectangle, resample, resamplePlanes, type RgbImage, type Size } from "./resize.ts";

/**
 * How a picture is looked at:
 * - a recipe: one crop (see RECIPES);
 * - `crops10`: of the picture squashed to 256×256 the four corners and the centre, and their mirrors: Caffe's
 *   oversampling (`caffe.io.oversample`), in its order;
 * - `crops144`: the paper's (section 7): shorter side at 256, 288, 320 and 352; at each the left, centre and right
 *   squares (top, centre and bottom ones where the picture is taller than wide); of each square the four corners and
 *   the centre, and the square itself resized; and the mirrors of these six.
 */
export const PROTOCOLS = [...RECIPES, "crops10", "crops144"] as const;
/** How a picture is looked at, one of PROTOCOLS. */
export type Protocol = (typeof PROTOCOLS)[number];

/** How many crops there may be of a picture. */
export const CROP_COUNTS = [1, 10, 144] as const;
/** A number of crops that some protocol has. */
export type CropCount = (typeof CROP_COUNTS)[number];

/** A view of a picture. All in whole pixels: no rounding is left to whoever cuts it. */
export interface Crop {
  /** What the whole picture is resized to. */
  readonly resize: Size;
  /** The part of the resized picture that is seen. Where it is not of the input's size, it is resized once more. */
  readonly rectangle: Rectangle;
  /** Whether it is seen mirrored, left for right. */
  readonly mirrored: boolean;
}

/** The lengths to which the paper's protocol makes a picture's shorter side. */
const PAPER_SCALES = [256, 288, 320, 352] as const;

/** The protocol that looks at this many crops; of one crop, that of the recipe. */
export function protocolOf(crops: CropCount, recipe: Recipe = "squash256"): Protocol {
  return crops === 1 ? recipe : `crops${crops}`;
}

/**
 * How many crops a protocol makes of a picture, whatever its size.
 * @throws EngineError `usage` for a protocol that there is not.
 */
export function cropCount(protocol: Protocol): CropCount {
  if (!PROTOCOLS.includes(protocol)) {
    const names = PROTOCOLS.join(", ");
    throw new EngineError("usage", "option protocol", `there is no ${protocol as string}`, `give one of ${names}`);
  }
  return protocol === "crops10" ? 10 : protocol === "crops144" ? 144 : 1;
}

/**
 * The crops that a protocol makes of a picture of this size, for an input of `side`×`side`. For sides other than 224
 * every length keeps its share, rounded half up, as `frame` has it. What lies in the middle has its offsets floored.
 * @throws EngineError `usage` for a side that is not a whole number of pixels, or of none, and as `cropCount` does.
 */
export function cropsOf(protocol: Protocol, picture: Size, side: number = INPUT_SIDE): Crop[] {
  if (!Number.isInteger(side) || side < 1) {
    throw new EngineError("usage", "input size", `${side} is not a whole number of pixels`, "give 1 or more");
  }
  cropCount(protocol);
  if (isRecipe(protocol)) {
    const { size, window } = frame(protocol, picture, side);
    return [{ resize: size, rectangle: window, mirrored: false }];
  }
  if (protocol === "crops10") {
    const resize = { width: scaledSide(256, side), height: scaledSide(256, side) };
    return withMirrors(resize, cornersAndCentre({ x: 0, y: 0, ...resize }, side));
  }
  return PAPER_SCALES.flatMap((scale) => {
    const resize = shorterSideTo(picture, scaledSide(scale, side));
    return squaresOf(resize).flatMap((square) => withMirrors(resize, [...cornersAndCentre(square, side), square]));
  });
}

/** The square at the beginning, in the middle and at the end of the longer side. */
function squaresOf(size: Size): Rectangle[] {
  const side = Math.min(size.width, size.height);
  const square = { width: side, height: side };
  const middle = centre(size, square);
  return [{ x: 0, y: 0, ...square }, middle, { x: size.width - side, y: size.height - side, ...square }];
}

/** Squares of `side` pixels: top left, top right, bottom left, bottom right, centre. */
function cornersAndCentre({ x, y, ...outer }: Rectangle, side: number): Rectangle[] {
  const inner = { width: side, height: side };
  const [right, bottom] = [x + outer.width - side, y + outer.height - side];
  const middle = centre(outer, inner);
  return [
    { x, y, ...inner },
    { x: right, y, ...inner },
    { x, y: bottom, ...inner },
    { x: right, y: bottom, ...inner },
    { x: x + middle.x, y: y + middle.y, ...inner },
  ];
}

/** A crop for each rectangle, then their mirrors. */
function withMirrors(resize: Size, rectangles: readonly Rectangle[]): Crop[] {
  return [false, true].flatMap((mirrored) => rectangles.map((rectangle) => ({ resize, rectangle, mirrored })));
}

/**
 * Writes a crop of a picture as the network's input into `target` from element `offset` on: planes B, G, R
 * (3, side, side), float32, 0–255 less CHANNEL_MEANS.
 * @throws EngineError as `resample` does.
 */
export function cutCrop(
  image: RgbImage,
  { resize, rectangle, mirrored }: Crop,
  target: Float32Array,
  offset = 0,
  side: number = INPUT_SIDE,
): void {
  if (rectangle.width === side && rectangle.height === side) {
    resample(image, { size: resize, window: rectangle, mirrored }, target, offset);
  } else {
    const planes = new Float32Array(3 * rectangle.width * rectangle.height);
    resample(image, { size: resize, window: rectangle }, planes);
    resamplePlanes(planes, rectangle, { width: side, height: side }, mirrored, target, offset);
  }
  toNetworkPlanes(target, offset, side * side);
}
