/**
 * A picture's crops made ready for a GPU kernel: plain data, and little of it.
 *
 * Resizing without antialiasing looks at two pixels along each axis for every one that it makes, however large the
 * picture. So what goes to the GPU is the picture reduced to the rows and columns that some crop looks at, 8 bits a
 * channel, and for each axis of each crop a table of where in it to look and how much that counts. All positions
 * are found here, by the very function that the CPU's resizing uses; the kernel only weighs and adds.
 */

import type { Crop } from "./crops.ts";
import { checkImage, checkInside, type RgbImage, type Taps, tapsAlong } from "./resize.ts";

/** What kernels/crop.wgsl takes of one picture. */
export interface Sampling {
  /** The reduced picture: `columns` pixels a row. */
  readonly columns: number;
  /** R, G, B interleaved, rows from the top, four bytes a word, the lowest first; the last word is filled with zeros. */
  readonly pixels: Uint32Array;
  /** Pairs: a column or row of the reduced picture (u32), and its weight (the bits of an f32). */
  readonly taps: Uint32Array;
  /** For each crop CROP_WORDS words. */
  readonly crops: Uint32Array;
}

/** Words of a crop: its first column tap, its first row tap, the taps of a pixel along each axis, 1 where mirrored. */
export const CROP_WORDS = 4;

/**
 * What a kernel needs to cut these crops of a picture, each for an input of `side`×`side`.
 * @throws EngineError `picture` where the picture's data does not have its size; `usage` where a crop does not lie in
 *   its resized picture.
 */
export function sampleCrops(image: RgbImage, crops: readonly Crop[], side: number): Sampling {
  checkImage(image);
  const columns = new Axis(image.width, side);
  const rows = new Axis(image.height, side);
  const placed = crops.map(({ resize, rectangle, mirrored }) => {
    checkInside("crop", rectangle, resize);
    const twice = rectangle.width !== side || rectangle.height !== side;
    return {
      column: columns.list(resize.width, rectangle.x, rectangle.width, twice),
      row: rows.list(resize.height, rectangle.y, rectangle.height, twice),
      perPixel: twice ? 4 : 2,
      mirrored: mirrored ? 1 : 0,
    };
  });
  const seenColumns = columns.seen();
  const seenRows = rows.seen();
  const taps = new Uint32Array(2 * (columns.length + rows.length));
  columns.write(taps, 0, seenColumns);
  rows.write(taps, columns.length, seenRows);
  return {
    columns: seenColumns.length,
    pixels: reduce(image, seenColumns, seenRows),
    taps,
    crops: Uint32Array.from(
      placed.flatMap(({ column, row, perPixel, mirrored }) => [column, columns.length + row, perPixel, mirrored]),
    ),
  };
}

/** The lists of taps along one axis of the picture, equal ones once. */
class Axis {
  private readonly extent: number;
  private readonly side: number;
  private readonly positions: number[] = [];
  private readonly weights: number[] = [];
  private readonly starts = new Map<string, number>();

  constructor(extent: number, side: number) {
    this.extent = extent;
    this.side = side;
  }

  /** Taps so far. */
  get length(): number {
    return this.positions.length;
  }

  /**
   * Where the taps of pixels `start` … `start + count − 1` of this axis resized to `size` begin: two a pixel, or where
   * these are resized `twice`, to `side` pixels, the four that each of those comes from.
   */
  list(size: number, start: number, count: number, twice: boolean): number {
    const key = [size, start, count, twice].join();
    const known = this.starts.get(key);
    if (known !== undefined) return known;
    const begin = this.length;
    this.starts.set(key, begin);
    const once = tapsAlong(this.extent, size, start, count);
    if (!twice) {
      for (let pixel = 0; pixel < count; pixel++) this.add(once, pixel, 1);
    } else {
      const again = tapsAlong(count, this.side, 0, this.side);
      for (let pixel = 0; pixel < this.side; pixel++) {
        this.add(once, again.first[pixel], 1 - again.fraction[pixel]);
        this.add(once, again.second[pixel], again.fraction[pixel]);
      }
    }
    return begin;
  }

  /** The positions that count for some tap, in ascending order. */
  seen(): Uint32Array {
    const counts = new Uint8Array(this.extent);
    this.positions.forEach((position, tap) => {
      if (this.weights[tap] !== 0) counts[position] = 1;
    });
    return Uint32Array.from([...counts.keys()].filter((position) => counts[position] === 1));
  }

  /** Writes the taps from the tap `first` on, their positions as indices into those that were `seen`. */
  write(target: Uint32Array, first: number, seen: Uint32Array): void {
    const bits = new Float32Array(target.buffer);
    const indexOf = new Uint32Array(this.extent);
    seen.forEach((position, index) => {
      indexOf[position] = index;
    });
    this.positions.forEach((position, tap) => {
      // A position that nobody sees counts for nothing; its index is 0.
      target[2 * (first + tap)] = indexOf[position];
      bits[2 * (first + tap) + 1] = this.weights[tap];
    });
  }

  private add({ first, second, fraction }: Taps, pixel: number, share: number): void {
    this.positions.push(first[pixel], second[pixel]);
    this.weights.push(share * (1 - fraction[pixel]), share * fraction[pixel]);
  }
}

/** The picture's pixels that lie in one of the columns and one of the rows. */
function reduce({ width, height, data }: RgbImage, columns: Uint32Array, rows: Uint32Array): Uint32Array {
  const pixels = new Uint32Array(Math.ceil((columns.length * rows.length * 3) / 4));
  const bytes = new Uint8Array(pixels.buffer);
  if (columns.length === width && rows.length === height) {
    bytes.set(data);
    return pixels;
  }
  let at = 0;
  for (const row of rows) {
    const start = row * width * 3;
    for (const column of columns) {
      const from = start + column * 3;
      bytes[at] = data[from];
      bytes[at + 1] = data[from + 1];
      bytes[at + 2] = data[from + 2];
      at += 3;
    }
  }
  return pixels;
}
