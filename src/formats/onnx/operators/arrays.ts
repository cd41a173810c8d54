/** ONNX's ops that move elements, look at them by another shape, or reduce them along axes. Constants are folded. */

import { inferOp, type Op } from "../../../graph/ops.ts";
import { resolveAxis } from "../../../graph/ops/op_rule.ts";
import { elementCount } from "../../../graph/tensor.ts";
import { type Constant, constant, reshaped } from "../constants.ts";
import { type Computed, type Layer, rankOf, shapeConstant, type Value } from "../layer.ts";
import { elementsOf } from "../tensor.ts";

export function concat(layer: Layer): Value {
  const { attributes, opset } = layer;
  const axis = opset < 4 ? attributes.int("axis", 1) : attributes.required("axis", "int");
  const inputs = layer.inputs();
  const op = { type: "concat", axis } as const;
  if (inputs.length > 0 && inputs.every((input) => input.kind === "constant")) {
    // Lists of shapes may be empty.
    const full = inputs.filter(({ shape }) => elementCount(shape) > 0);
    if (full.length === 0) return inputs[0];
    if (new Set(full.map(({ type }) => type)).size > 1) layer.refuse("its inputs differ in type", "correct the model");
    const { output } = inferOp(
      layer.name,
      op,
      full.map(({ shape }) => shape),
    );
    return layer.folding.concat(full, resolveAxis(layer.name, axis, output.length), output);
  }
  return layer.output(
    op,
    inputs.map((_, index) => layer.operand(index)),
  );
}

/** Along one axis since operator set 13; before, over all axes from one on. */
export function softmax(log: boolean): (layer: Layer) => Computed {
  return (layer) => {
    const { attributes, opset } = layer;
    const axis = attributes.int("axis", opset < 13 ? 1 : -1);
    return layer.output({ type: "softmax", axis, trailing: opset < 13, log }, [layer.operand(0)]);
  };
}

export function transpose(layer: Layer): Value {
  const input = layer.input(0);
  const axes = [...Array(rankOf(input)).keys()];
  const permutation = layer.attributes.optional("perm", "ints") ?? axes.toReversed();
  const op = { type: "transpose", permutation } as const;
  if (input.kind === "computed") return layer.output(op, [input]);
  inferOp(layer.name, op, [input.shape.map((extent) => Math.max(1, extent))]);
  return layer.folding.transpose(input, permutation);
}

/** The same elements in the same order: a node, or a constant of another shape. */
function viewed(layer: Layer, op: Extract<Op, { type: "reshape" }>): Value {
  const input = layer.input(0);
  if (input.kind === "computed") return layer.output(op, [input]);
  return reshaped(input, inferOp(layer.name, op, [input.shape]).output);
}

export function flatten(layer: Layer): Value {
  return viewed(layer, { type: "reshape", form: "flatten", axis: layer.attributes.int("axis", 1) });
}

/** The target is an attribute before operator set 5. */
export function reshape(layer: Layer): Value {
  const { attributes, opset } = layer;
  const input = layer.input(0);
  if (opset < 5) {
    attributes.ignore("consumed_inputs");
    return viewed(layer, { type: "reshape", form: "shape", shape: attributes.required("shape", "ints") });
  }
  const target = layer.constant(1, "shape");
  if (target.type !== "int64" || target.shape.length !== 1)
    layer.refuse("its shape is no list of int64", "correct the model");
  const keepsZero = opset >= 14 && attributes.flag("allowzero");
  if (keepsZero && target.variants.some((list) => list.includes(0)))
    layer.refuse("its shape has a 0, and no value is empty");
  return viewed(layer, { type: "reshape", form: "shape", shape: targetShape(layer, input, target) });
}

/** Extents that depend on the batch size are written as what they are of the input: the same, or what is left. */
function targetShape(layer: Layer, input: Value, { shape: [rank], variants }: Constant): number[] {
  const [first] = variants;
  if (variants.some((list) => list.some(Number.isNaN))) layer.refuseBatch("its shape");
  const shapes = input.kind === "computed" ? input.shapes : variants.map(() => input.shape);
  const target = Array.from({ length: rank }, (_, axis) => {
    if (variants.every((list) => list[axis] === first[axis])) return first[axis];
    return shapes.every((shape, batch) => shape[axis] === variants[batch][axis]) ? 0 : -1;
  });
  const changed = target.some((extent, axis) => extent !== first[axis]);
  // What is left has to be what the file says, for every batch size.
  const isRight = () =>
    target.filter((extent) => extent === -1).length <= 1 &&
    variants.every((list, batch) => {
      const { output } = inferOp(layer.name, { type: "reshape", form: "shape", shape: target }, [shapes[batch]]);
      return output.every((extent, axis) => list[axis] === -1 || extent === (list[axis] || shapes[batch][axis]));
    });
  return !changed || isRight() ? target : layer.refuseBatch("its shape");
}

/** The axes are an attribute before operator set 13; all of extent 1 unless given. */
export function squeeze(layer: Layer): Value {
  const input = layer.input(0);
  const named = axesOf(layer, 13);
  const axes =
    named ?? [...layer.extents(input, 0).entries()].flatMap(([axis, extent]) => (extent === 1 ? [axis] : []));
  return viewed(layer, { type: "reshape", form: "squeeze", axes });
}

export function unsqueeze(layer: Layer): Value {
  const axes = axesOf(layer, 13) ?? layer.refuse("it lacks its axes", "correct the model");
  return viewed(layer, { type: "reshape", form: "unsqueeze", axes });
}

/** Axes, an attribute before some operator set and the second input from then on. */
function axesOf(layer: Layer, since: number): readonly number[] | undefined {
  return layer.opset < since ? layer.attributes.optional("axes", "ints") : layer.optionalIntegers(1, "axes");
}

export function pad(layer: Layer): Computed {
  const { attributes, opset } = layer;
  const mode = attributes.string("mode", "constant");
  if (mode !== "constant" && mode !== "edge" && mode !== "reflect") {
    return layer.refuse(`its mode is ${mode}; supported are constant, edge, reflect`);
  }
  const input = layer.operand(0);
  const rank = rankOf(input);
  const pads =
    opset >= 11
      ? (layer.optionalIntegers(1, "pads") ?? layer.refuse("it lacks its pads", "correct the model"))
      : attributes.required(opset < 2 ? "paddings" : "pads", "ints");
  const value = (opset >= 11 ? layer.optionalReal(2, "constant_value") : attributes.float("value", 0)) ?? 0;
  const axes = (opset >= 18 ? layer.optionalIntegers(3, "axes") : undefined) ?? [...Array(rank).keys()];
  if (pads.length !== 2 * axes.length)
    layer.refuse(`it has ${pads.length} pads for ${axes.length} axes`, "correct the model");
  const [before, after] = [new Array<number>(rank).fill(0), new Array<number>(rank).fill(0)];
  axes.forEach((each, index) => {
    const axis = resolveAxis(layer.name, each, rank);
    before[axis] = pads[index];
    after[axis] = pads[index + axes.length];
  });
  if (new Set(axes.map((axis) => resolveAxis(layer.name, axis, rank))).size < axes.length)
    layer.refuse("it pads an axis twice");
  return layer.output({ type: "pad", before, after, mode, value }, [input]);
}

export function gather(layer: Layer): Value {
  const input = layer.input(0);
  const axis = layer.attributes.int("axis", 0);
  const list = layer.constant(1, "indices");
  if (list.type !== "int64" && list.type !== "int32")
    layer.refuse(`its indices are of type ${list.type}`, "correct the model");
  if (list.variants.length > 1) layer.refuseBatch("its index");
  const op = { type: "gather", axis, indices: [...list.variants[0]], indicesShape: list.shape } as const;
  return input.kind === "constant" ? layer.folding.gather(layer.name, input, op) : layer.output(op, [input]);
}

/** The ranges are attributes before operator set 10. */
export function slice(layer: Layer): Value {
  const { attributes, opset } = layer;
  const input = layer.input(0);
  const list = (index: number, what: string): readonly number[] | undefined =>
    opset < 10 ? attributes.optional(what, "ints") : layer.optionalIntegers(index, what);
  const starts = list(1, "starts") ?? layer.refuse("it lacks its starts", "correct the model");
  const ends = list(2, "ends") ?? layer.refuse("it lacks its ends", "correct the model");
  const axes = list(3, "axes") ?? [...starts.keys()];
  const steps = (opset < 10 ? undefined : layer.optionalIntegers(4, "steps")) ?? starts.map(() => 1);
  if (new Set([starts.length, ends.length, axes.length, steps.length]).size > 1) {
    layer.refuse("its starts, ends, axes and steps differ in number", "correct the model");
  }
  const ranges = starts.map((start, index) => ({ axis: axes[index], start, end: ends[index], step: steps[index] }));
  const op = { type: "slice", ranges } as const;
  return input.kind === "constant" ? layer.folding.slice(layer.name, input, op) : layer.output(op, [input]);
}

/** The axes are an attribute before operator set 18, of ReduceSum before 13; all unless given. */
export function reduce(name: "mean" | "sum" | "max" | "min"): (layer: Layer) => Value {
  return (layer) => {
    const { attributes, opset } = layer;
    const since = name === "sum" ? 13 : 18;
    const input = layer.operand(0);
    const axes = axesOf(layer, since) ?? [];
    const keepDims = attributes.flag("keepdims", true);
    const nothing = opset >= since && attributes.flag("noop_with_empty_axes");
    if (axes.length === 0 && nothing) return layer.output({ type: "identity" }, [input]);
    const all = [...Array(rankOf(input)).keys()];
    if (all.length === 0) return layer.output({ type: "identity" }, [input]);
    return layer.output({ type: "reduce", function: name, axes: axes.length > 0 ? axes : all, keepDims }, [input]);
  };
}

export function shape(layer: Layer): Value {
  const input = layer.input(0);
  const rank = rankOf(input);
  const clamp = (axis: number) => Math.min(Math.max(axis < 0 ? axis + rank : axis, 0), rank);
  const [start, end] =
    layer.opset >= 15 ? [layer.attributes.int("start", 0), layer.attributes.int("end", rank)] : [0, rank];
  return shapeConstant(input, clamp(start), Math.max(clamp(start), clamp(end)), layer.batches);
}

export function constantOf(layer: Layer): Value {
  const { attributes, opset } = layer;
  const tensor = attributes.optional("value", "tensor");
  const given: Constant[] = [];
  if (tensor) {
    if (tensor.external) layer.refuse("its tensor lies in another file, where only initializers may");
    const { type, shape: extents, data } = elementsOf(tensor, (bytes) => layer.folding.spend(bytes));
    given.push(constant(type, extents, data));
  }
  if (opset >= 12) {
    const int = attributes.optional("value_int", "int");
    const ints = attributes.optional("value_ints", "ints");
    const float = attributes.optional("value_float", "float");
    const floats = attributes.optional("value_floats", "floats");
    if (int !== undefined) given.push(constant("int64", [], Float64Array.of(int)));
    if (ints) given.push(constant("int64", [ints.length], Float64Array.from(ints)));
    if (float !== undefined) given.push(constant("float", [], Float32Array.of(float)));
    if (floats) given.push(constant("float", [floats.length], Float32Array.from(floats)));
  }
  layer.attributes.close(opset);
  return given.length === 1
    ? given[0]
    : layer.refuse(`it has ${given.length} values instead of 1`, "correct the model");
}
