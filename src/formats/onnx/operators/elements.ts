/** ONNX's ops on one element at a time, of one value or of several that are broadcast to one shape. */

import type { Op } from "../../../graph/ops.ts";
import { type BinaryFunction } from "../../../graph/ops/binary.ts";
import type { PlainFunction } from "../../../graph/ops/unary.ts";
import { elementCount, sameShape, type Shape } from "../../../graph/tensor.ts";
import { isCalculation, reshaped } from "../constants.ts";
import { type Computed, type Layer, rankOf, type Value } from "../layer.ts";
import { elementType, type ElementType, isFloat, typeName } from "../tensor.ts";

/** A function of one element that takes no attributes. */
export function unary(name: PlainFunction): (layer: Layer) => Computed {
  return (layer) => {
    ignoreConsumedInputs(layer);
    return layer.output({ type: "unary", function: name }, [layer.operand(0)]);
  };
}

export function relu(layer: Layer): Computed {
  ignoreConsumedInputs(layer);
  return layer.output({ type: "relu" }, [layer.operand(0)]);
}

export function leakyRelu(layer: Layer): Computed {
  ignoreConsumedInputs(layer);
  const slope = layer.attributes.float("alpha", 0.01);
  return layer.output({ type: "unary", function: "leaky_relu", slope }, [layer.operand(0)]);
}

export function identity(layer: Layer): Value {
  const input = layer.input(0);
  return input.kind === "constant" ? input : layer.output({ type: "identity" }, [input]);
}

/** Nothing at inference. Before operator set 12 the ratio is an attribute, since then an input. */
export function dropout(layer: Layer): Value {
  const { attributes, opset } = layer;
  ignoreConsumedInputs(layer);
  // Files that were never meant for training say so or, from set 7 on, can't.
  if (opset < 7) attributes.ignore("is_test");
  if (opset >= 12) attributes.ignore("seed");
  const ratio = (opset < 12 ? attributes.float("ratio", 0.5) : layer.optionalReal(1, "ratio")) ?? 0.5;
  const training = opset >= 12 ? layer.optionalConstant(2, "training_mode") : undefined;
  if (training && training.variants.length > 1) layer.refuseBatch("its training_mode");
  if (training?.variants[0].some((value) => value !== 0)) {
    layer.refuse("it is in training mode", "export the model for inference");
  }
  const input = layer.input(0);
  return input.kind === "constant" ? input : layer.output({ type: "dropout", ratio }, [input]);
}

const largestFloat = 3.4028234663852886e38;

export function clip(layer: Layer): Computed {
  const { attributes, opset } = layer;
  ignoreConsumedInputs(layer);
  const input = layer.operand(0);
  const [min, max] =
    opset < 11
      ? [attributes.float("min", -largestFloat), attributes.float("max", largestFloat)]
      : [layer.optionalReal(1, "min") ?? -largestFloat, layer.optionalReal(2, "max") ?? largestFloat];
  if (Number.isFinite(min) && Number.isFinite(max)) {
    return layer.output({ type: "unary", function: "clip", min, max }, [input]);
  }
  // What has no end at one side leaves infinities there as they are.
  const limit = (name: "min" | "max", value: number) => layer.given(name, [], Float32Array.of(value));
  const raised = layer.part("raised", { type: "binary", function: "max" }, [input, limit("min", min)]);
  return layer.output({ type: "binary", function: "min" }, [raised, limit("max", max)]);
}

/**
 * Between types of real numbers nothing: everything computes in float32, which holds every float16. Other types only
 * occur among constants.
 */
export function cast(layer: Layer): Value {
  const { attributes, opset } = layer;
  const to = opset < 6 ? attributes.required("to", "string").toLowerCase() : typeName(attributes.required("to", "int"));
  // They say how float8 is made.
  if (opset >= 19) attributes.ignore("saturate");
  if (opset >= 24) attributes.ignore("round_mode");
  const type = typeByName(to) ?? layer.refuse(`its type ${to} isn't supported`);
  const input = layer.input(0);
  if (input.kind === "constant") return layer.folding.cast(input, type);
  if (type !== "float" && type !== "float16")
    layer.refuse(`it casts what is computed to ${to}; supported are float and float16`);
  return layer.output({ type: "identity" }, [input]);
}

function typeByName(name: string): ElementType | null {
  for (let number = 0; number < 32; number++) if (typeName(number) === name) return elementType(number);
  return null;
}

/** A function of two elements. Before operator set 7 broadcasting is asked for, and only ever of the second. */
export function binary(name: BinaryFunction): (layer: Layer) => Value {
  return (layer) => {
    const { opset } = layer;
    ignoreConsumedInputs(layer);
    const [a, b] = [layer.input(0), layer.input(1)];
    const behind = opset < 7 ? axesBehind(layer, a, b) : 0;
    const withAxes = (shape: Shape): Shape => [...shape, ...new Array<number>(behind).fill(1)];
    if (a.kind === "constant" && b.kind === "constant" && isCalculation(name)) {
      if (a.type !== b.type) layer.refuse(`its inputs are of types ${a.type} and ${b.type}`, "correct the model");
      return layer.folding.binary(layer.name, a, reshaped(b, withAxes(b.shape)), name);
    }
    // An exponent may be an integer.
    if (name === "pow" && b.kind === "constant" && !isFloat(b.type) && b.variants.length === 1) {
      const exponent = layer.given("exponent", withAxes(b.shape), Float32Array.from(b.variants[0]));
      return layer.output({ type: "binary", function: name }, [layer.operand(0), exponent]);
    }
    const operands = [layer.operand(0), layer.operand(1)];
    if (behind > 0) {
      const axes = Array.from({ length: behind }, (_, index) => rankOf(b) + index);
      operands[1] = layer.part("spread", { type: "reshape", form: "unsqueeze", axes }, [operands[1]]);
    }
    return layer.output({ type: "binary", function: name }, operands);
  };
}

/**
 * How many axes of 1 the second operand gets behind its own, where an old file lays it along the first's axes from
 * `axis` on (the last ones unless given) and today's rule is to align the last.
 */
function axesBehind(layer: Layer, a: Value, b: Value): number {
  const broadcast = layer.attributes.flag("broadcast");
  const axis = layer.attributes.optional("axis", "int");
  const [shapesA, shapesB] = [a, b].map((value) => (value.kind === "constant" ? [value.shape] : value.shapes));
  if (!broadcast) {
    const same = shapesA.every((shape, batch) => sameShape(shape, shapesB[batch] ?? shapesB[0]));
    if (!same) layer.refuse("its inputs differ in shape and it doesn't broadcast", "correct the model");
    return 0;
  }
  const [rankA, rankB] = [rankOf(a), rankOf(b)];
  if (axis === undefined || elementCount(shapesB[0]) === 1) return 0;
  const from = axis < 0 ? axis + rankA : axis;
  const behind = rankA - rankB - from;
  if (from < 0 || behind < 0) layer.refuse(`its axis ${axis} doesn't fit its inputs`, "correct the model");
  return behind;
}

/** Sum, Max and Min of any number of values. Before operator set 8 they are of one shape. */
export function several(name: "add" | "max" | "min"): (layer: Layer) => Value {
  return (layer) => {
    ignoreConsumedInputs(layer);
    const operands = layer.inputs().map((_, index) => layer.operand(index));
    if (operands.length === 0) layer.refuse("it has no inputs", "correct the model");
    if (layer.opset < 8 && new Set(operands.map(({ shapes }) => JSON.stringify(shapes[0]))).size > 1) {
      layer.refuse("its inputs differ in shape", "correct the model");
    }
    if (operands.length === 1) return layer.output({ type: "identity" }, operands);
    const op = { type: "binary", function: name } as Op;
    const [first, ...others] = operands;
    const last = others.pop()!;
    const before = others.reduce((sum, each, index) => layer.part(`part${index + 1}`, op, [sum, each]), first);
    return layer.output(op, [before, last]);
  };
}

/** Batch normalisation at inference: weight · x + bias by channel. */
export function batchNormalization(layer: Layer): Computed {
  const { attributes, opset } = layer;
  ignoreConsumedInputs(layer);
  const epsilon = attributes.float("epsilon", 1e-5);
  attributes.ignore("momentum");
  if (opset < 7) attributes.ignore("is_test");
  if (opset < 9 && !attributes.flag("spatial", true))
    layer.refuse("it isn't spatial: it normalises each element apart");
  if (opset >= 14 && attributes.flag("training_mode"))
    layer.refuse("it is in training mode", "export the model for inference");
  const input = layer.operand(0);
  const [scale, shift, mean, variance] = ["scale", "bias", "mean", "variance"].map((what, index) =>
    layer.weights(index + 1, what),
  );
  const channels = rankOf(input) < 2 ? 0 : input.shapes[0][1];
  for (const { shape } of [scale, shift, mean, variance]) {
    if (shape.length !== 1 || shape[0] !== channels)
      layer.refuse(`it has no ${channels} of each weight`, "correct the model");
  }
  layer.folding.spend(8 * channels);
  const weight = new Float32Array(channels);
  const bias = new Float32Array(channels);
  for (let channel = 0; channel < channels; channel++) {
    const factor = scale.data[channel] / Math.sqrt(variance.data[channel] + epsilon);
    weight[channel] = factor;
    bias[channel] = shift.data[channel] - mean.data[channel] * factor;
  }
  const shape = [channels];
  return layer.output(
    { type: "scale", axis: 1, axes: 1, bias: true },
    [input],
    [
      { shape, data: weight },
      { shape, data: bias },
    ],
  );
}

/** Until operator set 6 an attribute that allowed to compute in place. */
function ignoreConsumedInputs({ attributes, opset }: Layer): void {
  if (opset < 6) attributes.ignore("consumed_inputs");
}
