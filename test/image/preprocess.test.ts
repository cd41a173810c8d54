import { describe, expect, test } from "vitest";
import {
  centre,
  frame,
  isRecipe,
  preprocess,
  RECIPES,
  shorterSideTo,
  type Recipe,
} from "../../src/image/preprocess.ts";
import type { RgbImage } from "../../src/image/resize.ts";

/** A picture in one colour. */
function plain(width: number, height: number, [red, green, blue]: readonly [number, number, number]): RgbImage {
  const data = new Uint8Array(width * height * 3);
  for (let i = 0; i < data.length; i += 3) data.set([red, green, blue], i);
  return { width, height, data };
}

describe("frame", () => {
  // recipe, picture, side of the input, resized, offset of the window
  const cases: readonly [Recipe, readonly number[], number, readonly number[], readonly number[]][] = [
    ["squash256", [640, 480], 224, [256, 256], [16, 16]],
    ["squash256", [1, 1], 224, [256, 256], [16, 16]],
    ["squash224", [640, 480], 224, [224, 224], [0, 0]],
    ["short256", [512, 384], 224, [341, 256], [58, 16]], // 341.33; (341 − 224) / 2 = 58.5
    ["short256", [512, 929], 224, [256, 465], [16, 120]], // 464.5 up; 120.5 down
    ["short256", [451, 300], 224, [385, 256], [80, 16]], // 384.85; 80.5 down
    ["short256", [300, 300], 224, [256, 256], [16, 16]],
    ["short256", [1, 5000], 224, [256, 1_280_000], [16, 639_888]],
    ["squash256", [640, 480], 112, [128, 128], [8, 8]],
    ["squash256", [640, 480], 299, [342, 342], [21, 21]], // 341.71; 21.5 down
    ["squash256", [640, 480], 7, [8, 8], [0, 0]],
    ["squash256", [640, 480], 1, [1, 1], [0, 0]], // 1.14
    ["squash256", [640, 480], 77, [88, 88], [5, 5]],
    ["squash224", [640, 480], 299, [299, 299], [0, 0]],
    ["short256", [640, 480], 299, [456, 342], [78, 21]],
  ];
  test.each(cases)("%s of %j for %i", (recipe, [width, height], side, resizedTo, offset) => {
    expect(frame(recipe, { width: width, height: height }, side)).toEqual({
      size: { width: resizedTo[0], height: resizedTo[1] },
      window: { x: offset[0], y: offset[1], width: side, height: side },
    });
  });

  test("the side is 224 unless given", () => {
    expect(frame("squash256", { width: 9, height: 9 }).window).toEqual({ x: 16, y: 16, width: 224, height: 224 });
  });

  test.each([0, -1, 1.5, NaN, Infinity])("a side of %d is refused", (side) => {
    expect(() => frame("squash256", { width: 9, height: 9 }, side)).toThrow(expect.objectContaining({ code: "usage" }));
  });
});

test("the longer side is rounded half up, the centre's offset is floored", () => {
  expect(shorterSideTo({ width: 2, height: 3 }, 1)).toEqual({ width: 1, height: 2 }); // 1.5
  expect(shorterSideTo({ width: 5, height: 2 }, 1)).toEqual({ width: 3, height: 1 }); // 2.5, not 2 as half to even
  expect(shorterSideTo({ width: 7, height: 5 }, 1)).toEqual({ width: 1, height: 1 }); // 1.4
  expect(centre({ width: 10, height: 11 }, { width: 5, height: 5 })).toEqual({ x: 2, y: 3, width: 5, height: 5 });
});

test("recipes are known by their names", () => {
  expect(RECIPES.every(isRecipe)).toBe(true);
  expect(isRecipe("squash")).toBe(false);
});

describe("preprocess", () => {
  test.each(RECIPES)("%s: planes B, G, R, less their means", (recipe) => {
    const target = new Float32Array(3 * 224 * 224);
    preprocess(plain(37, 11, [200, 100, 50]), recipe, target);
    const plane = 224 * 224;
    expect(new Set(target.subarray(0, plane))).toEqual(new Set([50 - 104]));
    expect(new Set(target.subarray(plane, 2 * plane))).toEqual(new Set([100 - 117]));
    expect(new Set(target.subarray(2 * plane))).toEqual(new Set([200 - 123]));
  });

  test("rows stay rows: the left edge of the picture is the left edge of the planes", () => {
    const picture: RgbImage = { width: 2, height: 1, data: Uint8Array.of(10, 20, 30, 110, 120, 130) };
    const target = new Float32Array(3 * 4);
    preprocess(picture, "squash224", target, 0, 2);
    const blue = [30 - 104, 130 - 104];
    const green = [20 - 117, 120 - 117];
    const red = [10 - 123, 110 - 123];
    expect([...target]).toEqual([...blue, ...blue, ...green, ...green, ...red, ...red]);
  });

  test("pictures of a batch lie one behind another, and nothing else is written", () => {
    const one = 3 * 4 * 4;
    const batch = new Float32Array(one * 2 + 5).fill(-1000);
    preprocess(plain(3, 3, [0, 0, 0]), "squash256", batch, one, 4);
    expect(new Set(batch.subarray(0, one))).toEqual(new Set([-1000]));
    expect(new Set(batch.subarray(one, 2 * one))).toEqual(new Set([-104, -117, -123]));
    expect(new Set(batch.subarray(2 * one))).toEqual(new Set([-1000]));
  });

  test("a target without room is refused and left alone", () => {
    const target = new Float32Array(3 * 224 * 224 - 1).fill(-1000);
    expect(() => preprocess(plain(3, 3, [0, 0, 0]), "squash256", target)).toThrow(
      expect.objectContaining({ code: "usage" }),
    );
    expect(target.every((value) => value === -1000)).toBe(true);
  });
});
