/** Plans of GoogLeNet, limits, and how work is divided. */

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { EngineError } from "../../src/errors.ts";
import { googLeNet } from "../../src/graph/googlenet.ts";
import { type Graph, inferShapesForBatch, type ShapedGraph } from "../../src/graph/graph.ts";
import type { Op } from "../../src/graph/ops.ts";
import { squareWindow } from "../../src/graph/ops/window.ts";
import { bestTile, threadPerTile, workgroupGrid, workgroupSizeFor } from "../../src/plan/kernel.ts";
import { defaultLimits } from "../../src/plan/limits.ts";
import { type Plan, weightBytes } from "../../src/plan/plan.ts";
import { largestBatch, partsOf, splitBatch } from "../../src/plan/batches.ts";
import { planGraph } from "../../src/plan/planner.ts";

const graph = googLeNet();
const planFor = (batch: number, options = {}) => planGraph(inferShapesForBatch(graph, batch), defaultLimits, options);

describe("GoogLeNet at batch 1", () => {
  const plan = planFor(1);

  test("takes at most 4.9 MB of activations, against 26.7 MB for every layer's output kept", () => {
    expect(plan.arenaBytes).toBeLessThanOrEqual(4.9e6);
    // Two values live at once need as much: conv2 before and after its LRN.
    expect(plan.arenaBytes).toBeGreaterThanOrEqual(4.81e6);
    expect(plan.unplannedBytes / 1e6).toBeCloseTo(26.7, 1);
  });

  test.each([4, 8, 16, 32, 64])("takes no more where subgroups have %i lanes", (lanes) => {
    const limits = { ...defaultLimits, subgroup: { min: lanes, max: lanes } };
    expect(planGraph(inferShapesForBatch(graph, 1), limits).arenaBytes).toBeLessThanOrEqual(4.9e6);
  });

  test("is 75 steps: ReLUs fused, concats free", () => {
    expect(plan.steps.length).toBe(75);
    expect(plan.steps.filter(({ kernel }) => kernel === "relu" || kernel === "concat")).toEqual([]);
    expect(Object.keys(plan.values).length).toBe(1 + 75 + 9 + 1); // the input, the steps, the concats, dropout
    expect(planFor(1, { fuse: false }).steps.length).toBe(75 + 57 + 9 * 4);
  });

  test("knows its arithmetic and its parameters", () => {
    expect([plan.macs, plan.parameterCount]).toEqual([1_582_671_872, 6_998_552]);
    expect(plan.steps.reduce((sum, { macs }) => sum + macs, 0)).toBe(plan.macs);
    // Packing fills the last tile of channels up; here few are not full.
    expect(weightBytes(plan) / (4 * plan.parameterCount)).toBeLessThan(1.05);
    expect(weightBytes(plan)).toBeGreaterThanOrEqual(4 * plan.parameterCount);
  });

  test("is plain data", () => {
    expect(JSON.parse(JSON.stringify(plan))).toEqual(plan);
  });

  test("is this list of steps", () => {
    expect(`${tableOf(plan)}\n`).toMatchSnapshot();
  });

  test("comes out the same every time", () => {
    expect(planFor(1)).toEqual(plan);
  });
});

test("auxiliary heads add steps and parameters of their own, and without them there is nothing of theirs", () => {
  const all = planGraph(inferShapesForBatch(googLeNet({ heads: "all" }), 1), defaultLimits);
  const main = planFor(1);
  const essence = ({ steps }: Plan) =>
    steps
      .filter(({ name }) => !/^loss[12]/.test(name))
      .map(({ name, kernel, constants, tiles, workgroups }) => ({ name, kernel, constants, tiles, workgroups }));
  expect(essence(all)).toEqual(essence(main));
  expect(main.steps).toHaveLength(essence(main).length);
  expect(main.parameters.filter((each) => "name" in each && /^loss[12]/.test(each.name))).toEqual([]);
  expect(all.steps.length).toBeGreaterThan(main.steps.length);
});

test("memory grows with the batch and no faster", () => {
  for (const batch of [2, 8, 32]) expect(planFor(batch).arenaBytes).toBeLessThanOrEqual(batch * planFor(1).arenaBytes);
});

/** A line a step: its name, kernel, and where its output lies. */
function tableOf({ steps, values, slots }: Plan): string {
  return [
    `slots ${slots.map(({ offset, bytes }) => `${offset}+${bytes}`).join(" ")}`,
    ...steps.map(({ name, kernel, outputs }) => {
      const { slot, offset, stride, shape } = values[outputs[0]];
      return `${name}: ${kernel} -> ${shape.join("x")} in slot ${slot} + ${offset} by ${stride}`;
    }),
  ].join("\n");
}

describe("limits", () => {
  const small = (bytes: number) => ({ ...defaultLimits, maxStorageBufferBindingSize: bytes });
  const errorOf = (work: () => unknown) => {
    try {
      work();
    } catch (error) {
      if (error instanceof EngineError) return { code: error.code, message: error.message };
      throw error;
    }
    return undefined;
  };

  test("a value larger than a buffer may be is named, with its bytes and the limit", () => {
    expect(errorOf(() => planFor(64))).toEqual({
      code: "out-of-memory",
      message:
        "conv1/7x7_s2: it takes 205520896 bytes, and the device binds at most 134217728; " +
        "use a smaller batch or input, or another adapter",
    });
    const buffers = { ...defaultLimits, maxBufferSize: 3_000_000 };
    expect(errorOf(() => planGraph(inferShapesForBatch(graph, 1), buffers))?.message).toMatch(
      /^conv1\/7x7_s2: it takes 3211264 bytes, and the device binds at most 3000000;/,
    );
  });

  test("so are weights, but those of a fully connected layer are bound in parts", () => {
    const wide = (op: Op): ShapedGraph =>
      inferShapesForBatch(
        {
          name: "wide",
          inputs: [{ name: "in", shape: ["N", 100, 1, 1] }],
          nodes: [{ name: "layer", op, inputs: ["in"], output: "out" }],
          outputs: ["out"],
        },
        1,
      );
    const conv = wide({ type: "conv", ...squareWindow(1), outChannels: 104, groups: 1, bias: true });
    expect(errorOf(() => planGraph(conv, small(41_599)))).toEqual({
      code: "out-of-memory",
      message:
        "layer: its packed weights take 41600 bytes, and the device binds at most 41599; " +
        "use a smaller batch or input, or another adapter",
    });
    expect(planGraph(conv, small(41_600)).steps.length).toBe(1);
    const shaped = wide({ type: "fully_connected", outFeatures: 100, bias: true });
    expect(planGraph(shaped, small(39_999)).steps.length).toBe(2);
    expect(planGraph(shaped, small(400)).steps.length).toBe(100);
    expect(errorOf(() => planGraph(shaped, small(399)))?.code).toBe("out-of-memory");
    expect(planGraph(shaped, small(40_000)).steps.length).toBe(1);
  });

  test("what fits exactly is planned, and a byte less is not", () => {
    // At batch 2 activations are larger than any weights.
    const shaped = inferShapesForBatch(graph, 2);
    const bytes = Math.max(...planFor(2).slots.map((slot) => slot.bytes));
    expect(planGraph(shaped, small(bytes)).slots.map((slot) => slot.bytes)).toContain(bytes);
    expect(errorOf(() => planGraph(shaped, small(bytes - 1)))?.message).toMatch(/^conv1\/7x7_s2: /);
  });

  test("the largest batch is planned, and one image more is not", () => {
    const single = inferShapesForBatch(graph, 1);
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 12 }), fc.nat(3_211_263), (images, more) => {
        const limits = small(images * 3_211_264 + more);
        expect(largestBatch(single, limits, 100)).toBe(images);
        expect(largestBatch(single, limits, images - 1)).toBe(images - 1);
        expect(planGraph(inferShapesForBatch(graph, images), limits).batch).toBe(images);
        expect(errorOf(() => planGraph(inferShapesForBatch(graph, images + 1), limits))?.code).toBe("out-of-memory");
      }),
      { numRuns: 10 },
    );
    expect(largestBatch(single, small(3_211_263), 8)).toBe(0);
  });

  test("a batch is split so that every part is planned, whatever the limits", () => {
    const single = inferShapesForBatch(graph, 1);
    const arenaOfOne = planFor(1).arenaBytes;
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 40 }),
        fc.double({ min: 1, max: 12, noNaN: true }),
        fc.double({ min: 1.3, max: 12, noNaN: true }),
        fc.constantFrom(undefined, { min: 8, max: 8 }),
        (batch, buffers, bindings, subgroup) => {
          const limits = {
            ...small(Math.floor(bindings * 3_211_264)),
            maxBufferSize: Math.floor(buffers * arenaOfOne * 1.2),
            ...(subgroup && { subgroup }),
          };
          const most = largestBatch(single, limits, batch);
          expect(most).toBeGreaterThan(0);
          const parts = partsOf(single, limits, batch);
          expect(parts).toEqual(splitBatch(batch, most));
          for (const part of new Set(parts)) {
            expect(planGraph(inferShapesForBatch(graph, part), limits).batch).toBe(part);
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  test("what can't be computed without scratch memory takes some though it may not", () => {
    const square: Graph = {
      name: "square",
      inputs: [{ name: "in", shape: ["N", 3] }],
      nodes: [{ name: "square", op: { type: "binary", function: "mul" }, inputs: ["in", "in"], output: "out" }],
      outputs: ["out"],
    };
    const { steps } = planGraph(inferShapesForBatch(square, 2), defaultLimits, { workspace: false });
    expect(steps.map(({ kernel }) => kernel)).toEqual(["strided_copy", "binary"]);
  });

  test("a batch that a graph mixes is not split", () => {
    const inputs = [{ name: "in", shape: ["N", 3, 4, 4] }];
    for (const op of [
      { type: "softmax", axis: 0 },
      { type: "concat", axis: -4 },
    ] as const) {
      const mixing: Graph = {
        name: "mixing",
        inputs,
        nodes: [{ name: "n", op, inputs: ["in"], output: "out" }],
        outputs: ["out"],
      };
      const single = inferShapesForBatch(mixing, 1);
      expect(largestBatch(single, defaultLimits, 8)).toBe(8);
      expect(largestBatch(single, small(400), 8)).toBe(0);
      expect(partsOf(single, small(400), 8)).toEqual([8]);
    }
  });
});

describe("division of work", () => {
  test("a batch in parts: all its images, none too many at once, in the fewest parts", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3000 }), fc.integer({ min: 1, max: 300 }), (batch, most) => {
        const parts = splitBatch(batch, most);
        expect(parts.reduce((sum, part) => sum + part, 0)).toBe(batch);
        for (const part of parts) expect(part >= 1 && part <= most).toBe(true);
        expect(parts.length).toBe(Math.ceil(batch / most));
        // Each size is a program to compile.
        expect(new Set(parts).size).toBeLessThanOrEqual(2);
      }),
    );
  });

  const perDimension = fc.oneof(fc.integer({ min: 1, max: 40 }), fc.constant(65_535));

  test("a grid: enough workgroups, no dimension past its limit, and few idle", () => {
    fc.assert(
      fc.property(perDimension, fc.double({ min: 0, max: 1, noNaN: true }), (most, share) => {
        const limits = { ...defaultLimits, maxComputeWorkgroupsPerDimension: most };
        const count = Math.max(1, Math.floor(share * Math.min(most ** 3, 2 ** 32)));
        const grid = workgroupGrid("layer", count, limits);
        for (const extent of grid) expect(extent >= 1 && extent <= most && Number.isInteger(extent)).toBe(true);
        const all = grid[0] * grid[1] * grid[2];
        expect(all).toBeGreaterThanOrEqual(count);
        expect(all - count).toBeLessThan(most * Math.max(grid[2], 1) + grid[1]);
      }),
      { numRuns: 1000 },
    );
  });

  test("more workgroups than a grid takes, or threads than a kernel can number, are an error", () => {
    const limits = { ...defaultLimits, maxComputeWorkgroupsPerDimension: 10 };
    expect(workgroupGrid("layer", 1000, limits)).toEqual([10, 10, 10]);
    expect(() => workgroupGrid("layer", 1001, limits)).toThrow(/^layer: it needs 1001 workgroups; use a smaller batch/);
    expect(threadPerTile("layer", 2 ** 32 - 1, defaultLimits).values.threadCount).toBe(2 ** 32 - 1);
    expect(() => threadPerTile("layer", 2 ** 32, defaultLimits)).toThrow(/^layer: it needs 4294967296 threads;/);
  });

  test("a workgroup's size keeps to both limits and stays a power of two", () => {
    const sized = (x: number, invocations: number, wanted?: number) =>
      workgroupSizeFor(
        { ...defaultLimits, maxComputeWorkgroupSizeX: x, maxComputeInvocationsPerWorkgroup: invocations },
        wanted,
      );
    expect([sized(256, 256), sized(256, 256, 256), sized(50, 256), sized(256, 16), sized(1, 1)]).toEqual([
      64, 256, 32, 16, 1,
    ]);
  });

  test("a tile wastes as little as any of its size can", () => {
    const sizes = [7, 8, 6, 5, 4];
    expect([7, 14, 28, 56, 112].map((extent) => bestTile(extent, sizes))).toEqual([7, 7, 7, 7, 7]);
    expect([8, 12, 5, 1].map((extent) => bestTile(extent, sizes))).toEqual([8, 6, 5, 4]);
  });
});
