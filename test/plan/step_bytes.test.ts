/** The bytes that a plan's steps have to move, which rates and rooflines are made of. */
import { describe, expect, test } from "vitest";
import { googLeNet } from "../../src/graph/googlenet.ts";
import { type Graph, inferShapesForBatch, type Node } from "../../src/graph/graph.ts";
import { defaultLimits } from "../../src/plan/limits.ts";
import { weightBytes } from "../../src/plan/plan.ts";
import { planGraph } from "../../src/plan/planner.ts";

const limits = { ...defaultLimits, subgroup: { min: 8, max: 8 } };

test("a product in parts moves its input, weights and output once, and the parts to and fro", () => {
  const wide = { ...defaultLimits, subgroup: { min: 32, max: 32 } };
  const { steps } = planGraph(inferShapesForBatch(googLeNet(), 1), wide);
  const [product, sum] = steps.filter(({ name }) => name.startsWith("inception_5b/3x3 "));
  const { parts } = product.layer;
  expect([product.kernel, sum.kernel, parts > 1]).toEqual(["conv_gemm", "sum_parts", true]);
  const [input, weights, output] = [192 * 49, 384 * 192 * 9, 384 * 49];
  expect(product.bytes).toBe(4 * (input + weights + parts * output));
  expect(sum.bytes).toBe(4 * (parts * output + 384 + output));
  expect([product.macs, sum.macs]).toEqual([384 * 49 * 192 * 9, 0]);
});

describe.each([1, 2])("at batch %s", (batch) => {
  const { steps } = planGraph(inferShapesForBatch(googLeNet(), batch), limits, { tolerance: 1e-5 });

  test("conv1 moves its input, its weights and biases, and its output", () => {
    const values = batch * 3 * 224 * 224 + 64 * 3 * 7 * 7 + 64 + batch * 64 * 112 * 112;
    expect(steps[0].bytes).toBe(4 * values);
  });

  test("Winograd's parts together move the layer's input and output once, and their scratch memory to and fro", () => {
    const parts = steps.filter(({ name }) => name.startsWith("conv2/3x3 "));
    const inputs = parts.filter(({ kernel }) => kernel === "winograd2_input");
    const outputs = parts.filter(({ kernel }) => kernel === "winograd2_output");
    const sum = (some: typeof parts) => some.reduce((total, { bytes }) => total + bytes, 0);
    expect(inputs.length).toBeGreaterThan(1);
    // 28×28 tiles of 2×2 outputs, 16 frequencies each.
    const tile = 28 * 28 * 16;
    expect(sum(inputs)).toBe(4 * batch * 64 * (56 * 56 + tile));
    // Every part reads the biases.
    expect(sum(outputs)).toBe(4 * (batch * 192 * (tile + 56 * 56) + inputs.length * 192));
    // A product reads all weights of its channels.
    const products = parts.filter((part) => !inputs.includes(part) && !outputs.includes(part));
    expect(products).toHaveLength(outputs.length);
    const again = outputs.length / inputs.length;
    expect(sum(products)).toBe(4 * (batch * (again * 64 + 192) * tile + inputs.length * 16 * 64 * 192));
  });
});

test("ops on arrays move what they look at, and a copy that has to go before apart", () => {
  const nodes: Node[] = [
    { name: "square", op: { type: "binary", function: "mul" }, inputs: ["in", "in"], output: "square" },
    { name: "gram", op: { type: "matmul", transposeA: false, transposeB: true }, inputs: ["in", "in"], output: "gram" },
    { name: "c", op: { type: "constant", shape: [7] }, inputs: [], output: "c" },
    { name: "sum", op: { type: "binary", function: "add" }, inputs: ["square", "c"], output: "sum" },
    {
      name: "part",
      op: { type: "slice", ranges: [{ axis: 2, start: 0, end: 2, step: 1 }] },
      inputs: ["sum"],
      output: "part",
    },
    { name: "pick", op: { type: "gather", axis: 1, indices: [4], indicesShape: [1] }, inputs: ["sum"], output: "pick" },
  ];
  const graph: Graph = {
    name: "arrays",
    inputs: [{ name: "in", shape: ["N", 5, 7] }],
    nodes,
    outputs: ["gram", "part", "pick"],
  };
  const { steps } = planGraph(inferShapesForBatch(graph, 3), limits);
  const image = 3 * 5 * 7;
  expect(steps.map(({ kernel, macs, bytes }) => [kernel, macs, bytes / 4])).toEqual([
    ["strided_copy", 0, 2 * image],
    ["binary", 0, 3 * image],
    ["strided_copy", 0, 2 * image],
    ["matmul", 3 * 5 * 5 * 7, 2 * image + 3 * 5 * 5],
    ["binary", 0, 2 * image + 7],
    ["strided_copy", 0, 2 * 3 * 5 * 2],
    ["gather", 0, 2 * 3 * 7 + 1],
  ]);
});

test("in float16 half of it all, but for what algorithms pass on and for indices", () => {
  const half = { ...limits, float16: true };
  const shaped = inferShapesForBatch(googLeNet(), 2);
  const [narrow, wide] = [
    planGraph(shaped, half, { precision: "f16", workspace: false }),
    planGraph(shaped, half, { workspace: false }),
  ];
  expect(narrow.steps.map(({ name, bytes }) => [name, bytes * 2])).toEqual(
    wide.steps.map(({ name, bytes }) => [name, bytes]),
  );
  expect([narrow.arenaBytes, narrow.unplannedBytes, weightBytes(narrow)].map((bytes) => bytes * 2)).toEqual([
    wide.arenaBytes,
    wide.unplannedBytes,
    weightBytes(wide),
  ]);

  const parted = planGraph(
    inferShapesForBatch(googLeNet(), 1),
    { ...half, subgroup: { min: 32, max: 32 } },
    { precision: "f16" },
  );
  const [product, sum] = parted.steps.filter(({ name }) => name.startsWith("inception_5b/3x3 "));
  const { parts } = product.layer;
  const [input, weights, output] = [192 * 49, 384 * 192 * 9, 384 * 49];
  expect(product.bytes).toBe(2 * (input + weights) + 4 * parts * output);
  expect(sum.bytes).toBe(4 * parts * output + 2 * (384 + output));
});
