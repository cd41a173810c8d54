/**
 * Resizing, by the one rule that holds wherever a picture is resized (Node, the browser, a GPU kernel):
 *
 * Bilinear, half-pixel centres, no antialiasing, edges clamped: OpenCV's INTER_LINEAR, and so what Caffe's
 * tools do. Along an axis of `extent` source pixels resized to `size`, pixel p is taken from the position
 *
 *     s = (p + 1/2) · extent / size − 1/2  =  ((2p + 1) · extent − size) / (2 · size)
 *
 * clamped to [0, extent − 1], between the pixels floor(s) and floor(s) + 1 by the fraction of s. Written as a
 * fraction of whole numbers, floor and fraction are exact, so that no platform's rounding can pick another pixel.
 * Values are interpolated along x, then along y, and rounded once, to float32. They are not rounded to 8 bits
 * in between (OpenCV does so for 8-bit pictures, with 11-bit weights; its own results differ between builds).
 */

import { EngineError } from "../errors.ts";

/** An upright picture: 8-bit sRGB, rows from the top, R, G, B interleaved; `data.length` = width · height · 3. */
export interface RgbImage {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array | Uint8ClampedArray;
}

/** Extents in pixels. */
export interface Size {
  readonly width: number;
  readonly height: number;
}

/** Whole pixels; `x` and `y` are the left and top corner. */
export interface Rectangle extends Size {
  readonly x: number;
  readonly y: number;
}

/** A part of a resized part of a picture. */
export interface Resampling {
  /** The part of the picture that is resized, as if it had been cut out before; the whole picture if left out. */
  readonly source?: Rectangle;
  /** What that part is resized to. */
  readonly size: Size;
  /** The part of the resized picture that is wanted. Nothing else is computed, however large `size` is. */
  readonly window: Rectangle;
  /** Whether the window comes out mirrored, left for right. */
  readonly mirrored?: boolean;
}

/** For each wanted pixel along one axis: the two source pixels, and how far it lies from the first to the second. */
export interface Taps {
  readonly first: Int32Array;
  readonly second: Int32Array;
  readonly fraction: Float64Array;
}

/**
 * Resizes and cuts in one go: writes the window as three planes R, G, B (3, window.height, window.width), values
 * 0–255 in float32, into `target` from element `offset` on.
 * @throws EngineError `picture` where the picture's data does not have its size; `usage` where the source does not
 *   lie in the picture, the window not in the resized picture, or the planes not in `target`.
 */
export function resample(image: RgbImage, resampling: Resampling, target: Float32Array, offset = 0): void {
  const { size, window, mirrored = false } = resampling;
  const source = resampling.source ?? { x: 0, y: 0, width: image.width, height: image.height };
  checkImage(image);
  checkInside("source rectangle", source, image);
  checkInside("crop window", window, size);
  checkRoom(target, offset, window);
  const columns = tapsAlong(source.width, size.width, window.x, window.width);
  const rows = tapsAlong(source.height, size.height, window.y, window.height);
  const raster: Raster = {
    data: image.data,
    origin: (source.y * image.width + source.x) * 3,
    row: image.width * 3,
    column: 3,
    channel: 1,
  };
  interpolate(raster, columns, rows, mirrored, target, offset);
}

/**
 * Resizes three planes (3, from.height, from.width) whole, as `resample` writes them, by the same rule: planes
 * (3, to.height, to.width) go into `target` from element `offset` on.
 * @throws EngineError `usage` where they do not lie in `target`.
 */
export function resamplePlanes(
  planes: Float32Array,
  from: Size,
  to: Size,
  mirrored: boolean,
  target: Float32Array,
  offset: number,
): void {
  checkRoom(target, offset, to);
  const columns = tapsAlong(from.width, to.width, 0, to.width);
  const rows = tapsAlong(from.height, to.height, 0, to.height);
  const raster: Raster = { data: planes, origin: 0, row: from.width, column: 1, channel: from.width * from.height };
  interpolate(raster, columns, rows, mirrored, target, offset);
}

/** Where the values of a picture lie: the first one, and the elements from it to its neighbours. */
interface Raster {
  readonly data: Uint8Array | Uint8ClampedArray | Float32Array;
  readonly origin: number;
  readonly row: number;
  readonly column: number;
  readonly channel: number;
}

/** Writes three planes of a pixel for each row's and column's taps. */
function interpolate(
  { data, origin, row, column, channel }: Raster,
  columns: Taps,
  rows: Taps,
  mirrored: boolean,
  target: Float32Array,
  offset: number,
): void {
  const width = columns.first.length;
  const height = rows.first.length;
  const plane = width * height;
  for (let y = 0; y < height; y++) {
    const upper = origin + rows.first[y] * row;
    const lower = origin + rows.second[y] * row;
    const down = rows.fraction[y];
    const rowStart = offset + y * width;
    for (let x = 0; x < width; x++) {
      const left = columns.first[x] * column;
      const right = columns.second[x] * column;
      const across = columns.fraction[x];
      let out = rowStart + (mirrored ? width - 1 - x : x);
      for (let of = 0; of < 3 * channel; of += channel) {
        const upperLeft = data[upper + left + of];
        const lowerLeft = data[lower + left + of];
        const top = upperLeft + (data[upper + right + of] - upperLeft) * across;
        const bottom = lowerLeft + (data[lower + right + of] - lowerLeft) * across;
        target[out] = top + (bottom - top) * down;
        out += plane;
      }
    }
  }
}

/** The taps of the pixels `start` … `start + count − 1` of an axis of `extent` pixels resized to `size`. */
export function tapsAlong(extent: number, size: number, start: number, count: number): Taps {
  const first = new Int32Array(count);
  const second = new Int32Array(count);
  const fraction = new Float64Array(count);
  const denominator = 2 * size;
  for (let i = 0; i < count; i++) {
    const numerator = Math.max(0, (2 * (start + i) + 1) * extent - size);
    const floor = Math.floor(numerator / denominator);
    const last = floor >= extent - 1;
    first[i] = last ? extent - 1 : floor;
    second[i] = last ? extent - 1 : floor + 1;
    fraction[i] = last ? 0 : (numerator - floor * denominator) / denominator;
  }
  return { first, second, fraction };
}

export function checkImage(image: RgbImage): void {
  const { width, height, data } = image;
  if (!isExtent(width) || !isExtent(height) || data.length !== width * height * 3) {
    throw new EngineError(
      "picture",
      "picture",
      `${data.length} bytes are not ${width}×${height} pixels of R, G, B`,
      "give 8-bit R, G, B, interleaved, with width and height at least 1",
    );
  }
}

function checkRoom(target: Float32Array, offset: number, { width, height }: Size): void {
  if (!Number.isInteger(offset) || offset < 0 || offset + 3 * width * height > target.length) {
    throw new EngineError(
      "usage",
      "resize",
      `3 planes of ${width}×${height} from element ${offset} on do not fit into ${target.length} elements`,
      "give a larger array",
    );
  }
}

export function checkInside(what: string, inner: Rectangle, outer: Size): void {
  const inside = (start: number, extent: number, limit: number): boolean =>
    Number.isInteger(start) && start >= 0 && isExtent(extent) && isExtent(limit) && start + extent <= limit;
  if (!inside(inner.x, inner.width, outer.width) || !inside(inner.y, inner.height, outer.height)) {
    throw new EngineError(
      "usage",
      what,
      `${inner.width}×${inner.height} at (${inner.x}, ${inner.y}) does not lie within ${outer.width}×${outer.height}`,
      "give whole pixels inside it",
    );
  }
}

function isExtent(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 1;
}
