/** Caffe's networks: what their layers become, by Caffe's rules, and what is refused. */

import { describe, expect, test } from "vitest";
import { runReference } from "../../../src/cpu/reference.ts";
import { EngineError } from "../../../src/errors.ts";
import { CaffeNet, readCaffeNet } from "../../../src/formats/caffe/net.ts";
import { readCaffemodel } from "../../../src/formats/caffemodel.ts";
import { writeCaffemodel } from "../../../src/formats/caffemodel-write.ts";
import { bytesFromFloats } from "../../../src/formats/floats.ts";
import { googLeNet } from "../../../src/graph/googlenet.ts";
import { type Graph, inferShapesForBatch } from "../../../src/graph/graph.ts";
import type { Op } from "../../../src/graph/ops.ts";
import { squareWindow } from "../../../src/graph/ops/window.ts";
import type { Tensor } from "../../../src/graph/tensor.ts";
import type { Weights } from "../../../src/graph/weights.ts";
import { seededWeights } from "../../../src/weights/seed.ts";
import "../../support/close.ts";
import { randomTensor, uniform } from "../../support/random.ts";
import { toPrototxt } from "./deploy.ts";

const input = 'input: "data" input_dim: 1 input_dim: 4 input_dim: 9 input_dim: 7';
const made = (parameters: Parameters<typeof seededWeights>[0]) => seededWeights(parameters, 1);
const floats = (shape: number[], ...values: number[]): Tensor => ({ shape, data: Float32Array.from(values) });

/** The op of a network's only layer. */
async function opOf(layer: string, learned: Weights | typeof made = made): Promise<Op> {
  const { graph } = await readCaffeNet(`${input} layer { name: "x" bottom: "data" top: "y" ${layer} }`, learned, "net");
  expect(graph.outputs).toEqual(["y"]);
  expect(graph.nodes).toHaveLength(1);
  return graph.nodes[0].op;
}

test.each([false, true])("BVLC's GoogLeNet, as its deploy.prototxt writes it (old style: %s)", async (old) => {
  const graph = googLeNet({ height: 64, width: 80 });
  const { parameters } = inferShapesForBatch(graph, 1);
  const weights = seededWeights(parameters, 3);
  const { tensors } = readCaffemodel(writeCaffemodel("GoogleNet", weights, { legacy: old }), "net.caffemodel");
  const model = await readCaffeNet(toPrototxt(graph, { old }), tensors, "deploy.prototxt");
  expect(model.graph.inputs).toEqual(graph.inputs);
  expect(model.graph.outputs).toEqual(graph.outputs);
  // The same ops, names and blobs: nothing else is left to differ.
  expect(model.graph.nodes).toEqual(graph.nodes);
  expect(new Set(model.weights.keys())).toEqual(new Set(weights.keys()));
  for (const [name, { data }] of model.weights) {
    expect(Buffer.compare(bytesFromFloats(data), bytesFromFloats(weights.get(name)!.data)), name).toBe(0);
  }
});

describe("a layer is an op", () => {
  const window = (kernel: number, stride = 1, pad = 0) => squareWindow(kernel, stride, pad);
  const ceil = { rounding: "ceil" } as const;
  test.each<[string, object]>([
    [
      'type: "Convolution" convolution_param { num_output: 6 kernel_size: 3 group: 2 pad: 1 stride: 2 dilation: 2 bias_term: false engine: CAFFE }',
      { type: "conv", ...squareWindow(3, 2, 1, 2), outChannels: 6, groups: 2, bias: false },
    ],
    [
      'type: "Convolution" convolution_param { num_output: 6 kernel_h: 3 kernel_w: 1 pad_h: 1 stride_w: 2 }',
      {
        type: "conv",
        kernel: [3, 1],
        stride: [1, 2],
        pad: { top: 1, left: 0, bottom: 1, right: 0 },
        dilation: [1, 1],
        outChannels: 6,
        groups: 1,
        bias: true,
      },
    ],
    [
      'type: "Convolution" convolution_param { num_output: 6 kernel_size: [3, 5] pad: 1 pad: 2 }',
      { kernel: [3, 5], pad: { top: 1, left: 2, bottom: 1, right: 2 } },
    ],
    ['type: "Pooling" pooling_param { kernel_size: 3 stride: 2 }', { type: "pool_max", ...window(3, 2), ...ceil }],
    [
      'type: "Pooling" pooling_param { pool: AVE kernel_size: 3 stride: 2 pad: 1 }',
      { type: "pool_avg", ...window(3, 2, 1), ...ceil, countPadding: true },
    ],
    ['type: "Pooling" pooling_param { pool: 1 global_pooling: true }', { type: "pool_global_avg" }],
    [
      'type: "Pooling" pooling_param { global_pooling: true }',
      { type: "reduce", function: "max", axes: [2, 3], keepDims: true },
    ],
    ['type: "Pooling" pooling_param { kernel_size: 2 round_mode: FLOOR }', { type: "pool_max", rounding: "floor" }],
    ['type: "ReLU"', { type: "relu" }],
    ['type: "ReLU" relu_param { negative_slope: 0.1 }', { type: "unary", function: "leaky_relu", slope: 0.1 }],
    ['type: "LRN"', { type: "lrn", size: 5, alpha: 1, beta: 0.75, k: 1 }],
    [
      'type: "LRN" lrn_param { local_size: 3 alpha: 5e-5 beta: .5 k: 2. norm_region: ACROSS_CHANNELS }',
      { type: "lrn", size: 3, alpha: 5e-5, beta: 0.5, k: 2 },
    ],
    [
      'type: "LRN" lrn_param { local_size: 3 k: 2 norm_region: WITHIN_CHANNEL }',
      { type: "lrn", region: "within", size: 3, alpha: 1, beta: 0.75, k: 1 },
    ],
    [
      'type: "InnerProduct" inner_product_param { num_output: 5 }',
      { type: "fully_connected", outFeatures: 5, bias: true },
    ],
    ['type: "Dropout"', { type: "dropout", ratio: 0.5 }],
    ['type: "Softmax"', { type: "softmax", axis: 1 }],
    ['type: "Softmax" softmax_param { axis: -1 }', { type: "softmax", axis: -1 }],
    ['type: "Sigmoid"', { type: "unary", function: "sigmoid" }],
    ['type: "TanH"', { type: "unary", function: "tanh" }],
    ['type: "Flatten"', { type: "reshape", form: "flatten", axis: 1 }],
    ['type: "Concat" bottom: "data" concat_param { concat_dim: 0 }', { type: "concat", axis: 0 }],
    ['type: "Concat" bottom: "data"', { type: "concat", axis: 1 }],
    ['type: "Eltwise" bottom: "data"', { type: "binary", function: "add" }],
    [
      'type: "Eltwise" bottom: "data" eltwise_param { coeff: 1 coeff: -1 }',
      { type: "binary", function: "add", scales: [1, -1] },
    ],
    ['type: "Eltwise" bottom: "data" eltwise_param { operation: PROD }', { type: "binary", function: "mul" }],
    ['type: "Eltwise" bottom: "data" eltwise_param { operation: MAX }', { type: "binary", function: "max" }],
    ['type: "Scale" scale_param { bias_term: true }', { type: "scale", axis: 1, axes: 1, bias: true }],
    ['type: "Scale" scale_param { axis: 2 num_axes: -1 }', { type: "scale", axis: 2, axes: 2, bias: false }],
    ['type: "BatchNorm"', { type: "scale", axis: 1, axes: 1, bias: true }],
  ])("%s", async (layer, op) => {
    expect(await opOf(layer)).toMatchObject(op);
  });
});

test("batch normalisation takes the gathered mean and variance, and goes into the convolution before it", async () => {
  const text = `${input}
    layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" convolution_param { num_output: 2 kernel_size: 1 } }
    layer { name: "bn" type: "BatchNorm" bottom: "conv" top: "conv" batch_norm_param { eps: 0.25 } }
    layer { name: "scale" type: "Scale" bottom: "conv" top: "conv" scale_param { bias_term: true } }
    layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }`;
  const learned: Weights = new Map([
    ["conv.weight", floats([2, 4, 1, 1], 1, 2, 3, 4, -1, 1, 2, -2)],
    ["conv.bias", floats([2], 1, -1)],
    ["bn.weight", floats([2], 4, 8)],
    ["bn.bias", floats([2], 12, 7.5)],
    ["bn.blob2", floats([1], 2)],
    ["scale.weight", floats([2], 3, 5)],
    ["scale.bias", floats([2], 0.5, -0.5)],
  ]);
  const file = new CaffeNet(text, learned, "net");
  const blobs = ["conv", "conv.scale", "conv.bn", "conv.linear"];
  expect(new Set(file.blobs)).toEqual(new Set([...blobs, "data"]));
  const data = randomTensor([2, 4, 9, 7], uniform(5));
  const run = async (outputs: readonly string[]) => {
    const { graph, weights } = await file.model({ outputs });
    return { graph, results: await runReference(inferShapesForBatch(graph, 2), weights, new Map([["data", data]])) };
  };
  const { graph, results } = await run(["conv"]);
  expect(graph.nodes.map(({ name, op }) => [name, op.type])).toEqual([
    ["conv", "conv"],
    ["relu", "relu"],
  ]);
  const all = await run(blobs);
  expect(all.graph.nodes).toHaveLength(4);
  expect(results.get("conv")).toBeAllclose(all.results.get("conv")!, { relative: 1e-6 });
  // By hand at one pixel of each channel.
  const plane = 63;
  for (const [channel, mean, variance, factor, shift] of [
    [0, 2, 6, 3, 0.5],
    [1, 4, 3.75, 5, -0.5],
  ]) {
    const linear = all.results.get("conv.linear")!.data[(2 + channel) * plane + 11];
    const normal = (linear - mean) / Math.sqrt(variance + 0.25);
    expect(results.get("conv")!.data[(2 + channel) * plane + 11]).toBeCloseTo(Math.max(0, factor * normal + shift), 5);
  }
});

test("a network for training is read in the phase TEST, without what only serves training", async () => {
  const { graph } = await readCaffeNet(
    `name: "CaffeNet"
    layer { name: "data" type: "Data" top: "data" top: "label" include { phase: TRAIN }
      transform_param { mirror: true crop_size: 9 } data_param { source: "train" batch_size: 256 backend: LMDB } }
    layer { name: "data" type: "Data" top: "data" top: "label" include { phase: TEST }
      transform_param { crop_size: 8 } data_param { source: "val" batch_size: 50 } }
    layer { name: "only" type: "ReLU" bottom: "data" top: "data" include { phase: TRAIN } }
    layer { name: "staged" type: "ReLU" bottom: "data" top: "data" include { stage: "deploy" } include { min_level: 1 } }
    layer { name: "not" type: "ReLU" bottom: "data" top: "data" exclude { phase: TEST not_stage: "deploy" } }
    layer { name: "fc" type: "InnerProduct" bottom: "data" top: "fc" param { lr_mult: 1 } inner_product_param { num_output: 3 } }
    layer { name: "accuracy" type: "Accuracy" bottom: "fc" bottom: "label" top: "accuracy" include { phase: TEST } }
    layer { name: "loss" type: "SoftmaxWithLoss" bottom: "fc" bottom: "label" top: "loss" }`,
    made,
    "train_val.prototxt",
    { freeDimensionOverrides: { "data[1]": 3 } },
  );
  expect(graph).toMatchObject({
    name: "CaffeNet",
    inputs: [{ name: "data", shape: ["N", 3, 8, 8] }],
    nodes: [{ name: "fc" }],
    outputs: ["fc"],
  } satisfies Partial<Record<keyof Graph, unknown>>);
});

test("Split names a blob twice, Scale and Eltwise take several bottoms", async () => {
  const { graph, weights } = await readCaffeNet(
    `${input}
    layer { name: "split" type: "Split" bottom: "data" top: "a" top: "b" }
    layer { name: "gate" type: "Pooling" bottom: "a" top: "gate" pooling_param { pool: AVE global_pooling: true } }
    layer { name: "flat" type: "Flatten" bottom: "gate" top: "flat" }
    layer { name: "gated" type: "Scale" bottom: "b" bottom: "flat" top: "gated" scale_param { axis: 0 } }
    layer { name: "sum" type: "Eltwise" bottom: "a" bottom: "b" bottom: "gated" top: "sum" eltwise_param { coeff: [2, 3, 4] } }`,
    made,
    "net",
  );
  const data = randomTensor([2, 4, 9, 7], uniform(6));
  const { data: sum } = (await runReference(inferShapesForBatch(graph, 2), weights, new Map([["data", data]]))).get(
    "sum",
  )!;
  for (const image of [0, 5]) {
    const map = data.data.subarray(image * 63, (image + 1) * 63);
    const mean = map.reduce((total, value) => total + value, 0) / 63;
    expect(sum[image * 63 + 9]).toBeCloseTo(5 * map[9] + 4 * mean * map[9], 5);
  }
});

describe("refused", () => {
  const layer = (rest: string) => `${input} layer { name: "x" bottom: "data" top: "y" ${rest} }`;
  test.each<[string, RegExp]>([
    ["", /the network: it has no layers/],
    ["layer {", /line 1: a field's name is expected/],
    ['name: "a', /line 1: a text isn't closed/],
    ["layer }", /a value is expected/],
    ["@", /line 1: what stands there makes no sense/],
    ["a { ".repeat(40), /messages lie more than 16 deep/],
    [
      layer('type: "Deconvolution"'),
      /layer "x" \(Deconvolution\): its type Deconvolution isn't supported; those that are: BatchNorm, /,
    ],
    [
      layer('type: "ReLU" relu_param { slope: 1 }'),
      /relu_param: its field slope isn't supported; those that are: engine/,
    ],
    [layer('type: "ReLU" quantize_param { bits: 8 }'), /layer "x" \(ReLU\): its field quantize_param isn't supported/],
    [layer('type: "ReLU" lrn_param { }'), /its field lrn_param isn't supported/],
    [
      layer('type: "Pooling" pooling_param { pool: STOCHASTIC kernel_size: 2 }'),
      /its pool is STOCHASTIC; supported are MAX, AVE/,
    ],
    [
      layer('type: "Pooling" pooling_param { kernel_size: 1 stride: 4 }'),
      /its last window lies behind the feature map/,
    ],
    [layer('type: "Pooling" pooling_param { }'), /its kernel_size is missing/],
    [
      layer('type: "Convolution" convolution_param { num_output: 2 kernel_size: 99 }'),
      /a 99×99 window .* finds no position/,
    ],
    [layer('type: "Convolution" convolution_param { kernel_size: 1 }'), /its num_output is missing/],
    [
      layer('type: "Convolution" convolution_param { num_output: 2 kernel_size: 1 kernel_size: 1 kernel_size: 1 }'),
      /3 numbers/,
    ],
    [layer('type: "InnerProduct" inner_product_param { num_output: 2 transpose: true }'), /weights are transposed/],
    [layer('type: "BatchNorm" batch_norm_param { use_global_stats: false }'), /the statistics of the batch/],
    [layer('type: "LRN" lrn_param { local_size: 4 }'), /its local_size 4 is even/],
    [layer('type: "ReLU" bottom: "data"'), /it has 2 bottoms instead of 1/],
    [layer('type: "ReLU" top: "z"'), /it has 2 tops instead of 1/],
    [layer('type: "ReLU"').replace('bottom: "data"', 'bottom: "date"'), /nothing before it makes "date"/],
    [`${layer('type: "ReLU"')} layer { name: "z" type: "ReLU" bottom: "data" top: "y" }`, /it makes "y" again/],
    [`${layer('type: "ReLU"')} layer { name: "x" type: "ReLU" bottom: "y" top: "z" }`, /another layer has its name/],
    [`${layer('type: "ReLU"')} layers { name: "z" type: RELU bottom: "y" top: "z" }`, /layers of both styles/],
    [
      `${input} layers { name: "x" type: DECONVOLUTION bottom: "data" top: "y" }`,
      /its type DECONVOLUTION isn't supported/,
    ],
    ['layer { name: "x" type: "ReLU" bottom: "x" top: "x" }', /it has no input/],
    ['input: "data" layer { name: "x" type: "ReLU" }', /1 inputs and shapes for 0/],
    [`${input} name: 5 layer { }`, /its name is no text/],
    [`name: "a" name: "b" ${layer('type: "ReLU"')}`, /it has name twice/],
  ])("%s", async (text, message) => {
    await expect(readCaffeNet(text, made, "net.prototxt")).rejects.toThrow(message);
    await expect(readCaffeNet(text, made, "net.prototxt")).rejects.toThrow(
      expect.objectContaining({ code: "model", name: "ModelError" }) as EngineError,
    );
    await expect(readCaffeNet(text, made, "net.prototxt")).rejects.toThrow(/^net\.prototxt: /);
  });

  test("weights that are missing or of another shape", async () => {
    const text = layer('type: "InnerProduct" inner_product_param { num_output: 2 }');
    const read = (learned: Weights) => readCaffeNet(text, learned, "net");
    const weight = floats([2, 252], ...new Array<number>(504).fill(1));
    await expect(read(new Map())).rejects.toThrow(/^weight "x\.weight": it is missing; /);
    await expect(read(new Map([["x.weight", weight]]))).rejects.toThrow(/^weight "x\.bias": it is missing; /);
    const bias = floats([3], 1, 2, 3);
    await expect(read(new Map(Object.entries({ "x.weight": weight, "x.bias": bias })))).rejects.toThrow(
      /^weight "x\.bias": its shape is 3 where the network has 2; /,
    );
  });

  const taken = { data: [1, 4, 9, 7] };
  test.each<[what: string, text: string, shapes: Record<string, number[]> | undefined, learned?: Weights]>([
    ["a type that isn't known", layer('type: "Deconvolution"'), undefined],
    ["bottoms that nothing makes", layer('type: "ReLU"').replace('bottom: "data"', 'bottom: "date"'), undefined],
    ["a field that isn't known", layer('type: "ReLU" relu_param { slope: 1 }'), taken],
    ["a number that is missing", layer('type: "Pooling" pooling_param { }'), taken],
    ["a window behind the map", layer('type: "Pooling" pooling_param { kernel_size: 1 stride: 4 }'), taken],
    ["a window beyond it", layer('type: "Pooling" pooling_param { kernel_size: 99 }'), taken],
    ["weights that are missing", layer('type: "InnerProduct" inner_product_param { num_output: 2 }'), taken, new Map()],
    [
      "weights of another shape",
      layer('type: "InnerProduct" inner_product_param { num_output: 2 bias_term: false }'),
      { given: [5, 252], expected: [2, 252] },
      new Map([["x.weight", randomTensor([5, 252], uniform(1))]]),
    ],
    [
      "a factor of fewer channels",
      `${input} layer { name: "c" type: "Convolution" bottom: "data" top: "c" convolution_param { num_output: 1 kernel_size: 1 } }
      layer { name: "x" type: "Scale" bottom: "data" bottom: "c" top: "y" scale_param { axis: 0 } }`,
      { ...taken, c: [1, 1, 9, 7] },
    ],
    [
      "bottoms that differ",
      `${input} layer { name: "p" type: "Pooling" bottom: "data" top: "p" pooling_param { global_pooling: true } }
      layer { name: "x" type: "Eltwise" bottom: "data" bottom: "p" top: "y" }`,
      { ...taken, p: [1, 4, 1, 1] },
    ],
  ])("%s, with the layer and the shapes concerned", async (_, text, shapes, learned) => {
    const error: unknown = await readCaffeNet(text, learned ?? made, "net").catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(EngineError);
    const { layer: concerned, shapes: given } = error as EngineError;
    expect({ layer: concerned, shapes: given }).toEqual({ layer: "x", shapes });
  });

  test("blobs and free dimensions that it doesn't have", async () => {
    const text = layer('type: "ReLU"');
    await expect(readCaffeNet(text, made, "net", { outputs: ["z"] })).rejects.toThrow(/blob "z": net has none/);
    await expect(readCaffeNet(text, made, "net", { freeDimensionOverrides: { height: 2 } })).rejects.toThrow(
      /^free dimension "height": net has none of that name; give N$/,
    );
    for (const N of [0, 1.5, NaN, "2"]) {
      await expect(readCaffeNet(text, made, "net", { freeDimensionOverrides: { N: N as number } })).rejects.toThrow(
        `free dimension "N": it is ${N}; give a whole number from 1`,
      );
    }
  });
});

describe("hostile texts cost no more than a second", () => {
  test.each<[string, () => string, RegExp]>([
    ["millions of fields", () => "a: 1 ".repeat(800_000), /more than 200000 fields/],
    ["a long list", () => `a: [${"1,".repeat(1_000_000)}1]`, /more than 200000 fields/],
    ["a tower", () => "a {".repeat(1_000_000), /more than 16 deep/],
    ["a long text", () => `a: "${"b".repeat(4_000_000)}"`, /a text has more than 4096 characters/],
    ["a long word", () => "b".repeat(4_000_000), /makes no sense/],
    ["nothing but comments", () => "#\n".repeat(2_000_000), /it has no layers/],
    ["too long a file", () => " ".repeat(5_000_000), /more than 4194304 characters/],
    [
      "tens of thousands of inputs and layers",
      () => `${'input: "a" '.repeat(20_000)} ${'layer { name: "b" type: "ReLU" bottom: "a" top: "a" }'.repeat(20_000)}`,
      /20000 inputs and shapes for 0/,
    ],
  ])("%s", async (_, make, message) => {
    const text = make();
    const start = performance.now();
    await expect(readCaffeNet(text, made, "net.prototxt")).rejects.toThrow(message);
    // Threefold for a machine that is busy.
    expect(performance.now() - start).toBeLessThan(3000);
  });
});
