/**
 * Models as the ONNX model zoo's files and torchvision's exports are built, in their exporters' words, with random
 * weights, fewer channels and smaller pictures: the files themselves weigh too much to be at hand.
 */

import { encodeModel, type AttributeValue, type NodeSource, type OpenShape } from "../../src/formats/onnx/encode.ts";
import { elementCount, type Shape, type Tensor } from "../../src/graph/tensor.ts";
import { randomTensor, uniform } from "./random.ts";

export interface ZooModel {
  readonly bytes: Uint8Array;
  readonly input: string;
  /** Its batch is `N` where the file leaves it open. */
  readonly inputShape: OpenShape;
  readonly output: string;
}

type Attributes = Readonly<Record<string, AttributeValue>>;

/** Nodes one after another in the words of an operator set. */
class Writer {
  readonly opset: number;
  readonly nodes: NodeSource[] = [];
  readonly initializers = new Map<string, Tensor | readonly number[]>();
  private readonly next: () => number;
  private count = 0;

  constructor(opset: number, seed: number) {
    this.opset = opset;
    this.next = uniform(seed);
  }

  node(type: string, inputs: readonly string[], attributes: Attributes = {}, others: readonly string[] = []): string {
    const output = `${type.toLowerCase()}_${++this.count}`;
    this.nodes.push({ type, name: "", inputs, output, attributes, others });
    return output;
  }

  /** Random weights that keep the size of the values. */
  weights(name: string, shape: Shape, fan = elementCount(shape.slice(1))): string {
    this.initializers.set(name, randomTensor(shape, this.next, Math.sqrt(6 / Math.max(fan, 6))));
    return name;
  }

  positive(name: string, shape: Shape): string {
    const { data } = randomTensor(shape, this.next);
    this.initializers.set(name, { shape, data: data.map((value) => 0.5 + Math.abs(value)) });
    return name;
  }

  integers(name: string, ...list: readonly number[]): string {
    this.initializers.set(name, list);
    return name;
  }

  conv(input: string, channels: number, outChannels: number, kernel: number, attributes: Attributes = {}): string {
    const name = `conv${this.count}`;
    const group = typeof attributes["group"] === "number" ? attributes["group"] : 1;
    const inputs = [
      input,
      this.weights(`${name}_w_0`, [outChannels, channels / group, kernel, kernel]),
      this.weights(`${name}_b_0`, [outChannels]),
    ];
    return this.node("Conv", inputs, { kernel_shape: [kernel, kernel], strides: [1, 1], ...attributes });
  }

  relu(input: string): string {
    return this.node("Relu", [input]);
  }

  convRelu(input: string, channels: number, outChannels: number, kernel: number, attributes: Attributes = {}): string {
    return this.relu(this.conv(input, channels, outChannels, kernel, attributes));
  }

  /** As converters of Caffe's files write it: the mask has a name, and nobody takes it. */
  dropout(input: string): string {
    const test = this.opset < 7 ? { is_test: 1 } : {};
    const ratio = this.opset < 12 ? { ratio: { float: 0.4 } } : {};
    return this.node("Dropout", [input], { ...test, ...ratio }, [`mask_${this.count}`]);
  }

  reshape(input: string, ...shape: readonly number[]): string {
    if (this.opset < 5) return this.node("Reshape", [input], { shape });
    return this.node("Reshape", [input, this.integers(`shape_${this.count}`, ...shape)]);
  }

  fullyConnected(input: string, features: number, outFeatures: number): string {
    const name = `fc${this.count}`;
    const inputs = [
      input,
      this.weights(`${name}_w_0`, [outFeatures, features]),
      this.weights(`${name}_b_0`, [outFeatures]),
    ];
    return this.node("Gemm", inputs, { transB: 1, ...(this.opset < 7 ? { broadcast: 1 } : {}) });
  }

  lrn(input: string): string {
    return this.node("LRN", [input], { size: 5, alpha: { float: 0.3 }, beta: { float: 0.75 }, bias: { float: 1 } });
  }

  model(name: string, input: string, inputShape: OpenShape, output: string): ZooModel {
    const initializers = [...this.initializers];
    // Until version 4 every initializer had to be an input as well.
    const asInputs =
      this.opset < 9
        ? initializers.flatMap(([id, tensor]) => ("shape" in tensor ? [[id, tensor.shape] as const] : []))
        : [];
    const bytes = encodeModel({
      name,
      irVersion: this.opset < 9 ? 3 : 7,
      opset: this.opset,
      producer: "onnx-caffe2",
      nodes: this.nodes,
      initializers,
      inputs: [[input, inputShape], ...asInputs],
      outputs: [[output, null]],
    });
    return { bytes, input, inputShape, output };
  }
}

const table = [
  [8, 12, 16, 2, 4, 4],
  [16, 16, 24, 4, 12, 8],
] as const;

/** An Inception block; its pooling keeps the size. */
function inception(net: Writer, input: string, channels: number, row: readonly number[], last = 5): [string, number] {
  const [one, reduce3, three, reduce5, five, projection] = row;
  const same = (kernel: number) => ({ pads: new Array<number>(4).fill(kernel >> 1) });
  const branches = [
    net.convRelu(input, channels, one, 1),
    net.convRelu(net.convRelu(input, channels, reduce3, 1), reduce3, three, 3, same(3)),
    net.convRelu(net.convRelu(input, channels, reduce5, 1), reduce5, five, last, same(last)),
    net.convRelu(
      net.node("MaxPool", [input], { kernel_shape: [3, 3], strides: [1, 1], pads: [1, 1, 1, 1] }),
      channels,
      projection,
      1,
    ),
  ];
  return [net.node("Concat", branches, { axis: 1 }), one + three + five + projection];
}

/** googlenet-3 to -12 and inception-v1: Caffe's file by converters, whose pools have pads where Caffe rounds up. */
export function caffeGoogLeNet(opset: number, seed: number, { symmetric = false } = {}): ZooModel {
  const net = new Writer(opset, seed);
  const pads = symmetric ? [1, 1, 1, 1] : [0, 0, 1, 1];
  const pool = (input: string) => net.node("MaxPool", [input], { kernel_shape: [3, 3], strides: [2, 2], pads });
  let value = net.convRelu("data_0", 3, 8, 7, { strides: [2, 2], pads: [3, 3, 3, 3] });
  value = net.lrn(pool(value));
  value = net.convRelu(net.convRelu(value, 8, 8, 1), 8, 16, 3, { pads: [1, 1, 1, 1] });
  value = pool(net.lrn(value));
  let channels = 16;
  for (const row of table) [value, channels] = inception(net, value, channels, row);
  value = pool(value);
  value = net.node("AveragePool", [value], { kernel_shape: [4, 4], strides: [1, 1], pads: [0, 0, 0, 0] });
  value = net.reshape(net.dropout(value), 1, channels);
  value = net.node("Softmax", [net.fullyConnected(value, channels, 20)]);
  return net.model("GoogLeNet", "data_0", [1, 3, 64, 64], value);
}

/** SqueezeNet 1.0 and 1.1: fire modules, and the softmax of a map of one pixel. */
export function squeezeNet(opset: number, seed: number): ZooModel {
  const net = new Writer(opset, seed);
  const pool = (input: string) =>
    net.node("MaxPool", [input], { kernel_shape: [3, 3], strides: [2, 2], pads: [0, 0, 0, 0] });
  const fire = (input: string, channels: number, squeeze: number, expand: number): string => {
    const squeezed = net.convRelu(input, channels, squeeze, 1, { pads: [0, 0, 0, 0] });
    const branches = [
      net.convRelu(squeezed, squeeze, expand, 1, { pads: [0, 0, 0, 0] }),
      net.convRelu(squeezed, squeeze, expand, 3, { pads: [1, 1, 1, 1] }),
    ];
    return net.node("Concat", branches, { axis: 1 });
  };
  let value = pool(net.convRelu("data_0", 3, 8, 3, { strides: [2, 2], pads: [0, 0, 0, 0] }));
  value = fire(fire(value, 8, 4, 8), 16, 4, 12);
  value = fire(pool(value), 24, 6, 16);
  value = net.convRelu(net.dropout(value), 32, 15, 1, { pads: [0, 0, 0, 0] });
  value = net.node("Softmax", [net.node("GlobalAveragePool", [value])]);
  return net.model("squeezenet", "data_0", [1, 3, 47, 47], value);
}

/** AlexNet and CaffeNet: groups, LRN before or behind the pooling, large fully connected layers. */
export function alexNet(opset: number, seed: number, { caffeNet = false } = {}): ZooModel {
  const net = new Writer(opset, seed);
  const pool = (input: string) =>
    net.node("MaxPool", [input], { kernel_shape: [3, 3], strides: [2, 2], pads: [0, 0, 0, 0] });
  const poolAndNorm = (input: string) => (caffeNet ? net.lrn(pool(input)) : pool(net.lrn(input)));
  let value = poolAndNorm(net.convRelu("data_0", 3, 12, 11, { strides: [4, 4], pads: [0, 0, 0, 0] }));
  value = poolAndNorm(net.convRelu(value, 12, 16, 5, { group: 2, pads: [2, 2, 2, 2] }));
  value = net.convRelu(value, 16, 24, 3, { pads: [1, 1, 1, 1] });
  value = net.convRelu(value, 24, 24, 3, { group: 2, pads: [1, 1, 1, 1] });
  value = pool(net.convRelu(value, 24, 16, 3, { group: 2, pads: [1, 1, 1, 1] }));
  value = net.reshape(value, 1, 16 * 4);
  value = net.dropout(net.relu(net.fullyConnected(value, 16 * 4, 40)));
  value = net.dropout(net.relu(net.fullyConnected(value, 40, 40)));
  value = net.node("Softmax", [net.fullyConnected(value, 40, 20)]);
  return net.model("AlexNet", "data_0", [1, 3, 99, 99], value);
}

/**
 * torchvision's googlenet as PyTorch exports it: the input transformed channel by channel, batch normalisation behind
 * every convolution, pools that round up, 3×3 in place of 5×5, and the batch size open.
 */
export function torchvisionGoogLeNet(opset: number, seed: number, { flattenBy = "Flatten" } = {}): ZooModel {
  const net = new Writer(opset, seed);
  const number = (value: number) =>
    net.node("Constant", [], { value: { tensor: { shape: [], data: Float32Array.of(value) } } });
  const unsqueeze = (input: string, axis: number) =>
    opset < 13
      ? net.node("Unsqueeze", [input], { axes: [axis] })
      : net.node("Unsqueeze", [input, net.integers(`axes_${net.nodes.length}`, axis)]);
  const index = (value: number) => {
    // A scalar: an integer without axes.
    const list = net.integers(`index_${net.nodes.length}`, value);
    return opset < 13 ? net.node("Squeeze", [list], { axes: [0] }) : net.node("Squeeze", [list]);
  };
  const planes = [0, 1, 2].map((channel) => {
    const plane = unsqueeze(net.node("Gather", ["input", index(channel)], { axis: 1 }), 1);
    return net.node("Add", [net.node("Mul", [plane, number(0.458 + 0.1 * channel)]), number(-0.03 - 0.05 * channel)]);
  });
  const normalised = (
    input: string,
    channels: number,
    outChannels: number,
    kernel: number,
    attributes: Attributes = {},
  ) => {
    const name = `bn${net.nodes.length}`;
    const weight = net.weights(`${name}.conv.weight`, [outChannels, channels, kernel, kernel]);
    const conv = net.node("Conv", [input, weight], {
      kernel_shape: [kernel, kernel],
      strides: [1, 1],
      dilations: [1, 1],
      group: 1,
      ...attributes,
    });
    const shape = [outChannels];
    const norm = [
      net.positive(`${name}.weight`, shape),
      net.weights(`${name}.bias`, shape),
      net.weights(`${name}.running_mean`, shape),
      net.positive(`${name}.running_var`, shape),
    ];
    return net.relu(
      net.node("BatchNormalization", [conv, ...norm], { epsilon: { float: 1e-3 }, momentum: { float: 0.9 } }),
    );
  };
  const pool = (input: string, kernel = 3, stride = 2, pad = 0) =>
    net.node("MaxPool", [input], {
      kernel_shape: [kernel, kernel],
      strides: [stride, stride],
      pads: new Array<number>(4).fill(pad),
      ceil_mode: 1,
    });
  const same = { pads: [1, 1, 1, 1] };
  let value = net.node("Concat", planes, { axis: 1 });
  value = pool(normalised(value, 3, 8, 7, { strides: [2, 2], pads: [3, 3, 3, 3] }));
  value = pool(normalised(normalised(value, 8, 8, 1), 8, 16, 3, same));
  let channels = 16;
  for (const [one, reduce3, three, reduce5, five, projection] of table) {
    const branches = [
      normalised(value, channels, one, 1),
      normalised(normalised(value, channels, reduce3, 1), reduce3, three, 3, same),
      normalised(normalised(value, channels, reduce5, 1), reduce5, five, 3, same),
      normalised(pool(value, 3, 1, 1), channels, projection, 1),
    ];
    value = net.node("Concat", branches, { axis: 1 });
    channels = one + three + five + projection;
  }
  value = net.node("GlobalAveragePool", [pool(value, 2)]);
  if (flattenBy === "Flatten") {
    value = net.node("Flatten", [value], { axis: 1 });
  } else {
    // x.view(x.size(0), -1)
    const size = unsqueeze(net.node("Gather", [net.node("Shape", [value]), index(0)], { axis: 0 }), 0);
    value = net.node("Reshape", [value, net.node("Concat", [size, net.integers("rest", -1)], { axis: 0 })]);
  }
  value = net.fullyConnected(net.node("Identity", [value]), channels, 20);
  return net.model("main_graph", "input", ["batch_size", 3, 61, 61], value);
}
