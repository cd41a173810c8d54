/**
 * Damaged files of every format: each is refused with one clear line, or read as something that makes sense, within a
 * second. Small sound files, so that damage hits what describes the weights, and not the weights.
 */

import fc from "fast-check";
import { expect } from "vitest";
import { EngineError, type ErrorCode } from "../../src/errors.ts";
import { readCaffeNet } from "../../src/formats/caffe/net.ts";
import { readCaffemodel } from "../../src/formats/caffemodel.ts";
import { writeCaffemodel } from "../../src/formats/caffemodel-write.ts";
import { readNpy, writeNpy } from "../../src/formats/npy.ts";
import { type AttributeValue, encodeModel, type ModelSource } from "../../src/formats/onnx/encode.ts";
import { operators } from "../../src/formats/onnx/operators.ts";
import { readOnnx } from "../../src/formats/onnx/read.ts";
import { readSafetensors, writeSafetensors } from "../../src/formats/safetensors.ts";
import { inferShapesForBatch } from "../../src/graph/graph.ts";
import type { Model } from "../../src/graph/model.ts";
import { elementCount, sameShape, type Tensor } from "../../src/graph/tensor.ts";
import { defaultLimits } from "../../src/plan/limits.ts";
import { planGraph } from "../../src/plan/planner.ts";
import { seededWeights } from "../../src/weights/seed.ts";
import { randomTensor, uniform } from "../support/random.ts";
import { arbitraryMutant, expectRefusal, readsOrRefuses } from "./mutants.ts";

interface Format {
  readonly name: string;
  /** Beside bytes that are damaged. */
  readonly mutants?: fc.Arbitrary<Uint8Array>;
  readonly sound: readonly Uint8Array[];
  /** Whether the file was read; throws where a damaged one does harm. */
  readonly check: (bytes: Uint8Array) => Promise<boolean>;
}

const attributeNames = [
  ...["alpha", "auto_pad", "axes", "axis", "beta", "broadcast", "ceil_mode", "count_include_pad", "dilations", "ends"],
  ...[
    "epsilon",
    "group",
    "keepdims",
    "kernel_shape",
    "mode",
    "pads",
    "perm",
    "shape",
    "size",
    "starts",
    "strides",
    "to",
  ],
  ...["transA", "transB", "value", "value_ints", "allowzero", "noop_with_empty_axes", "min", "max", "start", "end"],
];

/** Well under a second; more for a machine that is busy. */
const patience = 3000;

const next = uniform(1);
const draw = (...shape: number[]): Tensor => randomTensor(shape, next);

const tensors = new Map([
  ["conv.weight", draw(2, 1, 1, 2)],
  ["conv.bias", draw(2)],
  ["fc.weight", draw(1, 2)],
]);

const sources: readonly ModelSource[] = [
  {
    name: "net",
    irVersion: 8,
    opset: 13,
    nodes: [
      {
        type: "Conv",
        inputs: ["x", "w", "b"],
        output: "c",
        attributes: { pads: [1, 1, 1, 1], strides: [2, 2], auto_pad: "NOTSET" },
      },
      { type: "BatchNormalization", inputs: ["c", "b", "b", "b", "v"], output: "n" },
      { type: "Relu", inputs: ["n"], output: "r" },
      { type: "MaxPool", inputs: ["r"], output: "p", attributes: { kernel_shape: [2, 2], ceil_mode: 1 } },
      { type: "Concat", inputs: ["p", "p"], output: "j", attributes: { axis: 1 } },
      { type: "Shape", inputs: ["j"], output: "s" },
      { type: "Gather", inputs: ["s", "zero"], output: "g", attributes: { axis: 0 } },
      { type: "Concat", inputs: ["g", "rest"], output: "t", attributes: { axis: 0 } },
      { type: "Reshape", inputs: ["j", "t"], output: "f" },
      { type: "Gemm", inputs: ["f", "m"], output: "l", attributes: { transB: 1, alpha: { float: 0.5 } } },
      { type: "Softmax", inputs: ["l"], output: "y", attributes: { axis: -1 } },
    ],
    initializers: [
      ["w", draw(2, 1, 3, 3)],
      ["b", draw(2)],
      ["v", { shape: [2], data: Float32Array.of(1, 2) }],
      ["m", draw(3, 16)],
      ["zero", [0]],
      ["rest", [-1]],
    ],
    inputs: [["x", ["batch", 1, 6, 6]]],
    outputs: [["y", ["batch", 3]]],
  },
  {
    name: "arrays",
    irVersion: 8,
    opset: 12,
    nodes: [
      { type: "Pad", inputs: ["x", "pads", "v"], output: "p", attributes: { mode: "constant" } },
      { type: "Slice", inputs: ["p", "zero", "two", "one"], output: "s" },
      { type: "Transpose", inputs: ["s"], output: "t", attributes: { perm: [0, 2, 1] } },
      { type: "Gather", inputs: ["t", "two"], output: "g", attributes: { axis: 1 } },
      { type: "Mul", inputs: ["g", "t"], output: "m" },
      { type: "ReduceMean", inputs: ["m"], output: "r", attributes: { axes: [1], keepdims: 1 } },
      { type: "Sub", inputs: ["m", "r"], output: "d" },
      { type: "Clip", inputs: ["d", "v"], output: "c" },
      { type: "MaxPool", inputs: ["d"], output: "l", attributes: { kernel_shape: [2], strides: [1], ceil_mode: 1 } },
      { type: "Concat", inputs: ["c", "l"], output: "j", attributes: { axis: 2 } },
      { type: "Softmax", inputs: ["j"], output: "y", attributes: { axis: 1 } },
    ],
    initializers: [
      ["pads", [0, 1, 0, 0, 0, 2]],
      ["v", { shape: [], data: Float32Array.of(-0.25) }],
      ["zero", [0]],
      ["one", [1]],
      ["two", [2]],
    ],
    inputs: [["x", ["batch", 3, 5]]],
    outputs: [
      ["y", null],
      ["d", null],
    ],
  },
  {
    name: "old",
    irVersion: 3,
    opset: 6,
    nodes: [
      { type: "Add", inputs: ["x", "b"], output: "a", attributes: { broadcast: 1, axis: 1 } },
      { type: "Slice", inputs: ["a"], output: "s", attributes: { axes: [2], starts: [1], ends: [4] } },
      { type: "Pad", inputs: ["s"], output: "p", attributes: { pads: [0, 0, 1, 0, 0, 1], mode: "reflect" } },
      { type: "Transpose", inputs: ["p"], output: "t", attributes: { perm: [0, 2, 1] } },
      { type: "AveragePool", inputs: ["t"], output: "m", attributes: { kernel_shape: [2], auto_pad: "SAME_UPPER" } },
      { type: "Unsqueeze", inputs: ["m"], output: "u", attributes: { axes: [3] } },
      { type: "LRN", inputs: ["u"], output: "z", attributes: { size: 3 } },
    ],
    initializers: [["b", draw(2)]],
    inputs: [
      ["x", [1, 2, 5]],
      ["b", [2]],
    ],
    outputs: [["z", null]],
  },
];

/** Null three times out of four. */
function sometimes<T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | null> {
  return fc.oneof({ weight: 3, arbitrary: fc.constant(null) }, { weight: 1, arbitrary });
}

/** Files whose protobuf is sound and whose words are not: other ops, operator sets, attributes, operands. */
export const reworded: fc.Arbitrary<Uint8Array> = fc.constantFrom(...sources).chain((sound) => {
  const names = [
    ...sound.nodes.map(({ output }) => output),
    ...[...sound.initializers].map(([name]) => name),
    "x",
    "",
    "?",
  ];
  const number = fc.oneof(fc.integer({ min: -3, max: 9 }), fc.constantFrom(2 ** 31, -(2 ** 53 - 1), 2 ** 53 - 1, 1000));
  const value: fc.Arbitrary<AttributeValue> = fc.oneof(
    number,
    fc.array(number, { maxLength: 6 }),
    fc.float().map((float) => ({ float })),
    fc.constantFrom("SAME_UPPER", "SAME_LOWER", "VALID", "constant", "edge", "reflect", "FLOAT", "?"),
  );
  const shape = fc.array(fc.constantFrom<number | string>(0, 1, 2, 3, 5, 6, "batch", "", "other", -1), {
    maxLength: 5,
  });
  const edit = fc.record({
    node: fc.nat(sound.nodes.length - 1),
    type: sometimes(fc.constantFrom(...operators.keys())),
    inputs: sometimes(fc.array(fc.constantFrom(...names), { maxLength: 5 })),
    attribute: sometimes(fc.tuple(fc.constantFrom(...attributeNames), fc.option(value))),
  });
  return fc
    .tuple(fc.array(edit, { minLength: 1, maxLength: 3 }), sometimes(fc.integer({ min: 1, max: 26 })), sometimes(shape))
    .map(([edits, opset, input]) => {
      const nodes = [...sound.nodes];
      for (const { node: index, type, inputs, attribute } of edits) {
        const node = nodes[index];
        const kept = Object.entries(node.attributes ?? {}).filter(([name]) => name !== attribute?.[0]);
        const added = attribute?.[1] == null ? [] : [[attribute[0], attribute[1]] as const];
        nodes[index] = {
          ...node,
          type: type ?? node.type,
          inputs: inputs ?? node.inputs,
          attributes: Object.fromEntries([...kept, ...added]),
        };
      }
      const inputs = input ? [["x", input] as const] : sound.inputs;
      return encodeModel({ ...sound, nodes, inputs, opset: opset ?? sound.opset });
    });
});

const models = sources.map(encodeModel);

const text = `name: "net" # a comment
layer { name: "data" type: "Input" top: "data" input_param { shape: { dim: 1 dim: 2 dim: 7 dim: 7 } } }
layer { name: "c" type: "Convolution" bottom: "data" top: "c" param { lr_mult: 1 } convolution_param { num_output: 4 kernel_size: 3 group: 2 pad: 1 } }
layer { name: "bn" type: "BatchNorm" bottom: "c" top: "c" } layer { name: "r" type: "ReLU" bottom: "c" top: "c" }
layer { name: "p" type: "Pooling" bottom: "c" top: "p" pooling_param { pool: MAX kernel_size: 3 stride: 2 } }
layer { name: "n" type: "LRN" bottom: "p" top: "n" lrn_param { local_size: 3 alpha: 5e-5 norm_region: WITHIN_CHANNEL } }
layer { name: "j" type: "Concat" bottom: "n" bottom: "p" top: "j" include { phase: TEST } }
layer { name: "f" type: "InnerProduct" bottom: "j" top: "f" inner_product_param { num_output: 5 } }
layer { name: "y" type: 'Softmax' bottom: "f" top: "y" }
`;

const formats: readonly Format[] = [
  {
    name: "onnx",
    sound: models,
    mutants: reworded,
    check: (bytes) => checkModel(() => readOnnx(bytes, "mutant.onnx"), bytes.length),
  },
  {
    name: "prototxt",
    sound: [new TextEncoder().encode(text)],
    check: (bytes) =>
      checkModel(() => readCaffeNet(new TextDecoder().decode(bytes), seeded, "mutant.prototxt"), Infinity),
  },
  {
    name: "caffemodel",
    sound: [false, true].map((legacy) => writeCaffemodel("net", tensors, { legacy })),
    check: (bytes) => checkTensors(() => readCaffemodel(bytes, "mutant").tensors, "weights", bytes.length),
  },
  {
    name: "safetensors",
    sound: [writeSafetensors(tensors, { model: "net" })],
    check: (bytes) => checkTensors(() => readSafetensors(bytes, "mutant").tensors, "weights", bytes.length),
  },
  {
    name: "npy",
    sound: [writeNpy(draw(2, 3))],
    check: (bytes) => checkTensors(() => new Map([["array", readNpy(bytes, "mutant")]]), "array", bytes.length),
  },
];

export const formatNames = formats.map(({ name }) => name);

/** So many mutants of files of a format. */
export async function fuzz(name: string, mutants: number): Promise<void> {
  const { sound, check, mutants: others } = formats.find((each) => each.name === name)!;
  for (const bytes of sound) expect(await check(bytes), "the sound file is read").toBe(true);
  await fc.assert(
    fc.asyncProperty(fc.oneof(...sound.map(arbitraryMutant), ...(others ? [others] : [])), async (bytes) => {
      const start = performance.now();
      await check(bytes);
      expect(performance.now() - start).toBeLessThan(patience);
    }),
    { numRuns: mutants },
  );
}

function checkTensors(read: () => ReadonlyMap<string, Tensor>, code: ErrorCode, length: number): Promise<boolean> {
  return Promise.resolve(readsOrRefuses(read, code, length));
}

/** Made-up weights for a network of a size that can be had. */
function seeded(parameters: Parameters<typeof seededWeights>[0]) {
  const elements = parameters.reduce((sum, { shape }) => sum + elementCount(shape), 0);
  if (!(elements <= 1e6))
    throw new EngineError("weights", "mutant", `it asks for ${elements} weights`, "ask for fewer");
  return seededWeights(parameters, 1);
}

/** A model whose every weight is there and of its shape, no larger than the file; and a plan of it, or a refusal. */
async function checkModel(read: () => Promise<Model>, length: number): Promise<boolean> {
  let model: Model;
  try {
    model = await read();
  } catch (error) {
    if (error instanceof EngineError && (error.code === "usage" || error.code === "weights")) return false;
    expectRefusal(error, "model");
    return false;
  }
  const { graph, weights } = model;
  const shaped = inferShapesForBatch(graph, 2);
  expect(graph.outputs.length).toBeGreaterThan(0);
  const data = new Set<Float32Array>();
  for (const { name, shape } of shaped.parameters) {
    const tensor = weights.get(name)!;
    expect(sameShape(tensor.shape, shape), name).toBe(true);
    expect(tensor.data.length).toBe(elementCount(shape));
    data.add(tensor.data);
  }
  const bytes = [...data].reduce((sum, { byteLength }) => sum + byteLength, 0);
  expect(bytes).toBeLessThanOrEqual(4 * length + 2 ** 24);
  try {
    planGraph(shaped, defaultLimits);
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
  }
  return true;
}
