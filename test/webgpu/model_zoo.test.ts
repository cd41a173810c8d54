/** Files as the model zoo and torchvision have them run whole: on the GPU, by the reference, and as ONNX Runtime does. */

import { InferenceSession, Tensor as OnnxTensor } from "onnxruntime-node";
import { describe, expect, test } from "vitest";
import { runReference } from "../../src/cpu/reference.ts";
import { readOnnx } from "../../src/formats/onnx/read.ts";
import { inferShapesForBatch } from "../../src/graph/graph.ts";
import type { Model } from "../../src/graph/model.ts";
import type { Tensor } from "../../src/graph/tensor.ts";
import { kernelsOnDisk } from "../../src/node/kernels.ts";
import { Session } from "../../src/webgpu/session.ts";
import "../support/close.ts";
import { describeGpu, useGpu } from "../support/gpu.ts";
import { freshSeed, randomTensor, uniform } from "../support/random.ts";
import { alexNet, caffeGoogLeNet, squeezeNet, torchvisionGoogLeNet, type ZooModel } from "../support/zoo.ts";

type Build = (opset: number, seed: number) => ZooModel;

const families: readonly (readonly [name: string, build: Build, opsets: readonly number[]])[] = [
  ["googlenet", caffeGoogLeNet, [12, 3, 6, 7, 8, 9]],
  ["inception-v1", (opset, seed) => caffeGoogLeNet(opset, seed, { symmetric: true }), [9, 3, 6, 7, 8, 12]],
  ["squeezenet", squeezeNet, [12, 3, 6, 7, 8, 9]],
  ["alexnet", alexNet, [9, 3, 6, 7, 8, 12]],
  ["caffenet", (opset, seed) => alexNet(opset, seed, { caffeNet: true }), [12, 3, 6, 7, 8, 9]],
  ["torchvision googlenet", torchvisionGoogLeNet, [17, 10, 11, 13, 20]],
  [
    "torchvision googlenet, flattened by its shape",
    (opset, seed) => torchvisionGoogLeNet(opset, seed, { flattenBy: "Reshape" }),
    [11, 13, 17],
  ],
];

/** ONNX Runtime knows no older ones whole; ops of these files mean the same there. */
const oldestOfOnnxRuntime = 7;

async function both(build: Build, opset: number, seed: number) {
  const { bytes, input, inputShape, output } = build(opset, seed);
  const shape = inputShape.map((extent) => (typeof extent === "number" ? extent : 2));
  const data = randomTensor(shape, uniform(seed), 2);
  const model = await readOnnx(bytes, "zoo.onnx");
  const oracle = build(Math.max(opset, oldestOfOnnxRuntime), seed).bytes;
  return { model, input, output, data, expected: await runOnnxRuntime(oracle, input, output, data) };
}

describe.each(families)("%s by the reference, as ONNX Runtime", (_, build, opsets) => {
  test.each(opsets)("in operator set %i", async (opset) => {
    const seed = freshSeed();
    const { model, input, output, data, expected } = await both(build, opset, seed);
    const actual = await reference(model, input, data);
    expect(actual.get(output), `seed ${seed}`).toBeAllclose(expected, { relative: 1e-5 });
  });
});

test("batch normalisation costs nothing: it is folded into the convolutions", async () => {
  const { bytes } = torchvisionGoogLeNet(17, 1);
  const { graph } = await readOnnx(bytes, "zoo.onnx");
  expect(graph.nodes.filter(({ op }) => op.type === "conv").length).toBeGreaterThan(10);
  expect(graph.nodes.filter(({ op }) => op.type === "scale")).toEqual([]);
  expect(graph.inputs).toEqual([{ name: "input", shape: ["N", 3, 61, 61] }]);
});

describeGpu("on the GPU", () => {
  const gpu = useGpu();

  test.each(families)("%s", async (_, build, [opset]) => {
    const seed = freshSeed();
    const { model, input, output, data, expected } = await both(build, opset, seed);
    using session = await Session.create(model, { device: gpu.device, kernels: kernelsOnDisk, batch: data.shape[0] });
    expect(session.inputNames).toEqual([input]);
    const results = await session.run({ [input]: data });
    expect(Object.keys(results)).toEqual([output]);
    expect(results[output], `seed ${seed}`).toBeAllclose(expected, { relative: 3e-5 });
  });
});

async function reference({ graph, weights }: Model, input: string, data: Tensor): Promise<Map<string, Tensor>> {
  // Where the batch is fixed it is in the inputs' shapes.
  return runReference(inferShapesForBatch(graph, data.shape[0]), weights, new Map([[input, data]]));
}

async function runOnnxRuntime(bytes: Uint8Array, input: string, output: string, data: Tensor): Promise<Tensor> {
  const session = await InferenceSession.create(bytes, { executionProviders: ["cpu"], logSeverityLevel: 4 });
  try {
    const results = await session.run({ [input]: new OnnxTensor("float32", data.data, data.shape) });
    return { shape: results[output].dims, data: results[output].data as Float32Array };
  } finally {
    await session.release();
  }
}
