/**
 * Every op by the meaning that each operator set gives it, against ONNX Runtime: by the reference here, and on the GPU
 * where the graph's ops are held against the reference anyway.
 */

import { InferenceSession, Tensor as OnnxTensor } from "onnxruntime-node";
import { describe, expect, test } from "vitest";
import { runReference } from "../../../src/cpu/reference.ts";
import { encodeModel } from "../../../src/formats/onnx/encode.ts";
import { operators } from "../../../src/formats/onnx/operators.ts";
import { readOnnx } from "../../../src/formats/onnx/read.ts";
import { inferShapesForBatch } from "../../../src/graph/graph.ts";
import type { Tensor } from "../../../src/graph/tensor.ts";
import "../../support/close.ts";
import { freshSeed, randomTensor, uniform } from "../../support/random.ts";
import { forOnnxRuntime, nameOf, type OperatorCase, operatorCases } from "./operator_cases.ts";

const batch = 2;

describe("an op means what its operator set says", () => {
  test.each(operatorCases.map((each) => [nameOf(each), each] as const))("%s", async (_, operatorCase) => {
    const seed = freshSeed();
    const { bytes, inputs } = build(operatorCase, seed);
    const { graph, weights } = await readOnnx(bytes, "case.onnx");
    const expected = await runOnnxRuntime(build(forOnnxRuntime(operatorCase), seed).bytes, inputs);
    const actual = (await runReference(inferShapesForBatch(graph, batch), weights, inputs)).get("out")!;
    expect(actual, `seed ${seed}`).toBeAllclose(expected, { absolute: 1e-6 + 2e-6 * largest(expected) });
  });
});

test("every op has cases of its own", () => {
  const untested = [...operators.keys()].filter((type) => !operatorCases.some((each) => each.type === type));
  expect(untested).toEqual(["Constant", "Shape"]);
});

/** A model of the one node, and random arrays for it. */
function build({ type, opset, operands, attributes = {}, others = [] }: OperatorCase, seed: number) {
  const next = uniform(seed);
  const draw = (shape: readonly number[], positive = false): Tensor => {
    const { data } = randomTensor(shape, next);
    return { shape, data: positive ? data.map((value) => Math.abs(value) + 0.1) : data };
  };
  const inputs = new Map<string, Tensor>();
  const initializers: [string, Tensor | readonly number[]][] = [];
  const declared: [string, readonly (number | string)[]][] = [];
  const names = operands.map((operand, index) => {
    if (operand === null) return "";
    const name = `in${index}`;
    if ("given" in operand) {
      declared.push([name, operand.given]);
      const shape = operand.given.map((extent) => (extent === "N" ? batch : Number(extent)));
      inputs.set(name, draw(shape, operand.positive));
    } else if ("weights" in operand) {
      initializers.push([name, draw(operand.weights, operand.positive)]);
    } else {
      initializers.push([name, "numbers" in operand ? operand.numbers : operand.integers]);
    }
    return name;
  });
  const bytes = encodeModel({
    name: "case",
    // So that initializers are inputs too, as they had to be then.
    irVersion: opset < 9 ? 3 : 8,
    opset,
    nodes: [{ type, inputs: names, output: "out", others, attributes }],
    initializers,
    inputs: [
      ...declared,
      ...(opset < 9
        ? initializers.flatMap(([name, tensor]) => ("shape" in tensor ? [[name, tensor.shape] as const] : []))
        : []),
    ],
    outputs: [["out", null]],
  });
  return { bytes, inputs };
}

async function runOnnxRuntime(bytes: Uint8Array, inputs: ReadonlyMap<string, Tensor>): Promise<Tensor> {
  const session = await InferenceSession.create(bytes, { executionProviders: ["cpu"], logSeverityLevel: 4 });
  try {
    const feeds = [...inputs].map(([name, { shape, data }]) => [name, new OnnxTensor("float32", data, shape)] as const);
    const { out } = await session.run(Object.fromEntries(feeds));
    return { shape: out.dims, data: out.data as Float32Array };
  } finally {
    await session.release();
  }
}

function largest({ data }: Tensor): number {
  return data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
}
