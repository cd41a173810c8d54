/**
 * A shaped graph as an ONNX model, so that an independent engine can run what this one runs. Field numbers are those
 * of onnx.proto (github.com/onnx/onnx, onnx/onnx.proto).
 */

import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import type { ShapedGraph, ShapedNode, ValueId } from "../graph/graph.ts";
import type { Lrn } from "../graph/ops.ts";
import type { Window } from "../graph/ops/window.ts";
import type { Shape, Tensor } from "../graph/tensor.ts";
import type { Weights } from "../graph/weights.ts";

/** ONNX's operator set 21: average pooling has dilations since 19, softmax one axis since 13. */
const operatorSet = 21;
const irVersion = 10;
/** TensorProto.DataType. */
const dataTypes = { f32: 1, f16: 10 } as const;

/** What a node's attribute may be: an integer, integers, or a real number. */
type Attribute = number | readonly number[] | { readonly float: number };

interface OnnxNode {
  readonly type: string;
  readonly inputs: readonly string[];
  readonly output: string;
  readonly attributes?: Readonly<Record<string, Attribute>>;
}

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
   * The type that layers compute in. Inputs, outputs and the file's weights are float32 all the same, with a Cast
   * beside each, and LRN computes in float32, since float16 can't hold squares of its inputs.
   */
  readonly precision?: "f32" | "f16";
}

/** The bytes of a ModelProto whose inputs and outputs have the graph's names and shapes, its batch size among them. */
export function toOnnx(
  { graph, nodes, shapes, parameters }: ShapedGraph,
  weights: Weights,
  { spellLrn = false, outputs = "all", precision = "f32" }: OnnxOptions = {},
): Uint8Array {
  const given = outputs === "all" ? nodes.map(({ output }) => output) : graph.outputs;
  const translated =
    precision === "f32"
      ? nodes.flatMap((node) => translate(node, spellLrn))
      : [
          ...[...parameters, ...graph.inputs].map(({ name }) => cast(name, halved(name), "f16")),
          ...nodes.flatMap((node) => translateToHalf(node, spellLrn)),
          ...given.map((name) => cast(halved(name), name, "f32")),
        ];
  return message((model) => {
    model.tag(1, WireType.Varint).int64(irVersion);
    nested(model, 7, (proto) => {
      for (const node of translated) nested(proto, 1, (each) => writeNode(each, node));
      proto.tag(2, WireType.LengthDelimited).string(graph.name);
      for (const { name } of parameters) nested(proto, 5, (each) => writeTensor(each, name, weights.get(name)!));
      for (const { name } of graph.inputs) nested(proto, 11, (each) => writeValueInfo(each, name, shapes.get(name)!));
      for (const id of given) nested(proto, 12, (each) => writeValueInfo(each, id, shapes.get(id)!));
    });
    nested(model, 8, (set) =>
      set.tag(1, WireType.LengthDelimited).string("").tag(2, WireType.Varint).int64(operatorSet),
    );
  });
}

/** What a value is called as float16. */
function halved(name: ValueId): string {
  return `${name}.f16`;
}

function cast(from: string, to: string, type: keyof typeof dataTypes): OnnxNode {
  return { type: "Cast", inputs: [from], output: to, attributes: { to: dataTypes[type] } };
}

/** A node that takes and gives float16. */
function translateToHalf(node: ShapedNode, spellLrn: boolean): OnnxNode[] {
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
  return translate(node, spellLrn).map((each) => ({
    ...each,
    inputs: each.inputs.map(halved),
    output: halved(each.output),
  }));
}

/** A node in ONNX's words; a fully connected layer takes two. */
function translate(node: ShapedNode, spellLrn: boolean): OnnxNode[] {
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
    case "lrn":
      return spellLrn || op.size % 2 === 0 ? spelledLrn(node, op) : [lrnNode(node, op)];
    case "concat":
      return [{ type: "Concat", inputs, output, attributes: { axis: op.axis } }];
    case "softmax":
      return [{ type: "Softmax", inputs, output, attributes: { axis: op.axis } }];
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

function lrnNode({ inputs, output }: ShapedNode, { size, alpha, beta, k }: Lrn): OnnxNode {
  const attributes = { size, alpha: { float: alpha }, beta: { float: beta }, bias: { float: k } };
  return { type: "LRN", inputs, output, attributes };
}

/**
 * LRN in terms of its definition: with channels laid out as rows, (1 / n) · Σ x² is an average of n rows; of an even
 * n, the greater part reaches up.
 */
function spelledLrn({ inputs: [input], output, outputShape }: ShapedNode, { size, alpha, beta, k }: Lrn): OnnxNode[] {
  const [batch, channels, height, width] = outputShape;
  const part = (name: string) => `${output}.${name}`;
  const constant = (name: string, attributes: Record<string, Attribute>): OnnxNode => ({
    type: "Constant",
    inputs: [],
    output: part(name),
    attributes,
  });
  const step = (type: string, inputs: string[], name: string, attributes = {}): OnnxNode => ({
    type,
    inputs,
    output: part(name),
    attributes,
  });
  return [
    constant("rows", { value_ints: [batch, 1, channels, height * width] }),
    constant("shape", { value_ints: outputShape }),
    constant("alpha", { value_float: { float: alpha } }),
    constant("beta", { value_float: { float: beta } }),
    constant("k", { value_float: { float: k } }),
    step("Mul", [input, input], "squares"),
    step("Reshape", [part("squares"), part("rows")], "square_rows"),
    step("AveragePool", [part("square_rows")], "means", {
      kernel_shape: [size, 1],
      pads: [Math.floor((size - 1) / 2), 0, Math.ceil((size - 1) / 2), 0],
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

function writeNode(proto: BinaryWriter, { type, inputs, output, attributes = {} }: OnnxNode): void {
  for (const name of inputs) proto.tag(1, WireType.LengthDelimited).string(name);
  proto.tag(2, WireType.LengthDelimited).string(output);
  proto.tag(3, WireType.LengthDelimited).string(`${type} ${output}`);
  proto.tag(4, WireType.LengthDelimited).string(type);
  for (const [name, value] of Object.entries(attributes)) {
    nested(proto, 5, (attribute) => writeAttribute(attribute, name, value));
  }
}

function writeAttribute(proto: BinaryWriter, name: string, value: Attribute): void {
  const kinds = { float: 1, integer: 2, integers: 7 };
  proto.tag(1, WireType.LengthDelimited).string(name);
  const type = (kind: number) => proto.tag(20, WireType.Varint).int32(kind);
  if (typeof value === "number") {
    type(kinds.integer).tag(3, WireType.Varint).int64(value);
  } else if ("float" in value) {
    type(kinds.float).tag(2, WireType.Bit32).float(value.float);
  } else {
    type(kinds.integers);
    for (const each of value) proto.tag(8, WireType.Varint).int64(each);
  }
}

function writeTensor(proto: BinaryWriter, name: string, { shape, data }: Tensor): void {
  for (const extent of shape) proto.tag(1, WireType.Varint).int64(extent);
  proto.tag(2, WireType.Varint).int32(dataTypes.f32);
  proto.tag(8, WireType.LengthDelimited).string(name);
  proto.tag(9, WireType.LengthDelimited).bytes(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
}

function writeValueInfo(proto: BinaryWriter, name: string, shape: Shape): void {
  proto.tag(1, WireType.LengthDelimited).string(name);
  nested(proto, 2, (type) =>
    nested(type, 1, (tensor) => {
      tensor.tag(1, WireType.Varint).int32(dataTypes.f32);
      nested(tensor, 2, (dimensions) => {
        for (const extent of shape) {
          nested(dimensions, 1, (dimension) => dimension.tag(1, WireType.Varint).int64(extent));
        }
      });
    }),
  );
}

function message(write: (proto: BinaryWriter) => unknown): Uint8Array {
  const proto = new BinaryWriter();
  write(proto);
  return proto.finish();
}

function nested(proto: BinaryWriter, field: number, write: (inner: BinaryWriter) => unknown): void {
  proto.tag(field, WireType.LengthDelimited).fork();
  write(proto);
  proto.join();
}
