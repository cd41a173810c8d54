import { describe, expect, test } from "vitest";
import { type Crop, CROP_COUNTS, cropCount, cropsOf, cutCrop, PROTOCOLS, protocolOf } from "../../src/image/crops.ts";
import { frame, preprocess, RECIPES } from "../../src/image/preprocess.ts";
import type { RgbImage } from "../../src/image/resize.ts";
import { noisePicture } from "../support/pictures.ts";

function cut(image: RgbImage, crop: Crop, side = 224): Float32Array {
  const target = new Float32Array(3 * side * side);
  cutCrop(image, crop, target, 0, side);
  return target;
}

function largestDifference(a: Float32Array, b: Float32Array): number {
  return a.reduce((most, value, index) => Math.max(most, Math.abs(value - b[index])), 0);
}

/** `x, y` of 224×224 rectangles. */
const squares = (...corners: readonly (readonly [number, number])[]) =>
  corners.map(([x, y]) => ({ x, y, width: 224, height: 224 }));

describe("crops10", () => {
  // caffe.io.oversample: for rows 0 and 32, for columns 0 and 32; then the centre; then the mirrors.
  const expected = squares([0, 0], [32, 0], [0, 32], [32, 32], [16, 16]);

  test.each([
    [640, 480],
    [333, 501],
    [1, 1],
    [5000, 2],
  ])("of %i×%i: corners and centre of the 256×256 squash, then their mirrors", (width, height) => {
    const crops = cropsOf("crops10", { width, height });
    expect(crops.map(({ rectangle }) => rectangle)).toEqual([...expected, ...expected]);
    expect(crops.map(({ mirrored }) => mirrored)).toEqual([
      ...Array<boolean>(5).fill(false),
      ...Array<boolean>(5).fill(true),
    ]);
    for (const { resize } of crops) expect(resize).toEqual({ width: 256, height: 256 });
  });
});

describe("crops144", () => {
  test("of 640×480, the first twelve: all of the left square of the picture resized to 341×256", () => {
    const resize = { width: 341, height: 256 };
    const rectangles = [
      ...squares([0, 0], [32, 0], [0, 32], [32, 32], [16, 16]),
      { x: 0, y: 0, width: 256, height: 256 },
    ];
    expect(cropsOf("crops144", { width: 640, height: 480 }).slice(0, 12)).toEqual(
      [false, true].flatMap((mirrored) => rectangles.map((rectangle) => ({ resize, rectangle, mirrored }))),
    );
  });

  test("of 480×640, the last six: the mirrored bottom square of the picture resized to 352×469", () => {
    const rectangles = [
      ...squares([0, 117], [128, 117], [0, 245], [128, 245], [64, 181]),
      { x: 0, y: 117, width: 352, height: 352 },
    ];
    expect(cropsOf("crops144", { width: 480, height: 640 }).slice(-6)).toEqual(
      rectangles.map((rectangle) => ({ resize: { width: 352, height: 469 }, rectangle, mirrored: true })),
    );
  });

  // By hand: the longer side at each scale, rounded half up, and the offset of its middle square, floored.
  const cases: readonly [width: number, height: number, longer: readonly number[], middle: readonly number[]][] = [
    [640, 480, [341, 384, 427, 469], [42, 48, 53, 58]], // 341.33, 426.67, 469.33; 42.5, 53.5, 58.5
    [480, 640, [341, 384, 427, 469], [42, 48, 53, 58]],
    [500, 333, [384, 432, 480, 529], [64, 72, 80, 88]], // 384.38, 432.43, 480.48, 528.53; 88.5
    [333, 501, [385, 433, 481, 530], [64, 72, 80, 89]], // 385.15, 433.30, 481.44, 529.59; 64.5, 72.5, 80.5
    [100, 57, [449, 505, 561, 618], [96, 108, 120, 133]], // 449.12, 505.26, 561.40, 617.54; 96.5, 108.5, 120.5
    [300, 300, [256, 288, 320, 352], [0, 0, 0, 0]],
    [1, 1, [256, 288, 320, 352], [0, 0, 0, 0]],
    [1, 5000, [1_280_000, 1_440_000, 1_600_000, 1_760_000], [639_872, 719_856, 799_840, 879_824]],
    [20_000, 3, [1_706_667, 1_920_000, 2_133_333, 2_346_667], [853_205, 959_856, 1_066_506, 1_173_157]],
  ];
  const scales = [256, 288, 320, 352];
  /** From a square's corner to those of its crops: what is left of it beside 224, and half of that. */
  const margins = [32, 64, 96, 128];

  test.each(cases)("of %i×%i: every rectangle", (width, height, longer, middle) => {
    const turned = height > width;
    const expected = scales.flatMap((scale, index) =>
      [0, middle[index], longer[index] - scale].flatMap((along) => {
        const margin = margins[index];
        const within = [
          [0, 0],
          [margin, 0],
          [0, margin],
          [margin, margin],
          [margin / 2, margin / 2],
        ];
        const [left, top] = turned ? [0, along] : [along, 0];
        const rectangles = [
          ...within.map(([x, y]) => ({ x: left + x, y: top + y, width: 224, height: 224 })),
          { x: left, y: top, width: scale, height: scale },
        ];
        const resize = turned ? { width: scale, height: longer[index] } : { width: longer[index], height: scale };
        return [false, true].flatMap((mirrored) =>
          rectangles.map((rectangle): Crop => ({ resize, rectangle, mirrored })),
        );
      }),
    );
    expect(expected).toHaveLength(144);
    expect(cropsOf("crops144", { width, height })).toEqual(expected);
  });
});

test("a recipe is one crop, and cutting it is preprocessing by it", () => {
  const picture = noisePicture(50, 31);
  for (const recipe of RECIPES) {
    const { size, window } = frame(recipe, picture);
    const crops = cropsOf(recipe, picture);
    expect(crops).toEqual([{ resize: size, rectangle: window, mirrored: false }]);
    const expected = new Float32Array(3 * 224 * 224);
    preprocess(picture, recipe, expected);
    expect(largestDifference(cut(picture, crops[0]), expected)).toBe(0);
  }
});

test("protocols by the number of their crops", () => {
  expect(CROP_COUNTS.map((count) => protocolOf(count))).toEqual(["squash256", "crops10", "crops144"]);
  expect(protocolOf(1, "short256")).toBe("short256");
  for (const protocol of PROTOCOLS) {
    expect(cropsOf(protocol, { width: 30, height: 40 })).toHaveLength(cropCount(protocol));
  }
});

test("for another side of the input all lengths keep their share", () => {
  const [first, , , , , whole] = cropsOf("crops144", { width: 640, height: 480 }, 112);
  expect(first).toEqual({
    resize: { width: 171, height: 128 }, // 170.67
    rectangle: { x: 0, y: 0, width: 112, height: 112 },
    mirrored: false,
  });
  expect(whole.rectangle).toEqual({ x: 0, y: 0, width: 128, height: 128 });
  expect(cropsOf("crops10", { width: 9, height: 9 }, 112)[3].rectangle).toMatchObject({ x: 16, y: 16 });
  for (const side of [0, 1.5, NaN]) {
    expect(() => cropsOf("crops10", { width: 9, height: 9 }, side)).toThrow(expect.objectContaining({ code: "usage" }));
  }
});

describe("cutting", () => {
  /** A plane resized as the rule reads, each pixel by itself. */
  function naive(from: readonly number[][], width: number, height: number): number[][] {
    const position = (out: number, extent: number, size: number) =>
      Math.min(Math.max(((out + 0.5) * extent) / size - 0.5, 0), extent - 1);
    return Array.from({ length: height }, (_, y) =>
      Array.from({ length: width }, (_, x) => {
        const [sx, sy] = [position(x, from[0].length, width), position(y, from.length, height)];
        const [left, top] = [Math.floor(sx), Math.floor(sy)];
        const at = (column: number, row: number) =>
          from[Math.min(row, from.length - 1)][Math.min(column, from[0].length - 1)];
        const upper = at(left, top) * (1 - (sx - left)) + at(left + 1, top) * (sx - left);
        const lower = at(left, top + 1) * (1 - (sx - left)) + at(left + 1, top + 1) * (sx - left);
        return upper * (1 - (sy - top)) + lower * (sy - top);
      }),
    );
  }

  test.each([
    [23, 17],
    [4, 9],
    [1, 1],
    [40, 2],
  ])(
    "all 144 crops of %i×%i are cut from the resized picture, which is resized as the rule has it",
    (width, height) => {
      const side = 7; // scales 8, 9, 10, 11
      const picture = noisePicture(width, height);
      for (const crop of cropsOf("crops144", picture, side)) {
        const { resize, rectangle, mirrored } = crop;
        const actual = cut(picture, crop, side);
        [2, 1, 0].forEach((channel, plane) => {
          const source = Array.from({ length: height }, (_, y) =>
            Array.from({ length: width }, (_, x) => picture.data[(y * width + x) * 3 + channel]),
          );
          const part = naive(source, resize.width, resize.height)
            .slice(rectangle.y, rectangle.y + rectangle.height)
            .map((row) => row.slice(rectangle.x, rectangle.x + rectangle.width));
          const rows = naive(part, side, side).map((row) => (mirrored ? row.toReversed() : row));
          const expected = Float32Array.from(rows.flat(), (value) => value - [104, 117, 123][plane]);
          const got = actual.subarray(plane * side * side, (plane + 1) * side * side);
          expect(largestDifference(got, expected), JSON.stringify(crop)).toBeLessThan(1e-4);
        });
      }
    },
  );

  // Of this size every square lies in whole pixels from either side, so that mirroring maps crops onto crops.
  test("a picture that mirrors itself has the same crops mirrored", () => {
    const picture = noisePicture(300, 200, true);
    // Corners change sides: top right for top left; at each scale the right square for the left one.
    const twins10 = [1, 0, 3, 2, 4];
    const crops10 = cropsOf("crops10", picture);
    twins10.forEach((twin, index) => {
      expect(largestDifference(cut(picture, crops10[index]), cut(picture, crops10[5 + twin]))).toBeLessThan(1e-4);
    });
    const twins144 = [1, 0, 3, 2, 4, 5];
    const crops144 = cropsOf("crops144", picture);
    [0, 36, 108].forEach((scale) => {
      [2, 1, 0].forEach((twinSquare, square) => {
        twins144.forEach((twin, index) => {
          const [one, other] = [scale + square * 12 + index, scale + twinSquare * 12 + 6 + twin];
          expect(
            largestDifference(cut(picture, crops144[one]), cut(picture, crops144[other])),
            `crops ${one} and ${other}`,
          ).toBeLessThan(1e-4);
        });
      });
    });
  });

  test("a target without room is refused and left alone", () => {
    const picture = noisePicture(3, 3);
    for (const crop of cropsOf("crops144", picture, 5).slice(4, 6)) {
      const target = new Float32Array(3 * 5 * 5 - 1).fill(-1000);
      expect(() => {
        cutCrop(picture, crop, target, 0, 5);
      }).toThrow(expect.objectContaining({ code: "usage" }));
      expect(target.every((value) => value === -1000)).toBe(true);
    }
  });
});
