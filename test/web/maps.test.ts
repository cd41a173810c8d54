/** The grid of feature maps and its colours. */

import { describe, expect, test } from "vitest";
import { colorOf, scaleFor } from "../../src/web/color-scale.ts";
import { cornerOf, indexOf, layoutMaps, mapsOf, placeAt } from "../../src/web/map-layout.ts";
import { duration, figure, mapCount, megabytes, percent } from "../../src/web/figures.ts";

describe("a grid of maps", () => {
  const shapes = [
    [1, 3, 224, 224],
    [1, 64, 112, 112],
    [1, 1024, 7, 7],
    [1, 1000],
    [1, 1, 300, 5],
  ];

  test.each(shapes.flatMap((shape) => [328, 900].map((room) => [room, shape] as const)))(
    "in %i pixels, of %j: every value has a place of its own, and every place is found again",
    (room, shape) => {
      const maps = mapsOf(shape);
      const layout = layoutMaps(maps, room, 600);
      const { zoom } = layout;
      expect(layout.gridWidth * zoom).toBeLessThanOrEqual(Math.max(room, maps.width));
      expect(layout.columns * layout.rows).toBeGreaterThanOrEqual(maps.count);
      expect((layout.rows - 1) * layout.columns).toBeLessThan(maps.count);
      for (const map of [0, 1, Math.floor(maps.count / 2), maps.count - 1].filter((each) => each < maps.count)) {
        const { x, y } = cornerOf(layout, map);
        for (const [row, column] of [
          [0, 0],
          [maps.height - 1, maps.width - 1],
        ]) {
          const place = { map, row, column };
          const [left, top] = [x + column * layout.scale, y + row * layout.scale];
          for (const inside of [0, layout.scale - 0.01]) {
            expect(placeAt(layout, (left + inside) * zoom, (top + inside) * zoom)).toEqual(place);
          }
          expect(indexOf(layout, place)).toBe((map * maps.height + row) * maps.width + column);
        }
        if (layout.rows > 1) expect(placeAt(layout, x * zoom, (y + maps.height * layout.scale) * zoom)).toBeUndefined();
      }
      expect(placeAt(layout, -1, 0)).toBeUndefined();
      expect(placeAt(layout, layout.gridWidth * zoom, 0)).toBeUndefined();
    },
  );

  test("has no place behind the last map", () => {
    const layout = layoutMaps({ count: 5, height: 2, width: 2 }, 20, 10);
    expect(layout.rows * layout.columns).toBeGreaterThan(5);
    const { x, y } = cornerOf(layout, 5);
    expect(placeAt(layout, x, y)).toBeUndefined();
  });

  test("is shown smaller where a pixel a value would be too high by far", () => {
    const layout = layoutMaps(mapsOf([1, 64, 112, 112]), 328, 620);
    expect(layout).toMatchObject({ scale: 1, zoom: 0.5, columns: 5, rows: 13 });
    expect(placeAt(layout, 58, 0)).toEqual({ map: 1, row: 0, column: 0 });
  });

  test("is as large as fits, in whole pixels a value", () => {
    expect(layoutMaps(mapsOf([1, 64, 28, 28]), 900, 620)).toMatchObject({ scale: 3, columns: 10, rows: 7 });
    expect(layoutMaps(mapsOf([1, 3, 224, 224]), 328, 620)).toMatchObject({ scale: 1, columns: 1, rows: 3, zoom: 1 });
  });
});

describe("a colour scale", () => {
  test("goes from zero to the largest value where none is negative", () => {
    const scale = scaleFor(Float32Array.of(0.5, 2, 4));
    expect(scale).toEqual({ kind: "from zero", from: 0, to: 4, min: 0.5, max: 4 });
    expect(colorOf(scale, 0)).toEqual([0, 0, 4]);
    expect(colorOf(scale, 4)).toEqual([252, 253, 191]);
    const lightness = [0, 1, 2, 3, 4].map((value) => colorOf(scale, value).reduce((sum, channel) => sum + channel));
    expect(lightness).toEqual(lightness.toSorted((a, b) => a - b));
  });

  test("reaches as far below zero as above where one is", () => {
    const scale = scaleFor(Float32Array.of(-3, 1));
    expect(scale).toEqual({ kind: "both signs", from: -3, to: 3, min: -3, max: 1 });
    const [below, zero, above] = [-3, 0, 3].map((value) => colorOf(scale, value));
    expect(below[2]).toBeGreaterThan(below[0]);
    expect(above[0]).toBeGreaterThan(above[2]);
    expect(Math.max(...zero)).toBeLessThan(60);
  });

  test("shows what is no number as such, and no values at all as nothing", () => {
    expect(scaleFor(Float32Array.of(NaN, Infinity))).toMatchObject({ from: 0, to: 1, min: 0, max: 0 });
    const scale = scaleFor(Float32Array.of(NaN, 1, -Infinity));
    expect(scale).toMatchObject({ min: 1, max: 1 });
    expect(colorOf(scale, NaN)).toEqual([255, 0, 255]);
    expect(scaleFor(new Float32Array(4))).toMatchObject({ from: 0, to: 1, min: 0, max: 0 });
  });
});

test("numbers as people read them", () => {
  expect([0.1234, 0.00001, 0, 1].map(percent)).toEqual(["12.3 %", "< 0.1 %", "0.0 %", "100.0 %"]);
  expect([1234.5, 84.4, 3.21].map(duration)).toEqual(["1.23 s", "84 ms", "3.2 ms"]);
  expect(megabytes(53_533_754)).toBe("53.5 MB");
  expect([0.0123456, 412.74, -1.2344e-7, 0, NaN].map(figure)).toEqual(["0.01235", "412.7", "-1.234e-7", "0", "NaN"]);
  expect(mapCount({ count: 64, height: 56, width: 28 })).toBe("64 maps of 56×28");
  expect(mapCount({ count: 1000, height: 1, width: 1 })).toBe("1000 values");
});
