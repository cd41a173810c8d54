/** The memory planner, as properties of any graph. */

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { googLeNet } from "../../src/graph/googlenet.ts";
import { type Graph, inferShapesForBatch, type Node } from "../../src/graph/graph.ts";
import type { Op } from "../../src/graph/ops.ts";
import { squareWindow } from "../../src/graph/ops/window.ts";
import { placeInArena } from "../../src/plan/arena.ts";
import { defaultLimits, type PlanLimits } from "../../src/plan/limits.ts";
import { planGraph } from "../../src/plan/planner.ts";
import { memoryFaults } from "./memory_model.ts";
import { randomGraphs, shapedOf } from "./random_graphs.ts";

describe("arena", () => {
  const lifetimes = fc.array(
    fc
      .record({ bytes: fc.integer({ min: 1, max: 5000 }), first: fc.nat(20), length: fc.nat(8) })
      .map(({ bytes, first, length }) => ({ bytes, first, last: first + length })),
    { maxLength: 30 },
  );

  test("what lives at the same time lies apart, at offsets that can be bound", () => {
    fc.assert(
      fc.property(lifetimes, (each) => {
        const { ranges, bytes } = placeInArena(each);
        each.forEach((a, i) => {
          expect(ranges[i].offset % 256).toBe(0);
          expect(ranges[i].bytes).toBe(a.bytes);
          expect(ranges[i].offset + a.bytes).toBeLessThanOrEqual(bytes);
          each.slice(0, i).forEach((b, j) => {
            const together = a.first <= b.last && b.first <= a.last;
            const apart =
              ranges[i].offset >= ranges[j].offset + b.bytes || ranges[j].offset >= ranges[i].offset + a.bytes;
            expect(!together || apart).toBe(true);
          });
        });
      }),
    );
  });

  test("it is no larger than what lives at one time, where all are of one size", () => {
    fc.assert(
      fc.property(lifetimes, (each) => {
        const alike = each.map((lifetime) => ({ ...lifetime, bytes: 256 }));
        const times = Array.from({ length: 30 }, (_, time) => time);
        const most = Math.max(0, ...times.map((time) => alike.filter((a) => a.first <= time && time <= a.last).length));
        expect(placeInArena(alike).bytes).toBe(256 * most);
      }),
    );
  });
});

/** Devices whose plans use the plain algorithms, and those that take memory beside the layers' own. */
const devices = [
  defaultLimits,
  { ...defaultLimits, subgroup: { min: 8, max: 8 } },
  { ...defaultLimits, subgroup: { min: 32, max: 32 } },
];

describe.each([true, false])("every value is where it is read, fuse: %s", (fuse) => {
  test("in random graphs", () => {
    fc.assert(
      fc.property(randomGraphs(14), fc.constantFrom(...devices), (random, limits) => {
        const shaped = shapedOf(random);
        const plan = planGraph(shaped, limits, { fuse });
        expect(memoryFaults(shaped, plan)).toEqual([]);
        // Whatever fusion left in memory is there to be read, and without fusion that is everything.
        if (!fuse) expect(Object.keys(plan.values).sort()).toEqual([...shaped.shapes.keys()].sort());
        expect(Object.keys(plan.values)).toEqual(expect.arrayContaining([...plan.inputs, ...plan.outputs]));
      }),
      { numRuns: 500 },
    );
  });

  test.each(awkwardGraphs())("in $name", (graph) => {
    for (const batch of [1, 2]) {
      const shaped = inferShapesForBatch(graph, batch);
      for (const limits of devices) expect(memoryFaults(shaped, planGraph(shaped, limits, { fuse }))).toEqual([]);
    }
  });

  test("in GoogLeNet with its auxiliary heads", () => {
    const shaped = inferShapesForBatch(googLeNet({ heads: "all" }), 1);
    // Wide subgroups differ from none by what fusion makes of them.
    for (const limits of fuse ? devices : devices.slice(0, 2))
      expect(memoryFaults(shaped, planGraph(shaped, limits, { fuse }))).toEqual([]);
  });
});

test("convolutions of one input are one step where the device has subgroups, and on request", () => {
  const [graph] = awkwardGraphs().filter(({ name }) => name.startsWith("convolutions of one input, one"));
  const shaped = inferShapesForBatch(graph, 2);
  const stepsOf = (limits: PlanLimits, options = {}) =>
    planGraph(shaped, limits, options).steps.map(({ name }) => name);
  const apart = ["conv-a", "conv-b", "conv-c", "conv-d", "conv-e"];
  const together = ["conv-a + conv-b + conv-c", "conv-d", "conv-e"];
  const [plain, narrow, wide] = devices;
  expect(stepsOf(wide)).toEqual(together);
  expect(stepsOf(narrow)).toEqual(together);
  expect(stepsOf(narrow, { merge: false })).toEqual(apart);
  expect(stepsOf(plain, { merge: true })).toEqual(together);
  expect(stepsOf(wide, { merge: false })).toEqual(apart);
  // Every blob before a ReLU has a step of its own then.
  expect(stepsOf(wide, { fuse: false })).toEqual([...apart, ...[1, 2, 3].map((copy) => `join-f (${copy} of 3)`)]);
  // Where no kernel that can is small enough.
  expect(stepsOf({ ...wide, maxComputeInvocationsPerWorkgroup: 32 })).toEqual(apart);
  const { steps, values } = planGraph(shaped, wide);
  expect(steps[0].outputs).toEqual(["a", "b", "c"]);
  expect(values.b.slot).toBe(values.c.slot);
  expect(values.a.slot).toBe(values.f.slot);
});

test("a max pooling is one step with the 1×1 convolution that alone reads it, where subgroups are wide", () => {
  const pool = node("pool", { type: "pool_max", ...squareWindow(3, 1, 1), rounding: "ceil" }, ["in"], "a");
  const conv = node("conv", convolution, ["a"], "b");
  const stepsOf = (nodes: Node[], outputs: string[], side = 4, limits = devices[2]) => {
    const inputs = [{ name: "in", shape: ["N", 3, side, side] as const }];
    const shaped = inferShapesForBatch({ ...graphOf("pooled", nodes, outputs), inputs }, 1);
    const plan = planGraph(shaped, limits);
    expect(memoryFaults(shaped, plan)).toEqual([]);
    return plan.steps.map(({ name }) => name);
  };
  expect(stepsOf([pool, conv], ["b"])).toEqual(["pool + conv"]);
  expect(stepsOf([pool, conv], ["b"], 4, devices[1])).toEqual(["pool", "conv"]);
  expect(stepsOf([pool, conv], ["a", "b"])).toEqual(["pool", "conv"]);
  expect(stepsOf([pool, conv, node("relu", rectify, ["a"], "c")], ["b", "c"])).toEqual(["pool", "conv", "relu"]);
  const smaller = { ...pool, op: { ...pool.op, ...squareWindow(3, 2, 1) } as Op };
  expect(stepsOf([smaller, conv], ["b"])).toEqual(["pool", "conv"]);
  const wider = { ...conv, op: { ...convolution, ...squareWindow(3, 1, 1) } as Op };
  expect(stepsOf([pool, wider], ["b"])).toEqual(["pool", "conv"]);
  // A map that is larger than a dispatch is worth.
  expect(stepsOf([pool, conv], ["b"], 300)).toEqual(["pool", "conv"]);
});

test("a concat of values made for it alone takes no step and no memory of its own", () => {
  const conv = (name: string): Node => node(name, convolution, ["in"], name);
  const graph = graphOf("joined", [conv("a"), conv("b"), node("c", join, ["a", "b"], "c")], ["c"]);
  const plan = planGraph(inferShapesForBatch(graph, 2), defaultLimits);
  expect(plan.steps.map(({ name }) => name)).toEqual(["a", "b"]);
  expect(plan.slots.map(({ bytes }) => bytes).sort((a, b) => b - a)).toEqual([2 * 6 * 16 * 4, 2 * 3 * 16 * 4]);
  expect([plan.values.a.slot, plan.values.b.slot]).toEqual([plan.values.c.slot, plan.values.c.slot]);
});

test("views and constants take no step and no memory, unless a slice of a concat would have to be cut anew", () => {
  const flatten: Op = { type: "reshape", form: "flatten", axis: 1 };
  const row: Op = { type: "reshape", form: "shape", shape: [-1] };
  const graph = graphOf(
    "views",
    [
      node("c", { type: "constant", shape: [48] }, [], "c"),
      node("a", convolution, ["in"], "a"),
      node("flat", flatten, ["a"], "flat"),
      node("same", { type: "identity" }, ["flat"], "same"),
      node("sum", { type: "binary", function: "add" }, ["same", "c"], "sum"),
      node("rectified", rectify, ["sum"], "rectified"),
    ],
    ["rectified"],
  );
  const plan = planGraph(inferShapesForBatch(graph, 2), defaultLimits);
  expect(plan.steps.map(({ name }) => name)).toEqual(["a", "sum + rectified"]);
  expect(plan.slots.length).toBe(2); // the sum lies where the input was
  expect(Object.keys(plan.values)).toEqual(["in", "a", "flat", "same", "rectified"]);

  const joined = (op: Op) =>
    graphOf(
      "joined",
      [
        node("a", convolution, ["in"], "a"),
        node("b", convolution, ["in"], "b"),
        node("ab", join, ["a", "b"], "ab"),
        node("view", op, ["b"], "view"),
      ],
      ["ab", "view"],
    );
  const kernels = (op: Op, batch: number) =>
    planGraph(inferShapesForBatch(joined(op), batch), defaultLimits).steps.map(({ kernel }) => kernel);
  expect(kernels(flatten, 2)).not.toContain("concat");
  expect(kernels(row, 1)).not.toContain("concat");
  expect(kernels(row, 2).filter((kernel) => kernel === "concat").length).toBe(1);
});

const join: Op = { type: "concat", axis: 1 };
const drop: Op = { type: "dropout", ratio: 0.5 };
const rectify: Op = { type: "relu" };
const convolution: Op = { type: "conv", ...squareWindow(1), outChannels: 3, groups: 1, bias: true };

function node(name: string, op: Op, inputs: string[], output: string): Node {
  return { name, op, inputs, output };
}

function graphOf(name: string, nodes: Node[], outputs: string[]): Graph {
  return { name, inputs: [{ name: "in", shape: ["N", 3, 4, 4] }], nodes, outputs };
}

/** Where placing a concat's inputs in its output meets something else. */
function awkwardGraphs(): Graph[] {
  const conv = (from: string, to: string) => node(`conv-${to}`, convolution, [from], to);
  const relu = (from: string, to: string) => node(`relu-${to}`, rectify, [from], to);
  const dropout = (from: string, to: string) => node(`drop-${to}`, drop, [from], to);
  const concat = (from: string[], to: string) => node(`join-${to}`, join, from, to);
  return [
    graphOf("a concat of one value twice", [conv("in", "a"), concat(["a", "a"], "b")], ["b"]),
    graphOf("a concat of the graph's input", [conv("in", "a"), concat(["in", "a"], "b")], ["b"]),
    graphOf(
      "a concat within a concat",
      [conv("in", "a"), conv("a", "b"), concat(["a", "b"], "c"), conv("c", "d"), concat(["d", "c"], "e")],
      ["e"],
    ),
    graphOf(
      "a value in two concats",
      [conv("in", "a"), conv("in", "b"), concat(["a", "b"], "c"), concat(["b", "a"], "d")],
      ["c", "d"],
    ),
    graphOf(
      "a concat with itself",
      [conv("in", "a"), concat(["a"], "b"), concat(["b", "b"], "c"), concat(["c", "a"], "d")],
      ["d"],
    ),
    graphOf("a branch that reads its neighbour", [conv("in", "a"), conv("a", "b"), concat(["a", "b"], "c")], ["c"]),
    graphOf(
      "a ReLU between two slices",
      [conv("in", "a"), relu("a", "b"), concat(["b", "a"], "c"), relu("c", "d")],
      ["d", "a"],
    ),
    graphOf(
      "dropouts in a row",
      [
        conv("in", "a"),
        dropout("a", "b"),
        dropout("b", "c"),
        concat(["c", "b"], "d"),
        dropout("d", "e"),
        conv("e", "f"),
      ],
      ["f", "c"],
    ),
    graphOf("dropout of the input", [dropout("in", "a"), dropout("a", "b"), concat(["b", "in"], "c")], ["c", "a"]),
    graphOf(
      "a dropped slice read by a later branch",
      [conv("in", "a"), dropout("a", "b"), conv("b", "c"), concat(["b", "c"], "d")],
      ["d"],
    ),
    graphOf(
      "an output in the middle",
      [conv("in", "a"), relu("a", "b"), conv("b", "c"), relu("c", "d"), conv("d", "e")],
      ["b", "in"],
    ),
    graphOf(
      "convolutions of one input, one of them a branch of a concat",
      [conv("in", "a"), conv("in", "b"), conv("in", "c"), conv("b", "d"), conv("c", "e"), concat(["d", "a", "e"], "f")],
      ["f", "c"],
    ),
    graphOf(
      "convolutions of one input with ReLUs, one of them dropped, one read by nobody",
      [
        conv("in", "a"),
        conv("in", "b"),
        conv("in", "c"),
        ...[relu("a", "d"), relu("b", "e"), relu("c", "f")],
        dropout("e", "g"),
        conv("g", "h"),
        conv("d", "i"),
        concat(["i", "h"], "j"),
      ],
      ["j"],
    ),
    graphOf(
      "values that nobody uses",
      [conv("in", "a"), conv("in", "b"), concat(["a", "a", "a"], "c"), conv("b", "d")],
      ["d"],
    ),
  ];
}
