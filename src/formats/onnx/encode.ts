/**
 * ONNX's ModelProto, written. Field numbers are those of onnx.proto (github.com/onnx/onnx, onnx/onnx.proto).
 */

import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { bytesFromFloats } from "../floats.ts";
import type { Tensor } from "../../graph/tensor.ts";

/** TensorProto.DataType. */
export const dataTypes = { f32: 1, int64: 7, f16: 10 } as const;

/** What a node's attribute may be: an integer, integers, a real number, text, or a tensor. */
export type AttributeValue =
  number | readonly number[] | { readonly float: number } | string | { readonly tensor: Tensor };

export interface NodeSource {
  readonly type: string;
  /** The type and the first output unless given. */
  readonly name?: string;
  readonly domain?: string;
  readonly inputs: readonly string[];
  readonly output: string;
  /** Outputs behind the first. */
  readonly others?: readonly string[];
  readonly attributes?: Readonly<Record<string, AttributeValue>>;
}

/** Extents; a name stands for one that whoever runs the model binds. */
export type OpenShape = readonly (number | string)[];

export interface ModelSource {
  readonly name: string;
  readonly irVersion: number;
  readonly opset: number;
  readonly producer?: string;
  readonly nodes: readonly NodeSource[];
  /** float32 tensors by name; int64 ones where they are plain lists. */
  readonly initializers: Iterable<readonly [name: string, tensor: Tensor | readonly number[]]>;
  readonly inputs: Iterable<readonly [name: string, shape: OpenShape]>;
  /** Null for a shape that is left to whoever reads it. */
  readonly outputs: Iterable<readonly [name: string, shape: OpenShape | null]>;
}

export function encodeModel(source: ModelSource): Uint8Array {
  const model = new BinaryWriter();
  model.tag(1, WireType.Varint).int64(source.irVersion);
  if (source.producer !== undefined) model.tag(2, WireType.LengthDelimited).string(source.producer);
  nested(model, 7, (graph) => {
    for (const node of source.nodes) nested(graph, 1, (each) => writeNode(each, node));
    graph.tag(2, WireType.LengthDelimited).string(source.name);
    for (const [name, tensor] of source.initializers) nested(graph, 5, (each) => writeTensor(each, name, tensor));
    for (const [name, shape] of source.inputs) nested(graph, 11, (each) => writeValueInfo(each, name, shape));
    for (const [name, shape] of source.outputs) nested(graph, 12, (each) => writeValueInfo(each, name, shape));
  });
  nested(model, 8, (set) =>
    set.tag(1, WireType.LengthDelimited).string("").tag(2, WireType.Varint).int64(source.opset),
  );
  return model.finish();
}

function writeNode(
  proto: BinaryWriter,
  { type, name, domain, inputs, output, others = [], attributes = {} }: NodeSource,
): void {
  for (const input of inputs) proto.tag(1, WireType.LengthDelimited).string(input);
  for (const each of [output, ...others]) proto.tag(2, WireType.LengthDelimited).string(each);
  proto.tag(3, WireType.LengthDelimited).string(name ?? `${type} ${output}`);
  proto.tag(4, WireType.LengthDelimited).string(type);
  for (const [key, value] of Object.entries(attributes)) {
    nested(proto, 5, (attribute) => writeAttribute(attribute, key, value));
  }
  if (domain !== undefined) proto.tag(7, WireType.LengthDelimited).string(domain);
}

function writeAttribute(proto: BinaryWriter, name: string, value: AttributeValue): void {
  const kinds = { float: 1, integer: 2, text: 3, tensor: 4, integers: 7 };
  proto.tag(1, WireType.LengthDelimited).string(name);
  const type = (kind: number) => proto.tag(20, WireType.Varint).int32(kind);
  if (typeof value === "number") {
    type(kinds.integer).tag(3, WireType.Varint).int64(value);
  } else if (typeof value === "string") {
    type(kinds.text).tag(4, WireType.LengthDelimited).string(value);
  } else if ("float" in value) {
    type(kinds.float).tag(2, WireType.Bit32).float(value.float);
  } else if ("tensor" in value) {
    nested(type(kinds.tensor), 5, (tensor) => writeTensor(tensor, "", value.tensor));
  } else {
    type(kinds.integers);
    for (const each of value) proto.tag(8, WireType.Varint).int64(each);
  }
}

function writeTensor(proto: BinaryWriter, name: string, tensor: Tensor | readonly number[]): void {
  const isFloat = "data" in tensor;
  for (const extent of isFloat ? tensor.shape : [tensor.length]) proto.tag(1, WireType.Varint).int64(extent);
  proto.tag(2, WireType.Varint).int32(isFloat ? dataTypes.f32 : dataTypes.int64);
  if (!isFloat) {
    proto.tag(7, WireType.LengthDelimited).fork();
    for (const value of tensor) proto.int64(value);
    proto.join();
  }
  proto.tag(8, WireType.LengthDelimited).string(name);
  if (isFloat) proto.tag(9, WireType.LengthDelimited).bytes(bytesFromFloats(tensor.data));
}

function writeValueInfo(proto: BinaryWriter, name: string, shape: OpenShape | null): void {
  proto.tag(1, WireType.LengthDelimited).string(name);
  nested(proto, 2, (type) =>
    nested(type, 1, (tensor) => {
      tensor.tag(1, WireType.Varint).int32(dataTypes.f32);
      if (!shape) return;
      nested(tensor, 2, (dimensions) => {
        for (const extent of shape) {
          nested(dimensions, 1, (dimension) =>
            typeof extent === "number"
              ? dimension.tag(1, WireType.Varint).int64(extent)
              : dimension.tag(2, WireType.LengthDelimited).string(extent),
          );
        }
      });
    }),
  );
}

function nested(proto: BinaryWriter, field: number, write: (inner: BinaryWriter) => unknown): void {
  proto.tag(field, WireType.LengthDelimited).fork();
  write(proto);
  proto.join();
}
