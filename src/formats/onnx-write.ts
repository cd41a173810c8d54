/** A shaped graph as an ONNX model, so that other engines and viewers can take what this one runs. */

import { EngineError } from "../errors.ts";
import { inferShapesForBatch, type ShapedGraph, type ShapedNode, type ValueId } from "../graph/graph.ts";
import type { Binary, Lrn, Matmul, Reduce, Reshape, Scale, Slice, Softmax, Unary } from "../graph/ops.ts";
import type { Window } from "../graph/ops/window.ts";
import type { Shape } from "../graph/tensor.ts";
import type { Weights } from "../graph/weights.ts";
import { dataTypes, encodeModel, type NodeSource, type OpenShape } from "./onnx/encode.ts";

/** ONNX's operator set 21: average pooling has dilations since 19, softmax one axis since 13. */
const operatorSet = 21;
const irVersion = 10;
export interface OnnxOptions {
  /**
   * Writes LRN out in terms of its definition. ONNX Runtime's own LRN refuses even sizes (these are always written
   * out), and slides its sum of squares along the channels by adding one and subtracting another, so that after
   * channels of some thousand what is left of a small one is off by 1e-5 of the largest value.
   */
  readonly spellLrn?: boolean;
  /**
   * What the model gives back: every value of the graph (`all`, the default), or the graph's own outputs, which
   * leaves an engine free to fuse.
   */
  readonly outputs?: "all" | "graph";
  /**
   * Whether the batch size stays open, as `N`, so that the model takes batches of any size. The batch must be the first
   * extent of every value that has it.
   */
  readonly openBatch?: boolean;
  /**
   * The type that layers compute in. Inputs, outputs and the file's weights are float32 all the same, with a Cast
   * beside each, and LRN computes in float32, since float16 can't hold squares of its inputs.
   */
  readonly precision?: "f32" | "f16";
}

/** The bytes of a ModelProto whose inputs and outputs have the graph's names and shapes, its batch size among them. */
export function toOnnx(
  shaped: ShapedGraph,
  weights: Weights,
  { spellLrn = false, outputs = "all", precision = "f32", openBatch = false }: OnnxOptions = {},
): Uint8Array {
  const { graph, nodes, shapes, parameters } = shaped;
  const shapeOf = openBatch ? openShapes(shaped) : (id: ValueId) => shapes.get(id)!;
  const given = outputs === "all" ? nodes.map(({ output }) => output) : graph.outputs;
  const translated =
    precision === "f32"
      ? nodes.flatMap((node) => translateNamed(node, spellLrn))
      : [
          ...[...parameters, ...graph.inputs].map(({ name }) => cast(name, halved(name), "f16")),
          ...nodes.flatMap((node) => translateToHalf(node, spellLrn)),
          ...given.map((name) => cast(halved(name), name, "f32")),
        ];
  return encodeModel({
    name: graph.name,
    irVersion,
    opset: operatorSet,
    nodes: openBatch ? translated.map(withOpenShape) : translated,
    initializers: parameters.map(({ name }) => [name, weights.get(name)!] as const),
    inputs: graph.inputs.map(({ name }) => [name, shapeOf(name)] as const),
    outputs: given.map((id) => [id, shapeOf(id)] as const),
  });
}

/** Shapes whose batch size is `N`. */
function openShapes({ graph, shapes }: ShapedGraph): (id: ValueId) => OpenShape {
  const [{ shape: first, name }] = graph.inputs;
  const batch = shapes.get(name)![first.indexOf("N")] ?? 1;
  const others = inferShapesForBatch(graph, batch + 1).shapes;
  for (const [id, shape] of shapes) {
    if (others.get(id)!.some((extent, axis) => axis > 0 && extent !== shape[axis])) {
      throw new EngineError("graph", `blob "${id}"`, "its batch isn't its first extent", "write it for one batch size");
    }
  }
  return (id) => {
    const shape = shapes.get(id)!;
    return others.get(id)![0] === shape[0] ? shape : ["N", ...shape.slice(1)];
  };
}

/** A list of extents as a Reshape takes it, with what is left for the first, which may be the batch. */
function withOpenShape(node: NodeSource): NodeSource {
  const shape = node.attributes?.["value_ints"];
  if (!node.output.endsWith(shapeSuffix) || !Array.isArray(shape) || shape.length === 0 || shape.includes(-1))
    return node;
  return { ...node, attributes: { value_ints: (shape as number[]).with(0, -1) } };
}

/** What a value is called as float16. */
function halved(name: ValueId): string {
  return `${name}.f16`;
}

function cast(from: string, to: string, type: keyof typeof dataTypes): NodeSource {
  return { type: "Cast", inputs: [from], output: to, attributes: { to: dataTypes[type] } };
}

/** A node that takes and gives float16. */
function translateToHalf(node: ShapedNode, spellLrn: boolean): NodeSource[] {
  const { op, inputs, output } = node;
  if (op.type === "lrn") {
    const [input] = inputs;
    const [wideInput, wideOutput] = [`${output}.input.f32`, `${output}.f32`];
    return [
      cast(halved(input), wideInput, "f32"),
      ...translate({ ...node, inputs: [wideInput], output: wideOutput }, spellLrn),
      cast(wideOutput, halved(output), "f16"),
    ];
  }
  return translate(node, spellLrn).flatMap((each) => {
    // A real constant is float32 as ONNX writes it.
    if (each.attributes && "value_float" in each.attributes)
      return [each, cast(each.output, halved(each.output), "f16")];
    return [{ ...each, inputs: each.inputs.map(halved), output: halved(each.output) }];
  });
}

/** As `translate`; the node that gives the output bears the layer's name, by which its weights are called. */
function translateNamed(node: ShapedNode, spellLrn: boolean): NodeSource[] {
  return translate(node, spellLrn).map((each) => (each.output === node.output ? { ...each, name: node.name } : each));
}

/** A node in ONNX's words; many take several. */
function translate(node: ShapedNode, spellLrn: boolean): NodeSource[] {
  const { op, inputs, output, parameters } = node;
  const withParameters = [...inputs, ...parameters.map(({ name }) => name)];
  switch (op.type) {
    case "conv":
      return [{ type: "Conv", inputs: withParameters, output, attributes: { ...windowOf(op), group: op.groups } }];
    case "pool_max":
      return [
        { type: "MaxPool", inputs, output, attributes: { ...windowOf(op), ceil_mode: flag(op.rounding === "ceil") } },
      ];
    case "pool_avg":
      return [
        {
          type: "AveragePool",
          inputs,
          output,
          attributes: {
            ...windowOf(op),
            ceil_mode: flag(op.rounding === "ceil"),
            count_include_pad: flag(op.countPadding),
          },
        },
      ];
    case "pool_global_avg":
      return [{ type: "GlobalAveragePool", inputs, output }];
    case "relu":
      return [{ type: "Relu", inputs, output }];
    case "dropout":
      return [{ type: "Dropout", inputs, output }];
    case "identity":
      return [{ type: "Identity", inputs, output }];
    case "constant":
      return [{ type: "Identity", inputs: withParameters, output }];
    case "reshape":
      return reshapeNodes(node, op);
    case "unary":
      return unaryNodes(node, op);
    case "binary":
      return binaryNodes(node, op);
    case "scale":
      return scaleNodes(node, op);
    case "matmul":
      return matmulNodes(node, op);
    case "reduce":
      return reduceNodes(node, op);
    case "transpose":
      return [{ type: "Transpose", inputs, output, attributes: { perm: op.permutation } }];
    case "slice":
      return sliceNodes(node, op);
    case "gather": {
      const indices = integers(`${output}.indices`, op.indices);
      const list = `${output}.list`;
      return [
        indices,
        { type: "Gather", inputs: [...inputs, indices.output], output: list, attributes: { axis: op.axis } },
        ...reshaped(list, node.outputShape, output),
      ];
    }
    case "pad": {
      const pads = integers(`${output}.pads`, [...op.before, ...op.after]);
      const value = real(`${output}.value`, op.value);
      const attributes = { mode: op.mode };
      return [pads, value, { type: "Pad", inputs: [...inputs, pads.output, value.output], output, attributes }];
    }
    case "lrn":
      return spellLrn || op.region === "within" || op.size % 2 === 0 ? spelledLrn(node, op) : [lrnNode(node, op)];
    case "concat":
      return [{ type: "Concat", inputs, output, attributes: { axis: op.axis } }];
    case "softmax":
      return softmaxNodes(node, op);
    case "fully_connected": {
      const flat = `${output}.flat`;
      return [
        { type: "Flatten", inputs, output: flat, attributes: { axis: 1 } },
        { type: "Gemm", inputs: [flat, ...withParameters.slice(1)], output, attributes: { transB: 1 } },
      ];
    }
    default:
      return op satisfies never;
  }
}

function lrnNode({ inputs, output }: ShapedNode, { size, alpha, beta, k }: Lrn): NodeSource {
  const attributes = { size, alpha: { float: alpha }, beta: { float: beta }, bias: { float: k } };
  return { type: "LRN", inputs, output, attributes };
}

/** An int64 constant of one axis. */
function integers(output: string, value: readonly number[]): NodeSource {
  return { type: "Constant", inputs: [], output, attributes: { value_ints: value } };
}

/** A float32 constant without axes. */
function real(output: string, value: number): NodeSource {
  return { type: "Constant", inputs: [], output, attributes: { value_float: { float: value } } };
}

/** How lists of extents are called. */
const shapeSuffix = ".shape";

/** `input` reshaped to `output`. */
function reshaped(input: string, shape: Shape, output: string): NodeSource[] {
  const target = integers(`${output}${shapeSuffix}`, shape);
  return [target, { type: "Reshape", inputs: [input, target.output], output }];
}

function reshapeNodes({ inputs, output }: ShapedNode, op: Reshape): NodeSource[] {
  switch (op.form) {
    case "shape":
      return reshaped(inputs[0], op.shape, output);
    case "flatten":
      return [{ type: "Flatten", inputs, output, attributes: { axis: op.axis } }];
    case "squeeze":
    case "unsqueeze": {
      const axes = integers(`${output}.axes`, op.axes);
      return [
        axes,
        { type: { squeeze: "Squeeze", unsqueeze: "Unsqueeze" }[op.form], inputs: [...inputs, axes.output], output },
      ];
    }
    default:
      return op satisfies never;
  }
}

function unaryNodes({ inputs, output }: ShapedNode, op: Unary): NodeSource[] {
  switch (op.function) {
    case "leaky_relu":
      return [{ type: "LeakyRelu", inputs, output, attributes: { alpha: { float: op.slope } } }];
    case "clip": {
      const limits = [real(`${output}.min`, op.min), real(`${output}.max`, op.max)];
      return [...limits, { type: "Clip", inputs: [...inputs, ...limits.map((limit) => limit.output)], output }];
    }
    default: {
      const types = { abs: "Abs", exp: "Exp", log: "Log", neg: "Neg", sigmoid: "Sigmoid", sqrt: "Sqrt", tanh: "Tanh" };
      return [{ type: types[op.function], inputs, output }];
    }
  }
}

function binaryNodes({ inputs, output }: ShapedNode, op: Binary): NodeSource[] {
  const types = { add: "Add", sub: "Sub", mul: "Mul", div: "Div", max: "Max", min: "Min", pow: "Pow" };
  const node = { type: types[op.function], inputs, output };
  if (op.function !== "add" || !op.scales) return [node];
  const scaled = op.scales.flatMap((scale, index): NodeSource[] => {
    const factor = real(`${output}.scale${index}`, scale);
    return [factor, { type: "Mul", inputs: [inputs[index], factor.output], output: `${output}.scaled${index}` }];
  });
  return [...scaled, { ...node, inputs: [`${output}.scaled0`, `${output}.scaled1`] }];
}

/** The weights get axes of 1 behind them, so that they broadcast along those of the input. */
function scaleNodes({ inputs: [input], output, outputShape, parameters }: ShapedNode, op: Scale): NodeSource[] {
  const axis = op.axis < 0 ? op.axis + outputShape.length : op.axis;
  const spread = parameters.flatMap(({ name, shape }) =>
    reshaped(name, [...shape, ...outputShape.slice(axis + op.axes).map(() => 1)], `${output}.${name}`),
  );
  const [weight, bias] = parameters.map(({ name }) => `${output}.${name}`);
  const product = bias === undefined ? output : `${output}.product`;
  const scaled = [...spread, { type: "Mul", inputs: [input, weight], output: product }];
  return bias === undefined ? scaled : [...scaled, { type: "Add", inputs: [product, bias], output }];
}

function matmulNodes({ inputs, inputShapes, output }: ShapedNode, op: Matmul): NodeSource[] {
  const flips = [op.transposeA, op.transposeB];
  const operands = inputs.map((id, index) => (flips[index] ? `${output}.operand${index}` : id));
  const transposes = inputs.flatMap((id, index): NodeSource[] => {
    if (!flips[index]) return [];
    const axes = [...inputShapes[index].keys()];
    const perm = [...axes.slice(0, -2), axes.length - 1, axes.length - 2];
    return [{ type: "Transpose", inputs: [id], output: operands[index], attributes: { perm } }];
  });
  return [...transposes, { type: "MatMul", inputs: operands, output }];
}

function reduceNodes({ inputs, output }: ShapedNode, op: Reduce): NodeSource[] {
  const axes = integers(`${output}.axes`, op.axes);
  const type = { mean: "ReduceMean", sum: "ReduceSum", max: "ReduceMax", min: "ReduceMin" }[op.function];
  const attributes = { keepdims: flag(op.keepDims) };
  return [axes, { type, inputs: [...inputs, axes.output], output, attributes }];
}

function sliceNodes({ inputs, output }: ShapedNode, { ranges }: Slice): NodeSource[] {
  const lists = [
    integers(
      `${output}.starts`,
      ranges.map(({ start }) => start),
    ),
    integers(
      `${output}.ends`,
      ranges.map(({ end }) => end),
    ),
    integers(
      `${output}.axes`,
      ranges.map(({ axis }) => axis),
    ),
    integers(
      `${output}.steps`,
      ranges.map(({ step }) => step),
    ),
  ];
  return [...lists, { type: "Slice", inputs: [...inputs, ...lists.map((list) => list.output)], output }];
}

function softmaxNodes({ inputs, output, outputShape }: ShapedNode, op: Softmax): NodeSource[] {
  const type = op.log ? "LogSoftmax" : "Softmax";
  if (!op.trailing) return [{ type, inputs, output, attributes: { axis: op.axis } }];
  const [flat, result] = [`${output}.flat`, `${output}.rows`];
  return [
    { type: "Flatten", inputs, output: flat, attributes: { axis: op.axis } },
    { type, inputs: [flat], output: result, attributes: { axis: 1 } },
    ...reshaped(result, outputShape, output),
  ];
}

/**
 * LRN in terms of its definition: with channels laid out as rows, (1 / n) · Σ x² is an average of n rows; of an even
 * n, the greater part reaches up. Within channels it is one of n × n pixels.
 */
function spelledLrn(
  { inputs: [input], output, outputShape }: ShapedNode,
  { region, size, alpha, beta, k }: Lrn,
): NodeSource[] {
  const [batch, channels, height, width] = outputShape;
  const within = region === "within";
  const part = (name: string) => `${output}.${name}`;
  const [before, after] = [Math.floor((size - 1) / 2), Math.ceil((size - 1) / 2)];
  const step = (type: string, inputs: string[], name: string, attributes = {}): NodeSource => ({
    type,
    inputs,
    output: part(name),
    attributes,
  });
  return [
    integers(part("rows.shape"), within ? outputShape : [batch, 1, channels, height * width]),
    integers(part("shape"), outputShape),
    real(part("alpha"), alpha),
    real(part("beta"), beta),
    real(part("k"), k),
    step("Mul", [input, input], "squares"),
    step("Reshape", [part("squares"), part("rows.shape")], "square_rows"),
    step("AveragePool", [part("square_rows")], "means", {
      kernel_shape: [size, within ? size : 1],
      pads: within ? [before, before, after, after] : [before, 0, after, 0],
      count_include_pad: 1,
    }),
    step("Mul", [part("means"), part("alpha")], "scaled"),
    step("Add", [part("scaled"), part("k")], "bases"),
    step("Pow", [part("bases"), part("beta")], "divisor_rows"),
    step("Reshape", [part("divisor_rows"), part("shape")], "divisors"),
    { type: "Div", inputs: [input, part("divisors")], output },
  ];
}

function windowOf({ kernel, stride, pad, dilation }: Window): Record<string, readonly number[]> {
  return {
    kernel_shape: kernel,
    strides: stride,
    pads: [pad.top, pad.left, pad.bottom, pad.right],
    dilations: dilation,
  };
}

function flag(value: boolean): number {
  return value ? 1 : 0;
}
