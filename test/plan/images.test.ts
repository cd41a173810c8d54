/** Which graphs may be run a part of a batch at a time. */

import fc from "fast-check";
import { expect, test } from "vitest";
import { runReference } from "../../src/cpu/reference.ts";
import { EngineError } from "../../src/errors.ts";
import { type Graph, inferShapesForBatch, type Node, type ShapedGraph } from "../../src/graph/graph.ts";
import type { Op } from "../../src/graph/ops.ts";
import { elementsPerImage, type Tensor } from "../../src/graph/tensor.ts";
import { imageValues } from "../../src/plan/images.ts";
import { randomTensor, uniform } from "../support/random.ts";
import { randomGraphs } from "./random_graphs.ts";

test("of random graphs that may, every image alone gives what it gives among others", async () => {
  let split = 0;
  await fc.assert(
    fc.asyncProperty(randomGraphs(6, { free: true }), fc.nat(), async ({ graph }, seed) => {
      const batch = 3;
      const shaped = shapedOrNot(graph, batch);
      const single = shapedOrNot(graph, 1);
      if (!shaped || !single || !imageValues(graph, batch)) return;
      split++;
      const next = uniform(seed);
      const weights = new Map(single.parameters.map(({ name, shape }) => [name, randomTensor(shape, next)]));
      const inputs = new Map(
        graph.inputs.map(({ name }): [string, Tensor] => [name, randomTensor(shaped.shapes.get(name)!, next)]),
      );
      const whole = await runReference(shaped, weights, inputs);
      for (let image = 0; image < batch; image++) {
        const alone = await runReference(
          single,
          weights,
          mapValues(inputs, (each) => imageOf(each, image)),
        );
        for (const [id, tensor] of whole) expect(alone.get(id)).toEqual(imageOf(tensor, image));
      }
    }),
    { numRuns: 300 },
  );
  expect(split).toBeGreaterThan(30);
});

const constant = (...shape: number[]): Node => ({
  name: "c",
  op: { type: "constant", shape },
  inputs: [],
  output: "c",
});
const after = (op: Op, ...inputs: string[]): Node => ({ name: "n", op, inputs, output: "out" });
const add = { type: "binary", function: "add" } as const;
const multiply = { type: "matmul", transposeA: false, transposeB: false } as const;
const turn = { ...multiply, transposeA: true } as const;
const take = { indices: [0], indicesShape: [1] };
const whole = { type: "reshape", form: "shape" } as const;

test.each<[what: string, apart: boolean, shape: number[], nodes: Node[]]>([
  ["softmax along the batch", false, [4], [after({ type: "softmax", axis: -2 }, "in")]],
  ["softmax of each image", true, [4], [after({ type: "softmax", axis: 1, trailing: true }, "in")]],
  ["a mean over the batch", false, [4], [after({ type: "reduce", function: "mean", axes: [0], keepDims: true }, "in")]],
  ["a mean of each image", true, [4], [after({ type: "reduce", function: "mean", axes: [-1], keepDims: false }, "in")]],
  ["the batch transposed", false, [4], [after({ type: "transpose", permutation: [1, 0] }, "in")]],
  ["images transposed", true, [4, 5], [after({ type: "transpose", permutation: [0, 2, 1] }, "in")]],
  ["images picked", false, [4], [after({ type: "gather", axis: 0, ...take }, "in")]],
  ["channels picked", true, [4], [after({ type: "gather", axis: 1, ...take }, "in")]],
  ["images sliced", false, [4], [after({ type: "slice", ranges: [{ axis: -2, start: 0, end: 9, step: 1 }] }, "in")]],
  [
    "the first few images, of which there are no more",
    false,
    [4],
    [after({ type: "slice", ranges: [{ axis: 0, start: 0, end: 16, step: 1 }] }, "in")],
  ],
  [
    "images put before",
    false,
    [4],
    [after({ type: "pad", before: [1, 0], after: [0, 0], mode: "edge", value: 0 }, "in")],
  ],
  ["images joined to others", false, [4], [after({ type: "concat", axis: 0 }, "in", "in")]],
  ["images side by side", true, [4], [after({ type: "concat", axis: 1 }, "in", "in")]],
  ["each image flattened", true, [4, 5], [after({ type: "reshape", form: "flatten", axis: 1 }, "in")]],
  ["all in one row", false, [4], [after({ ...whole, shape: [-1] }, "in")]],
  ["rows of half an image", false, [4], [after({ ...whole, shape: [-1, 2] }, "in")]],
  ["as many rows as the batch has images by accident", false, [4], [after({ ...whole, shape: [7, -1] }, "in")]],
  ["a constant for all images", true, [4], [constant(4), after(add, "in", "c")]],
  ["a constant with one image", true, [4], [constant(1, 4), after(add, "c", "in")]],
  ["a constant with images of its own", false, [4], [constant(7, 1), after(add, "in", "c")]],
  ["images along another's channels", false, [], [constant(3, 1), after(add, "in", "c")]],
  ["images times a matrix", true, [4], [constant(4, 2), after(multiply, "in", "c")]],
  ["a matrix times images", false, [4], [constant(2, 7), after(multiply, "c", "in")]],
  ["images turned on their side", false, [4], [constant(7, 2), after(turn, "in", "c")]],
  ["a matrix for each image", true, [4, 5], [after({ ...multiply, transposeB: true }, "in", "in")]],
  ["images times images", false, [4], [after({ ...multiply, transposeB: true }, "in", "in")]],
])("%s: %s", (_, apart, shape, nodes) => {
  const graph: Graph = { name: "g", inputs: [{ name: "in", shape: ["N", ...shape] }], nodes, outputs: ["out"] };
  // Where only one number of images fits a constant, nothing is inferred for another.
  const values = shapedOrNot(graph, 1) ? imageValues(graph, 7) : undefined;
  expect(values !== undefined).toBe(apart);
});

test("a graph with a fixed or a second free extent, or whose output hangs on no input", () => {
  const identity = after({ type: "identity" }, "in");
  const values = (shape: (number | string)[], nodes: Node[], outputs: string[]) =>
    imageValues({ name: "g", inputs: [{ name: "in", shape }], nodes, outputs }, 7);
  expect(values(["N", 3], [identity], ["out"])).toEqual(new Set(["in", "out"]));
  expect(values([7, 3], [identity], ["out"])).toBeUndefined();
  expect(values(["N", "N"], [identity], ["out"])).toBeUndefined();
  expect(values(["N", 3], [identity, constant(7)], ["out", "c"])).toBeUndefined();
});

function shapedOrNot(graph: Graph, batch: number): ShapedGraph | undefined {
  try {
    return inferShapesForBatch(graph, batch);
  } catch (error) {
    if (error instanceof EngineError) return undefined;
    throw error;
  }
}

function imageOf({ shape, data }: Tensor, image: number): Tensor {
  const elements = elementsPerImage(shape);
  return { shape: shape.with(0, 1), data: data.slice(image * elements, (image + 1) * elements) };
}

function mapValues<K, V>(map: ReadonlyMap<K, V>, change: (value: V) => V): Map<K, V> {
  return new Map([...map].map(([key, value]) => [key, change(value)]));
}
