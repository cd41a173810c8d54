/**
 * ONNX's ops that slide windows over feature maps: convolution, pooling, LRN. Maps of one dimension (N, C, L) are
 * looked at as (N, C, 1, L), which moves nothing.
 */

import type { Op } from "../../../graph/ops.ts";
import { dilatedExtent, type Rounding, type Window } from "../../../graph/ops/window.ts";
import type { Shape, Tensor } from "../../../graph/tensor.ts";
import { type Computed, type Layer, rankOf } from "../layer.ts";

export function conv(layer: Layer): Computed {
  const input = featureMap(layer);
  const weight = layer.weights(1, "weights");
  const bias = layer.optionalWeights(2, "bias");
  const { attributes } = layer;
  const [outChannels, , ...kernel] = weight.shape;
  if (weight.shape.length !== rankOf(input)) {
    layer.refuse(
      `its weights have ${weight.shape.length} axes where its input has ${rankOf(input)}`,
      "correct the model",
    );
  }
  const stated = attributes.optional("kernel_shape", "ints");
  if (stated && stated.join() !== kernel.join()) {
    layer.refuse(`its kernel_shape ${stated.join("×")} isn't that of its weights`, "correct the model");
  }
  const groups = attributes.int("group", 1);
  const window = windowOf(layer, input, kernel, true);
  const op: Op = { type: "conv", ...window, outChannels, groups, bias: bias !== undefined };
  return onMap(layer, input, op, [withTwoAxes(weight), ...(bias ? [bias] : [])]);
}

export function maxPool(layer: Layer): Computed {
  const input = featureMap(layer);
  const { attributes, opset } = layer;
  // It numbers the second output, which nobody may use.
  if (opset >= 8) attributes.ignore("storage_order");
  const window = windowOf(layer, input, attributes.required("kernel_shape", "ints"), opset >= 10);
  return onMap(layer, input, { type: "pool_max", ...window, rounding: roundingOf(layer) });
}

export function averagePool(layer: Layer): Computed {
  const input = featureMap(layer);
  const { attributes, opset } = layer;
  const countPadding = opset >= 7 && attributes.flag("count_include_pad");
  const window = windowOf(layer, input, attributes.required("kernel_shape", "ints"), opset >= 19);
  return onMap(layer, input, { type: "pool_avg", ...window, rounding: roundingOf(layer), countPadding });
}

export function globalAveragePool(layer: Layer): Computed {
  const input = layer.operand(0);
  if (rankOf(input) === 4) return layer.output({ type: "pool_global_avg" }, [input]);
  return globalPool(layer, input, "mean");
}

export function globalMaxPool(layer: Layer): Computed {
  return globalPool(layer, layer.operand(0), "max");
}

function globalPool(layer: Layer, input: Computed, name: "mean" | "max"): Computed {
  const axes = Array.from({ length: Math.max(0, rankOf(input) - 2) }, (_, index) => index + 2);
  if (axes.length === 0) layer.refuse("its input has no feature maps", "correct the model");
  return layer.output({ type: "reduce", function: name, axes, keepDims: true }, [input]);
}

export function lrn(layer: Layer): Computed {
  const input = featureMap(layer);
  const { attributes } = layer;
  return onMap(layer, input, {
    type: "lrn",
    size: attributes.required("size", "int"),
    alpha: attributes.float("alpha", 1e-4),
    beta: attributes.float("beta", 0.75),
    k: attributes.float("bias", 1),
  });
}

function featureMap(layer: Layer): Computed {
  const input = layer.operand(0);
  const rank = rankOf(input);
  if (rank !== 3 && rank !== 4) {
    layer.refuse(`its input has ${rank} axes; supported are feature maps of one or two dimensions, N×C×L and N×C×H×W`);
  }
  return input;
}

/** Applies an op to the feature maps, and gives the result the rank that they have. */
function onMap(layer: Layer, input: Computed, op: Op, parameters: readonly Tensor[] = []): Computed {
  if (rankOf(input) === 4) return layer.output(op, [input], parameters);
  const map = layer.part("map", { type: "reshape", form: "unsqueeze", axes: [2] }, [input]);
  const result = layer.part("row", op, [map], parameters);
  return layer.output({ type: "reshape", form: "squeeze", axes: [2] }, [result]);
}

function withTwoAxes({ shape, data }: Tensor): Tensor {
  return { shape: shape.length === 4 ? shape : [shape[0], shape[1], 1, ...shape.slice(2)], data };
}

function roundingOf({ attributes, opset }: Layer): Rounding {
  return opset >= 10 && attributes.flag("ceil_mode") ? "ceil" : "floor";
}

/** The window that the attributes describe. */
function windowOf(layer: Layer, input: Computed, kernel: Shape, mayDilate: boolean): Window {
  const { attributes } = layer;
  const axes = rankOf(input) - 2;
  const listOf = (name: string, list: readonly number[], length: number): readonly number[] => {
    if (list.length !== length)
      layer.refuse(`its ${name} has ${list.length} numbers instead of ${length}`, "correct the model");
    return list;
  };
  const ones = new Array<number>(axes).fill(1);
  listOf("kernel_shape", kernel, axes);
  const strides = listOf("strides", attributes.optional("strides", "ints") ?? ones, axes);
  const dilations = mayDilate ? listOf("dilations", attributes.optional("dilations", "ints") ?? ones, axes) : ones;
  const stated = attributes.optional("pads", "ints");
  const automatic = attributes.string("auto_pad", "NOTSET");
  const pads = listOf("pads", stated ?? new Array<number>(2 * axes).fill(0), 2 * axes);
  const [before, after] = ((): [readonly number[], readonly number[]] => {
    switch (automatic) {
      case "NOTSET":
        return [pads.slice(0, axes), pads.slice(axes)];
      case "VALID":
      case "SAME_UPPER":
      case "SAME_LOWER":
        if (pads.some((pad) => pad !== 0))
          layer.refuse(`it has both pads and auto_pad ${automatic}`, "correct the model");
        if (automatic === "VALID") return [pads.slice(0, axes), pads.slice(axes)];
        return samePads(layer.extents(input, 2), kernel, strides, dilations, automatic === "SAME_UPPER");
      default:
        return layer.refuse(`its auto_pad is ${automatic}; supported are NOTSET, VALID, SAME_UPPER, SAME_LOWER`);
    }
  })();
  const pair = (list: readonly number[], single: number) =>
    axes === 1 ? ([single, list[0]] as const) : ([list[0], list[1]] as const);
  const [top, left] = pair(before, 0);
  const [bottom, right] = pair(after, 0);
  return {
    kernel: pair(kernel, 1),
    stride: pair(strides, 1),
    dilation: pair(dilations, 1),
    pad: { top, left, bottom, right },
  };
}

/** Pads with which every stride-th pixel has a window; the odd one behind (`upper`) or before. */
function samePads(
  extents: Shape,
  kernel: Shape,
  strides: Shape,
  dilations: Shape,
  upper: boolean,
): [number[], number[]] {
  const both = extents.map((extent, axis) => {
    const count = Math.ceil(extent / strides[axis]);
    const total = Math.max(0, (count - 1) * strides[axis] + dilatedExtent(kernel[axis], dilations[axis]) - extent);
    const less = Math.floor(total / 2);
    return upper ? [less, total - less] : [total - less, less];
  });
  return [both.map(([before]) => before), both.map(([, after]) => after)];
}
