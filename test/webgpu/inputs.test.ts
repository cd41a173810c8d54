/** Graphs with several inputs and outputs of any rank, some of whose first extents are no batch. */

import { expect, test } from "vitest";
import { runReference } from "../../src/cpu/reference.ts";
import { bindInputs, type Graph, inferShapes } from "../../src/graph/graph.ts";
import type { Tensor } from "../../src/graph/tensor.ts";
import { kernelsOnDisk } from "../../src/node/kernels.ts";
import { Session } from "../../src/webgpu/session.ts";
import "../support/close.ts";
import { describeGpu, useGpu } from "../support/gpu.ts";
import { randomTensor, uniform } from "../support/random.ts";

const add = { type: "binary", function: "add" } as const;
const mean = { type: "reduce", function: "mean", axes: [0, 1], keepDims: false } as const;

/** rows (N, 4) times table (5, 4) transposed, plus a scalar; the table's mean; a row of ones. */
function graph(images: "N" | number): Graph {
  return {
    name: "inputs",
    inputs: [
      { name: "table", shape: [5, 4] },
      { name: "shift", shape: [] },
      { name: "rows", shape: [images, 4] },
    ],
    nodes: [
      {
        name: "product",
        op: { type: "matmul", transposeA: false, transposeB: true },
        inputs: ["rows", "table"],
        output: "product",
      },
      { name: "sum", op: add, inputs: ["product", "shift"], output: "sum" },
      { name: "mean", op: mean, inputs: ["table"], output: "mean" },
      { name: "ones", op: { type: "constant", shape: [3] }, inputs: [], output: "ones" },
      { name: "row", op: { type: "reshape", form: "unsqueeze", axes: [0] }, inputs: ["ones"], output: "row" },
    ],
    outputs: ["sum", "mean", "row", "shift"],
  };
}

const weights = new Map([["ones.weight", { shape: [3], data: new Float32Array([1, 1, 1]) }]]);

function inputsOf(images: number): Record<string, Tensor> {
  const next = uniform(images);
  const shapes = { table: [5, 4], shift: [], rows: [images, 4] };
  return Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [name, randomTensor(shape, next)]));
}

describeGpu("inputs on the GPU", () => {
  const gpu = useGpu();

  test.each([
    ["a free batch", "N", [1, 3, 7, 2]],
    ["none", 3, [3]],
  ] as const)("with %s", async (_, free, batches) => {
    const options = { device: gpu.device, kernels: kernelsOnDisk };
    using session = await Session.create(graph(free), weights, options);
    for (const images of batches) {
      const inputs = inputsOf(images);
      const given = new Map(Object.entries(inputs));
      const shaped = inferShapes(graph(free), bindInputs(graph(free), { N: images }));
      const expected = await runReference(shaped, weights, given);
      const actual = await session.run(inputs);
      expect(Object.keys(actual).sort()).toEqual(["mean", "row", "shift", "sum"]);
      for (const [id, tensor] of Object.entries(actual)) {
        expect(tensor, id).toBeAllclose(expected.get(id)!, { absolute: 2e-6 });
      }
    }
  });

  test("of wrong shapes are refused by name", async () => {
    const options = { device: gpu.device, kernels: kernelsOnDisk };
    using session = await Session.create(graph("N"), weights, options);
    const inputs = inputsOf(2);
    for (const [name, tensor, message] of [
      ["table", { shape: [2, 4], data: new Float32Array(8) }, /input "table": its shape is 2×4; give 5×4/],
      ["shift", { shape: [1], data: new Float32Array(1) }, /input "shift": its shape is 1; give scalar/],
      ["rows", { shape: [0, 4], data: new Float32Array(0) }, /input "rows": its shape is 0×4/],
    ] as const) {
      await expect(session.run({ ...inputs, [name]: tensor })).rejects.toThrow(message);
    }
  });
});
