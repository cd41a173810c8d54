import { describe, expect, test } from "vitest";
import { batching, cropsAtOnce, DEFAULT_MEMORY } from "../../src/classify/batches.ts";
import { googLeNet } from "../../src/graph/googlenet.ts";
import { inferShapesForBatch } from "../../src/graph/graph.ts";
import { defaultLimits } from "../../src/plan/limits.ts";
import { planGraph } from "../../src/plan/planner.ts";

describe("batching", () => {
  test.each([
    // crops, at most, pictures there are: pictures at once, sizes of a picture's parts
    [1, 47, Infinity, 47, [1]],
    [1, 47, 5, 5, [1]],
    [10, 47, Infinity, 4, [10]],
    [10, 10, Infinity, 1, [10]],
    [10, 9, Infinity, 1, [5, 5]],
    [144, 47, Infinity, 1, [36, 36, 36, 36]],
    [144, 1000, Infinity, 6, [144]],
    [144, 1000, 2, 2, [144]],
    [144, 100, 2, 1, [72, 72]],
    [144, 7, 2, 1, [...Array<number>(20).fill(7), 4]],
    [10, 1, Infinity, 1, Array<number>(10).fill(1)],
    [1, 3, 0, 1, [1]],
  ])("%i crops, %i at once, %d pictures", (crops, most, there, pictures, sizes) => {
    const made = batching(crops, most, there);
    expect({ pictures: made.pictures, sizes: made.parts.map(({ count }) => count) }).toEqual({ pictures, sizes });
    let next = 0;
    for (const { first, count } of made.parts) {
      expect(first).toBe(next);
      next += count;
    }
    expect(next).toBe(crops);
  });
});

describe("crops at once", () => {
  const graph = googLeNet();
  const roomy = { ...defaultLimits, maxBufferSize: 2 ** 40, maxStorageBufferBindingSize: 2 ** 40 };
  const room = { memory: DEFAULT_MEMORY, limits: roomy, options: {} };

  test("keep what a batch takes within the memory", () => {
    for (const memory of [6e6, 50e6, DEFAULT_MEMORY, 2e9]) {
      const most = cropsAtOnce([graph], Infinity, { ...room, memory });
      const { arenaBytes } = planGraph(inferShapesForBatch(graph, most), roomy);
      const crops = most * 3 * 224 * 224 * 4;
      expect(arenaBytes + crops).toBeLessThanOrEqual(memory);
      // And use it: one more would not fit.
      expect(((arenaBytes + crops + most * 4000) / most) * (most + 1)).toBeGreaterThan(memory * 0.99);
    }
  });

  test("of several models share the memory", () => {
    const alone = cropsAtOnce([graph], Infinity, room);
    const three = cropsAtOnce([graph, graph, googLeNet({ heads: "all" })], Infinity, room);
    expect(three).toBeGreaterThan(alone / 3);
    expect(three).toBeLessThan(alone / 2);
  });

  test("are no more than are wanted, nor than the device's limits allow", () => {
    expect(cropsAtOnce([graph], 10, room)).toBe(10);
    // The stem's output is 64 × 112 × 112 × 4 bytes.
    const limits = { ...roomy, maxStorageBufferBindingSize: 7 * 64 * 112 * 112 * 4 + 5 };
    expect(cropsAtOnce([graph], Infinity, { ...room, limits })).toBe(7);
  });

  test("are refused where not one fits", () => {
    expect(() => cropsAtOnce([graph], 1, { ...room, memory: 1e6 })).toThrow(
      /^memory: one crop takes \d+ bytes, and it may take 1000000; allow more$/,
    );
    expect(() => cropsAtOnce([graph, graph], 1, { ...room, memory: 6e6 })).toThrow(/one crop through 2 models takes/);
  });
});
