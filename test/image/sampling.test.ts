import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Crop, cropsOf, cutCrop, PROTOCOLS } from "../../src/image/crops.ts";
import type { RgbImage } from "../../src/image/resize.ts";
import { CROP_WORDS, sampleCrops, type Sampling } from "../../src/image/sampling.ts";
import { noisePicture } from "../support/pictures.ts";

/** What kernels/crop.wgsl makes of a sampling, in float64. */
function cutSampled({ columns, pixels, taps, crops }: Sampling, crop: number, side: number): number[] {
  const bytes = new Uint8Array(pixels.buffer);
  const weights = new Float32Array(taps.buffer);
  const [columnTaps, rowTaps, perPixel, mirrored] = crops.subarray(crop * CROP_WORDS);
  return [2, 1, 0].flatMap((channel, plane) =>
    Array.from({ length: side * side }, (_, out) => {
      const [x, y] = [out % side, Math.floor(out / side)];
      let sum = 0;
      for (let j = 0; j < perPixel; j++) {
        for (let i = 0; i < perPixel; i++) {
          const row = rowTaps + perPixel * y + j;
          const column = columnTaps + perPixel * (mirrored ? side - 1 - x : x) + i;
          const pixel = bytes[(taps[2 * row] * columns + taps[2 * column]) * 3 + channel];
          sum += weights[2 * row + 1] * weights[2 * column + 1] * pixel;
        }
      }
      return sum - [104, 117, 123][plane];
    }),
  );
}

const extent = fc.oneof(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 150 }));

test("a sampling holds all that every protocol's crops are made of", () => {
  fc.assert(
    fc.property(
      extent,
      extent,
      fc.constantFrom(...PROTOCOLS),
      fc.integer({ min: 1, max: 6 }),
      (w, h, protocol, side) => {
        const picture = noisePicture(w, h);
        const crops = cropsOf(protocol, picture, side);
        const sampling = sampleCrops(picture, crops, side);
        expect(sampling.crops).toHaveLength(crops.length * CROP_WORDS);
        const expected = new Float32Array(3 * side * side);
        crops.forEach((crop, index) => {
          cutCrop(picture, crop, expected, 0, side);
          const actual = cutSampled(sampling, index, side);
          actual.forEach((value, i) => {
            expect(Math.abs(value - expected[i]), JSON.stringify(crop)).toBeLessThan(1e-4);
          });
        });
      },
    ),
    { numRuns: 60 },
  );
});

describe("the picture is reduced to what is looked at", () => {
  const bytesOf = (picture: RgbImage, crops: readonly Crop[]) => sampleCrops(picture, crops, 224).pixels.byteLength;
  const large: RgbImage = { width: 6000, height: 4000, data: new Uint8Array(6000 * 4000 * 3) };

  test("of one crop, two rows and columns for each of its own", () => {
    expect(bytesOf(large, cropsOf("squash256", large))).toBe(448 * 448 * 3);
  });

  test("of 10 crops, of 144 crops: not much more, however large the picture", () => {
    expect(bytesOf(large, cropsOf("crops10", large))).toBe(512 * 512 * 3);
    expect(bytesOf(large, cropsOf("crops144", large))).toBeLessThan(3 * 2432 * 3648);
  });

  test("a small picture is taken whole", () => {
    const small = noisePicture(31, 20);
    const { pixels, columns } = sampleCrops(small, cropsOf("crops144", small), 224);
    expect(columns).toBe(31);
    expect(new Uint8Array(pixels.buffer)).toEqual(new Uint8Array([...small.data]));
  });
});

test("refuses a crop that lies beside the picture, and a picture without its data", () => {
  const picture = noisePicture(4, 4);
  const resize = { width: 8, height: 8 };
  const beside: Crop = { resize, rectangle: { x: 4, y: 0, width: 5, height: 5 }, mirrored: false };
  expect(() => sampleCrops(picture, [beside], 5)).toThrow(expect.objectContaining({ code: "usage" }));
  const short = { ...picture, data: picture.data.subarray(1) };
  expect(() => sampleCrops(short, [], 5)).toThrow(expect.objectContaining({ code: "picture" }));
});
