import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { EngineError } from "../../src/errors.ts";
import { resample, type Resampling, type RgbImage } from "../../src/image/resize.ts";

/** A picture whose red is as given, whose green is 255 less that, and whose blue is 7. */
function redPicture(rows: readonly (readonly number[])[]): RgbImage {
  const data = rows.flatMap((row) => row.flatMap((red) => [red, 255 - red, 7]));
  return { width: rows[0].length, height: rows.length, data: Uint8Array.from(data) };
}

function resampled(image: RgbImage, resampling: Resampling): Float32Array {
  const target = new Float32Array(3 * resampling.window.width * resampling.window.height);
  resample(image, resampling, target);
  return target;
}

function resized(image: RgbImage, width: number, height: number): Float32Array {
  return resampled(image, { size: { width, height }, window: { x: 0, y: 0, width, height } });
}

/** The red plane, a row an array. */
function red(planes: Float32Array, width: number): number[][] {
  const plane = planes.subarray(0, planes.length / 3);
  return Array.from({ length: plane.length / width }, (_, y) => [...plane.subarray(y * width, (y + 1) * width)]);
}

describe("by hand", () => {
  test("2×2 to 4×4: quarters between the centres, edges clamped", () => {
    const planes = resized(
      redPicture([
        [0, 100],
        [200, 60],
      ]),
      4,
      4,
    );
    expect(red(planes, 4)).toEqual([
      [0, 25, 75, 100],
      [50, 60, 80, 90],
      [150, 130, 90, 70],
      [200, 165, 95, 60],
    ]);
    expect([...planes.subarray(16, 32)]).toEqual([...planes.subarray(0, 16)].map((value) => 255 - value));
    expect([...planes.subarray(32)]).toEqual(new Array<number>(16).fill(7));
  });

  // Positions 1/4 and 7/4.
  test("3 to 2", () => {
    expect(red(resized(redPicture([[0, 80, 240]]), 2, 1), 2)).toEqual([[20, 200]]);
  });

  // Position 2 exactly: no antialiasing, so the others do not count.
  test("5 to 1 takes the middle pixel alone", () => {
    expect(red(resized(redPicture([[255, 255, 9, 255, 255]]), 1, 1), 1)).toEqual([[9]]);
  });

  // Positions 3/2 and 11/2 between neighbours: half-pixel centres, of 8 only 4 pixels count.
  test("8 to 2 takes the two pixels in the middle of each four", () => {
    expect(red(resized(redPicture([[99, 10, 30, 99, 99, 50, 90, 99]]), 2, 1), 2)).toEqual([[20, 70]]);
  });

  test("half the size is the mean of each 2×2", () => {
    const picture = redPicture([
      [1, 2, 30, 40],
      [3, 5, 50, 61],
    ]);
    expect(red(resized(picture, 2, 1), 2)).toEqual([[2.75, 45.25]]);
  });

  test("the same size is the same picture", () => {
    const rows = [
      [1, 2, 3],
      [4, 5, 250],
    ];
    expect(red(resized(redPicture(rows), 3, 2), 3)).toEqual(rows);
  });

  test("1×1 to 224×224 is that pixel everywhere", () => {
    const planes = resized(redPicture([[42]]), 224, 224);
    expect(planes.subarray(0, 224 * 224).every((value) => value === 42)).toBe(true);
    expect(planes.subarray(224 * 224, 2 * 224 * 224).every((value) => value === 213)).toBe(true);
    expect(planes.subarray(2 * 224 * 224).every((value) => value === 7)).toBe(true);
  });

  test("a source rectangle is clamped at its own edges, as if cut out before", () => {
    const picture = redPicture([
      [9, 9, 9, 9],
      [9, 0, 100, 9],
      [9, 9, 9, 9],
    ]);
    const planes = resampled(picture, {
      source: { x: 1, y: 1, width: 2, height: 1 },
      size: { width: 4, height: 2 },
      window: { x: 0, y: 0, width: 4, height: 2 },
    });
    expect(red(planes, 4)).toEqual([
      [0, 25, 75, 100],
      [0, 25, 75, 100],
    ]);
  });

  test("mirrored is left for right", () => {
    const planes = resampled(redPicture([[0, 100]]), {
      size: { width: 4, height: 1 },
      window: { x: 1, y: 0, width: 3, height: 1 },
      mirrored: true,
    });
    expect(red(planes, 3)).toEqual([[100, 75, 25]]);
  });
});

describe("as a property", () => {
  /** The rule as its definition reads: positions in float64, each output pixel by itself. */
  function naive(image: RgbImage, r: Resampling): number[] {
    const source = r.source ?? { x: 0, y: 0, width: image.width, height: image.height };
    const at = (x: number, y: number, channel: number): number =>
      image.data[((source.y + y) * image.width + source.x + x) * 3 + channel];
    const values: number[] = [];
    for (let channel = 0; channel < 3; channel++) {
      for (let y = 0; y < r.window.height; y++) {
        for (let x = 0; x < r.window.width; x++) {
          const outX = r.window.x + (r.mirrored === true ? r.window.width - 1 - x : x);
          const outY = r.window.y + y;
          const sx = Math.min(Math.max(((outX + 0.5) * source.width) / r.size.width - 0.5, 0), source.width - 1);
          const sy = Math.min(Math.max(((outY + 0.5) * source.height) / r.size.height - 0.5, 0), source.height - 1);
          let sum = 0;
          for (let py = Math.floor(sy); py <= Math.ceil(sy); py++) {
            for (let px = Math.floor(sx); px <= Math.ceil(sx); px++) {
              sum += at(px, py, channel) * (1 - Math.abs(sx - px)) * (1 - Math.abs(sy - py));
            }
          }
          values.push(sum);
        }
      }
    }
    return values;
  }

  /** Start and extent of a part of an axis. */
  const part = (limit: number): fc.Arbitrary<readonly [number, number]> =>
    fc
      .integer({ min: 0, max: limit - 1 })
      .chain((start) => fc.integer({ min: 1, max: limit - start }).map((extent) => [start, extent] as const));

  const cases = fc
    .record({
      width: fc.integer({ min: 1, max: 9 }),
      height: fc.integer({ min: 1, max: 9 }),
      outWidth: fc.integer({ min: 1, max: 23 }),
      outHeight: fc.integer({ min: 1, max: 23 }),
    })
    .chain(({ width, height, outWidth, outHeight }) =>
      fc.record({
        image: fc
          .uint8Array({ minLength: width * height * 3, maxLength: width * height * 3 })
          .map((data): RgbImage => ({ width, height, data })),
        sourceX: part(width),
        sourceY: part(height),
        windowX: part(outWidth),
        windowY: part(outHeight),
        size: fc.constant({ width: outWidth, height: outHeight }),
        mirrored: fc.boolean(),
      }),
    );

  test("agrees with the definition, pixel by pixel", () => {
    fc.assert(
      fc.property(cases, ({ image, sourceX, sourceY, windowX, windowY, size, mirrored }) => {
        const resampling: Resampling = {
          source: { x: sourceX[0], width: sourceX[1], y: sourceY[0], height: sourceY[1] },
          size,
          window: { x: windowX[0], width: windowX[1], y: windowY[0], height: windowY[1] },
          mirrored,
        };
        const actual = resampled(image, resampling);
        const expected = naive(image, resampling);
        expect(actual.length).toBe(expected.length);
        for (const [i, value] of expected.entries()) expect(Math.abs(actual[i] - value)).toBeLessThan(1e-4);
      }),
      { numRuns: 400 },
    );
  });
});

test("an enormous resized picture costs only its window", () => {
  const data = new Uint8Array(5000 * 3).map((_, i) => Math.floor(i / 3) % 251);
  const height = 1_280_000;
  const planes = resampled(
    { width: 1, height: 5000, data },
    { size: { width: 256, height }, window: { x: 16, y: height / 2 - 112, width: 224, height: 224 } },
  );
  // Row p lies at (p + 1/2) / 256 − 1/2.
  const position = (height / 2 - 112 + 0.5) / 256 - 0.5;
  const floor = Math.floor(position);
  expect(planes[0]).toBeCloseTo((floor % 251) + (position - floor), 4);
});

test("writes at the offset, and nothing around it", () => {
  const target = new Float32Array(3 + 2 + 3).fill(-1);
  const one = { x: 0, y: 0, width: 1, height: 1 };
  resample(redPicture([[5]]), { size: one, window: one }, target, 2);
  expect([...target]).toEqual([-1, -1, 5, 250, 7, -1, -1, -1]);
});

describe("refuses", () => {
  const picture = redPicture([[1, 2]]);
  const size = { width: 4, height: 4 };
  const window = { x: 0, y: 0, width: 4, height: 4 };
  const cases: readonly [string, RgbImage, Resampling, number, number, EngineError["code"]][] = [
    ["data of another length", { width: 2, height: 2, data: picture.data }, { size, window }, 48, 0, "picture"],
    ["a picture of no pixels", { width: 0, height: 0, data: new Uint8Array(0) }, { size, window }, 48, 0, "picture"],
    ["a window past the edge", picture, { size, window: { ...window, x: 1 } }, 48, 0, "usage"],
    ["a window of no pixels", picture, { size, window: { ...window, width: 0 } }, 48, 0, "usage"],
    ["a window between pixels", picture, { size, window: { ...window, x: 0.5, width: 2 } }, 48, 0, "usage"],
    ["a source past the edge", picture, { source: { x: 1, y: 0, width: 2, height: 1 }, size, window }, 48, 0, "usage"],
    ["a size that is not finite", picture, { size: { width: Infinity, height: 4 }, window }, 48, 0, "usage"],
    ["a target that is too small", picture, { size, window }, 47, 0, "usage"],
    ["an offset that leaves too little", picture, { size, window }, 48, 1, "usage"],
    ["a negative offset", picture, { size, window }, 64, -1, "usage"],
  ];
  test.each(cases)("%s", (_, image, resampling, length, offset, code) => {
    const target = new Float32Array(length).fill(-1);
    expect(() => resample(image, resampling, target, offset)).toThrow(expect.objectContaining({ code }));
    expect(target.every((value) => value === -1)).toBe(true);
  });
});
