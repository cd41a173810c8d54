import { describe, expect, test } from "vitest";
import { runReference } from "../../src/cpu/reference.ts";
import { type Graph, inferShapesForBatch } from "../../src/graph/graph.ts";
import type { Tensor } from "../../src/graph/tensor.ts";
import { tensor } from "../support/tensor.ts";

/** a = relu(x); b = 2 a + 1 (fully connected); y = concat(a, b); `unused` leads nowhere. */
const graph: Graph = {
  name: "small",
  inputs: [{ name: "x", shape: ["N", 2] }],
  nodes: [
    { name: "relu", op: { type: "relu" }, inputs: ["x"], output: "a" },
    { name: "double", op: { type: "fully_connected", outFeatures: 2, bias: true }, inputs: ["a"], output: "b" },
    { name: "unused", op: { type: "relu" }, inputs: ["b"], output: "u" },
    { name: "join", op: { type: "concat", axis: 1 }, inputs: ["a", "b"], output: "y" },
  ],
  outputs: ["y"],
};
const shaped = inferShapesForBatch(graph, 1);
const weights = new Map([
  ["double.weight", tensor([2, 2], [2, 0, 0, 2])],
  ["double.bias", tensor([2], [1, 1])],
]);
const inputs = new Map([["x", tensor([1, 2], [3, -4])]]);

const values: Record<string, Tensor> = {
  x: tensor([1, 2], [3, -4]),
  a: tensor([1, 2], [3, 0]),
  b: tensor([1, 2], [7, 1]),
  u: tensor([1, 2], [7, 1]),
  y: tensor([1, 4], [3, 0, 7, 1]),
};

describe("what is returned", () => {
  test("the outputs", async () => {
    expect(Object.fromEntries(await runReference(shaped, weights, inputs))).toEqual({ y: values.y });
  });

  test("kept values beside them", async () => {
    const kept = await runReference(shaped, weights, inputs, { keep: ["a", "x"] });
    expect(Object.fromEntries(kept)).toEqual({ x: values.x, a: values.a, y: values.y });
  });

  test("every value", async () => {
    expect(Object.fromEntries(await runReference(shaped, weights, inputs, { keep: "all" }))).toEqual(values);
  });

  test("an output that is an input, too", async () => {
    const passed = inferShapesForBatch({ ...graph, outputs: ["x", "u"] }, 1);
    expect(Object.fromEntries(await runReference(passed, weights, inputs))).toEqual({ x: values.x, u: values.u });
  });
});

test("the inputs are left as they were", async () => {
  const x = tensor([1, 2], [3, -4]);
  await runReference(shaped, weights, new Map([["x", x]]));
  expect(x).toEqual(values.x);
});

test("progress is told node by node", async () => {
  const told: string[] = [];
  await runReference(shaped, weights, inputs, {
    onProgress: (done, total, node) => told.push(`${done}/${total} ${node.name}`),
  });
  expect(told).toEqual(["1/4 relu", "2/4 double", "3/4 unused", "4/4 join"]);
});

test("an abort stops it before the next node, with its reason", async () => {
  const controller = new AbortController();
  const reason = new Error("enough");
  const told: number[] = [];
  const run = runReference(shaped, weights, inputs, {
    signal: controller.signal,
    onProgress: (done) => {
      told.push(done);
      if (done === 2) controller.abort(reason);
    },
  });
  await expect(run).rejects.toBe(reason);
  expect(told).toEqual([1, 2]);
});

describe("refused before anything runs", () => {
  test.each([
    ["a missing input", weights, new Map(), 'input "x": it is missing; give 1×2', "array"],
    [
      "an input of another shape",
      weights,
      new Map([["x", tensor([2, 1], [3, -4])]]),
      'input "x": its shape is 2×1; give 1×2',
      "array",
    ],
    [
      "a missing weight",
      new Map([...weights].slice(1)),
      inputs,
      'weight "double.weight": it is missing; give 2×2',
      "weights",
    ],
    [
      "a weight of another shape",
      new Map([...weights, ["double.bias", tensor([1], [1])]]),
      inputs,
      'weight "double.bias": its shape is 1; give 2',
      "weights",
    ],
  ])("%s", async (_, someWeights, someInputs, message, code) => {
    await expect(runReference(shaped, someWeights, someInputs as Map<string, Tensor>)).rejects.toMatchObject({
      message,
      code,
    });
  });

  test("a value to keep that there is not", async () => {
    await expect(runReference(shaped, weights, inputs, { keep: ["z"] })).rejects.toMatchObject({
      message: 'blob "z": small has none; name another',
      code: "usage",
    });
  });
});
