/** Caffe's layers as the graph's ops, by Caffe's rules at its phase TEST. Source: BVLC/caffe, src/caffe/layers/. */

import type { Op } from "../../graph/ops.ts";
import { resolveAxis } from "../../graph/ops/op_rule.ts";
import { type Pair, type Rounding, windowCount } from "../../graph/ops/window.ts";
import { formatShape, sameShape, type Shape, type Tensor } from "../../graph/tensor.ts";
import type { TextMessage } from "../prototxt.ts";

/** A value that the graph computes, of the shapes that it has for each batch size that is looked at. */
export interface Blob {
  readonly id: string;
  readonly shapes: readonly Shape[];
}

/** A layer while it is translated. */
export interface Layer {
  readonly name: string;
  readonly message: TextMessage;
  readonly bottoms: readonly Blob[];
  /** Learned blobs by their number, of the layer of this name; null where the weights are made up. */
  readonly learned: ((index: number) => Tensor) | null;
  /** Adds the node that gives the top. */
  output(op: Op, inputs: readonly Blob[], parameters?: readonly Tensor[]): Blob;
  /** Adds one on the way there. */
  part(part: string, op: Op, inputs: readonly Blob[]): Blob;
}

/** What a layer's only top is. */
export type Translator = (layer: Layer) => Blob;

/** The layers that are read. V1's enumeration has other names for some. */
export const layerTypes: ReadonlyMap<string, Translator> = new Map<string, Translator>([
  ["BatchNorm", batchNorm],
  ["Concat", concat],
  ["Convolution", convolution],
  ["Dropout", dropout],
  ["Eltwise", eltwise],
  ["Flatten", flatten],
  ["InnerProduct", innerProduct],
  ["LRN", lrn],
  ["Pooling", pooling],
  ["ReLU", relu],
  ["Scale", scale],
  ["Sigmoid", sigmoid],
  ["Softmax", softmax],
  ["TanH", tanh],
]);

/** V1LayerParameter.LayerType */
export const oldTypes: ReadonlyMap<string, string> = new Map([
  ["ACCURACY", "Accuracy"],
  ["CONCAT", "Concat"],
  ["CONTRASTIVE_LOSS", "ContrastiveLoss"],
  ["CONVOLUTION", "Convolution"],
  ["DATA", "Data"],
  ["DROPOUT", "Dropout"],
  ["DUMMY_DATA", "DummyData"],
  ["ELTWISE", "Eltwise"],
  ["EUCLIDEAN_LOSS", "EuclideanLoss"],
  ["FLATTEN", "Flatten"],
  ["HDF5_DATA", "HDF5Data"],
  ["HINGE_LOSS", "HingeLoss"],
  ["IMAGE_DATA", "ImageData"],
  ["INFOGAIN_LOSS", "InfogainLoss"],
  ["INNER_PRODUCT", "InnerProduct"],
  ["LRN", "LRN"],
  ["MEMORY_DATA", "MemoryData"],
  ["MULTINOMIAL_LOGISTIC_LOSS", "MultinomialLogisticLoss"],
  ["POOLING", "Pooling"],
  ["RELU", "ReLU"],
  ["SIGMOID", "Sigmoid"],
  ["SIGMOID_CROSS_ENTROPY_LOSS", "SigmoidCrossEntropyLoss"],
  ["SILENCE", "Silence"],
  ["SOFTMAX", "Softmax"],
  ["SOFTMAX_LOSS", "SoftmaxWithLoss"],
  ["SPLIT", "Split"],
  ["TANH", "TanH"],
  ["WINDOW_DATA", "WindowData"],
]);

/** How a computation is done there, and how weights were made before training. */
function ignoreTraining(parameters: TextMessage): void {
  parameters.ignore("engine", "weight_filler", "bias_filler", "filler", "force_nd_im2col", "stable_prod_grad");
}

function convolution(layer: Layer): Blob {
  const parameters = layer.message.message("convolution_param");
  ignoreTraining(parameters);
  const outChannels = required(parameters, "num_output");
  const bias = parameters.flag("bias_term", true);
  const groups = parameters.size("group") ?? 1;
  if ((parameters.number("axis") ?? 1) !== 1) parameters.wrong("its axis isn't 1");
  const [top, left] = pairOf(parameters, "pad", 0);
  const dilation = spatial(parameters, "dilation", parameters.sizes("dilation")) ?? [1, 1];
  const kernel = pairOf(parameters, "kernel_size", undefined, "kernel");
  const stride = pairOf(parameters, "stride", 1);
  parameters.close();
  const pad = { top, left, bottom: top, right: left };
  return layer.output(
    { type: "conv", kernel, stride, pad, dilation, outChannels, groups, bias },
    [only(layer)],
    learned(layer, bias ? 2 : 1),
  );
}

function pooling(layer: Layer): Blob {
  const parameters = layer.message.message("pooling_param");
  ignoreTraining(parameters);
  const method = parameters.choice("pool", ["MAX", "AVE", "STOCHASTIC"], "MAX");
  if (method === "STOCHASTIC") parameters.wrong("its pool is STOCHASTIC; supported are MAX, AVE");
  const rounding: Rounding = parameters.choice("round_mode", ["CEIL", "FLOOR"], "CEIL") === "CEIL" ? "ceil" : "floor";
  const input = only(layer);
  if (parameters.flag("global_pooling", false)) {
    for (const name of ["kernel_size", "kernel_h", "kernel_w"]) {
      if (parameters.has(name)) parameters.wrong(`it has both global_pooling and ${name}`);
    }
    const [top, left] = pairOf(parameters, "pad", 0);
    const stride = pairOf(parameters, "stride", 1);
    if (top !== 0 || left !== 0 || stride[0] !== 1 || stride[1] !== 1)
      parameters.wrong("it is global, with a pad or stride");
    parameters.close();
    return method === "AVE"
      ? layer.output({ type: "pool_global_avg" }, [input])
      : layer.output({ type: "reduce", function: "max", axes: [2, 3], keepDims: true }, [input]);
  }
  const [top, left] = pairOf(parameters, "pad", 0);
  const kernel = pairOf(parameters, "kernel_size", undefined, "kernel");
  const stride = pairOf(parameters, "stride", 1);
  parameters.close();
  const pad = { top, left, bottom: top, right: left };
  const window = { kernel, stride, pad, dilation: [1, 1] as const, rounding };
  if (rounding === "ceil") checkLastWindow(layer, input, kernel, stride, [top, left]);
  return method === "AVE"
    ? layer.output({ type: "pool_avg", ...window, countPadding: true }, [input])
    : layer.output({ type: "pool_max", ...window }, [input]);
}

/** Without padding Caffe keeps a window that starts behind the feature map, and makes up what it finds there. */
function checkLastWindow({ message }: Layer, { shapes: [shape] }: Blob, kernel: Pair, stride: Pair, pad: Pair): void {
  if (pad[0] > 0 || pad[1] > 0) return;
  for (const axis of [0, 1]) {
    const extent = shape[axis + 2];
    const positions = Math.ceil((extent - kernel[axis]) / stride[axis]) + 1;
    if (positions !== windowCount(extent, kernel[axis], stride[axis], 0, 0, 1, "ceil")) {
      message.wrong(`its last window lies behind the feature map ${formatShape(shape)}`);
    }
  }
}

function relu(layer: Layer): Blob {
  const parameters = layer.message.message("relu_param");
  ignoreTraining(parameters);
  const slope = parameters.number("negative_slope") ?? 0;
  parameters.close();
  return layer.output(slope === 0 ? { type: "relu" } : { type: "unary", function: "leaky_relu", slope }, [only(layer)]);
}

function sigmoid(layer: Layer): Blob {
  layer.message.ignore("sigmoid_param");
  return layer.output({ type: "unary", function: "sigmoid" }, [only(layer)]);
}

function tanh(layer: Layer): Blob {
  layer.message.ignore("tanh_param");
  return layer.output({ type: "unary", function: "tanh" }, [only(layer)]);
}

function lrn(layer: Layer): Blob {
  const parameters = layer.message.message("lrn_param");
  ignoreTraining(parameters);
  const size = parameters.size("local_size") ?? 5;
  if (size % 2 === 0) parameters.wrong(`its local_size ${size} is even`);
  const within =
    parameters.choice("norm_region", ["ACROSS_CHANNELS", "WITHIN_CHANNEL"], "ACROSS_CHANNELS") !== "ACROSS_CHANNELS";
  const alpha = parameters.number("alpha") ?? 1;
  const beta = parameters.number("beta") ?? 0.75;
  const k = parameters.number("k") ?? 1;
  parameters.close();
  // Within channels Caffe takes 1, whatever k says.
  const op: Op = {
    type: "lrn",
    size,
    alpha,
    beta,
    k: within ? 1 : k,
    ...(within ? { region: "within" as const } : {}),
  };
  return layer.output(op, [only(layer)]);
}

function concat(layer: Layer): Blob {
  const parameters = layer.message.message("concat_param");
  if (parameters.has("axis") && parameters.has("concat_dim")) parameters.wrong("it has both axis and concat_dim");
  const axis = parameters.number("axis") ?? parameters.size("concat_dim") ?? 1;
  parameters.close();
  return layer.output({ type: "concat", axis }, layer.bottoms);
}

function innerProduct(layer: Layer): Blob {
  const parameters = layer.message.message("inner_product_param");
  ignoreTraining(parameters);
  const outFeatures = required(parameters, "num_output");
  const bias = parameters.flag("bias_term", true);
  if ((parameters.number("axis") ?? 1) !== 1) parameters.wrong("its axis isn't 1");
  if (parameters.flag("transpose", false)) parameters.wrong("its weights are transposed, which isn't supported");
  parameters.close();
  return layer.output({ type: "fully_connected", outFeatures, bias }, [only(layer)], learned(layer, bias ? 2 : 1));
}

function dropout(layer: Layer): Blob {
  const parameters = layer.message.message("dropout_param");
  const ratio = parameters.number("dropout_ratio") ?? 0.5;
  parameters.close();
  return layer.output({ type: "dropout", ratio }, [only(layer)]);
}

function softmax(layer: Layer): Blob {
  const parameters = layer.message.message("softmax_param");
  ignoreTraining(parameters);
  const axis = parameters.number("axis") ?? 1;
  parameters.close();
  return layer.output({ type: "softmax", axis }, [only(layer)]);
}

function flatten(layer: Layer): Blob {
  const parameters = layer.message.message("flatten_param");
  const axis = parameters.number("axis") ?? 1;
  if (axis !== 1 || (parameters.number("end_axis") ?? -1) !== -1)
    parameters.wrong("it flattens but all axes from 1 on");
  parameters.close();
  return layer.output({ type: "reshape", form: "flatten", axis }, [only(layer)]);
}

function eltwise(layer: Layer): Blob {
  const { bottoms, message } = layer;
  const parameters = message.message("eltwise_param");
  ignoreTraining(parameters);
  const operation = parameters.choice("operation", ["PROD", "SUM", "MAX"], "SUM");
  const scales = parameters.numbers("coeff");
  parameters.close();
  if (bottoms.length < 2) message.wrong(`it has ${bottoms.length} bottoms instead of at least 2`);
  if (scales.length > 0 && operation !== "SUM") message.wrong(`it has coefficients, and is no SUM`);
  if (scales.length > 0 && scales.length !== bottoms.length) message.wrong(`it has ${scales.length} coefficients`);
  const [{ shapes }] = bottoms;
  if (bottoms.some((bottom) => JSON.stringify(bottom.shapes) !== JSON.stringify(shapes))) {
    message.wrong(`its bottoms ${bottoms.map(({ shapes: [shape] }) => formatShape(shape)).join(" and ")} differ`);
  }
  const opOf = (second: number): Op => {
    if (operation !== "SUM") return { type: "binary", function: operation === "PROD" ? "mul" : "max" };
    if (scales.length === 0) return { type: "binary", function: "add" };
    return { type: "binary", function: "add", scales: [second === 1 ? scales[0] : 1, scales[second]] };
  };
  let sum = bottoms[0];
  for (let second = 1; second < bottoms.length; second++) {
    const inputs = [sum, bottoms[second]];
    const last = second === bottoms.length - 1;
    sum = last ? layer.output(opOf(second), inputs) : layer.part(`part${second}`, opOf(second), inputs);
  }
  return sum;
}

/** (x − mean / f) / √(variance / f + ε), where f says how much moving averages have gathered. */
function batchNorm(layer: Layer): Blob {
  const parameters = layer.message.message("batch_norm_param");
  parameters.ignore("moving_average_fraction");
  if (!parameters.flag("use_global_stats", true)) parameters.wrong("it takes the statistics of the batch");
  const epsilon = parameters.number("eps") ?? 1e-5;
  parameters.close();
  const op: Op = { type: "scale", axis: 1, axes: 1, bias: true };
  if (!layer.learned) return layer.output(op, [only(layer)]);
  const [mean, variance, gathered] = [0, 1, 2].map((index) => layer.learned!(index));
  if (mean.data.length !== variance.data.length || gathered.data.length !== 1)
    layer.message.wrong("its blobs don't fit each other");
  const factor = gathered.data[0] === 0 ? 0 : 1 / gathered.data[0];
  const shape = [mean.data.length];
  const weight = variance.data.map((value) => 1 / Math.sqrt(value * factor + epsilon));
  const bias = mean.data.map(
    (value, channel) => (-value * factor) / Math.sqrt(variance.data[channel] * factor + epsilon),
  );
  return layer.output(
    op,
    [only(layer)],
    [
      { shape, data: weight },
      { shape, data: bias },
    ],
  );
}

/** By learned weights, or by a second bottom. */
function scale(layer: Layer): Blob {
  const { bottoms, message } = layer;
  const parameters = message.message("scale_param");
  ignoreTraining(parameters);
  const axis = parameters.number("axis") ?? 1;
  const axes = parameters.number("num_axes") ?? 1;
  const bias = parameters.flag("bias_term", false);
  parameters.close();
  const [input, factor] = bottoms;
  const rank = input?.shapes[0].length ?? 0;
  const from = resolveAxis(layer.name, axis, rank);
  if (factor === undefined) {
    const op: Op = { type: "scale", axis: from, axes: axes === -1 ? rank - from : axes, bias };
    return layer.output(op, [input], learned(layer, bias ? 2 : 1));
  }
  if (bias) message.wrong("it has two bottoms and a bias, which isn't supported");
  const behind = rank - from - factor.shapes[0].length;
  // An extent of 1 is not spread over more there.
  const scaled = input.shapes[0].slice(from, rank - behind);
  if (bottoms.length > 2 || behind < 0 || !sameShape(scaled, factor.shapes[0])) {
    message.wrong("its bottoms don't fit each other");
  }
  const places = Array.from({ length: behind }, (_, index) => factor.shapes[0].length + index);
  const spread =
    behind === 0 ? factor : layer.part("spread", { type: "reshape", form: "unsqueeze", axes: places }, [factor]);
  return layer.output({ type: "binary", function: "mul" }, [input, spread]);
}

/** The layer's first learned blobs; none where weights are made up. */
function learned(layer: Layer, count: number): Tensor[] {
  return layer.learned ? Array.from({ length: count }, (_, index) => layer.learned!(index)) : [];
}

function only({ bottoms, message }: Layer): Blob {
  if (bottoms.length !== 1) message.wrong(`it has ${bottoms.length} bottoms instead of 1`);
  return bottoms[0];
}

function required(parameters: TextMessage, name: string): number {
  const value = parameters.size(name);
  if (value === undefined || value < 1) return parameters.wrong(`its ${name} is ${value ?? "missing"}`);
  return value;
}

/** (height, width), given once for both, once for each, or apart as `pad_h` and `pad_w`. */
function pairOf(parameters: TextMessage, name: string, preset: number | undefined, apart = name): Pair {
  const both = spatial(parameters, name, parameters.sizes(name));
  const [height, width] = [parameters.size(`${apart}_h`), parameters.size(`${apart}_w`)];
  if (both && (height !== undefined || width !== undefined)) parameters.wrong(`it has both ${name} and ${apart}_h`);
  if (both) return both;
  const one = (value: number | undefined) => value ?? preset ?? parameters.wrong(`its ${name} is missing`);
  return [one(height), one(width)];
}

function spatial(parameters: TextMessage, name: string, values: readonly number[]): Pair | undefined {
  if (values.length > 2)
    return parameters.wrong(`its ${name} has ${values.length} numbers; feature maps have two axes`);
  return values.length === 0 ? undefined : [values[0], values[values.length - 1]];
}
