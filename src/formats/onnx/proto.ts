/**
 * ONNX's ModelProto as it lies in the file: names, numbers and lists, bounded in count and depth, and not yet
 * understood. Field numbers are those of onnx.proto (github.com/onnx/onnx, onnx/onnx.proto).
 */

import { MalformedFile, MessageReader } from "../protobuf.ts";
import { float, integer, integers, nested, numbers, readFields, text } from "../protobuf-fields.ts";
import { NumberBytes } from "../number-bytes.ts";
import { MAX_AXES, MAX_NAME, readTensor, type TensorProto } from "./tensor.ts";

export interface ModelProto {
  readonly irVersion: number;
  /** The version of each operator set, by its domain; ONNX's own is "". */
  readonly opsets: ReadonlyMap<string, number>;
  readonly graph: GraphProto;
}

export interface GraphProto {
  readonly name: string;
  readonly nodes: readonly NodeProto[];
  readonly initializers: readonly TensorProto[];
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
}

export interface NodeProto {
  readonly name: string;
  readonly type: string;
  readonly domain: string;
  /** An empty name stands for one that is left out. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: ReadonlyMap<string, Attribute>;
}

export type Attribute =
  | { readonly kind: "float" | "int"; readonly value: number }
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "floats" | "ints"; readonly value: readonly number[] }
  | { readonly kind: "tensor"; readonly value: TensorProto }
  /** Of a kind that no op here takes. */
  | { readonly kind: "other"; readonly value: string };

export interface ValueInfo {
  readonly name: string;
  /** TensorProto.DataType; 0 where the file doesn't say, -1 where it is no tensor. */
  readonly type: number;
  /** Undefined where the file doesn't say. An extent that is neither a number nor has a name is null. */
  readonly shape: readonly (number | string | null)[] | undefined;
}

/** More than any network has: bounds on what an invented file can make us do. */
const MAX_NODES = 16_384;
const MAX_TENSORS = 65_536;
const MAX_VALUES = 65_536;
/** Inputs of one node: a concat may have hundreds. */
const MAX_OPERANDS = 4096;
const MAX_ATTRIBUTES = 64;
/** Numbers in one attribute: weights belong into tensors. */
const MAX_NUMBERS = 65_536;

/** @throws MalformedFile */
export function readModel(bytes: Uint8Array): ModelProto {
  let irVersion = 0;
  let graph: GraphProto | undefined;
  const opsets = new Map<string, number>();
  readFields(new MessageReader(bytes), {
    1: integer((value) => (irVersion = value)),
    7: nested((message) => {
      if (graph) throw new MalformedFile("it has two graphs");
      graph = readGraph(message);
    }),
    8: nested((message) => {
      let domain = "";
      let version = 0;
      readFields(message, { 1: name((value) => (domain = value)), 2: integer((value) => (version = value)) });
      // ONNX's own set goes by two names.
      if (domain === "ai.onnx") domain = "";
      if (opsets.has(domain) || opsets.size >= MAX_ATTRIBUTES)
        throw new MalformedFile("it names an operator set twice");
      opsets.set(domain, version);
    }),
  });
  if (!graph) throw new MalformedFile("it has no graph");
  return { irVersion, opsets, graph };
}

function readGraph(message: MessageReader): GraphProto {
  const graph = {
    name: "",
    nodes: [] as NodeProto[],
    initializers: [] as TensorProto[],
    inputs: [] as ValueInfo[],
    outputs: [] as ValueInfo[],
  };
  readFields(message, {
    1: nested((node) => push(graph.nodes, readNode(node), MAX_NODES, "nodes")),
    2: name((value) => (graph.name = value)),
    5: nested((tensor) => push(graph.initializers, readTensor(tensor), MAX_TENSORS, "initializers")),
    11: nested((value) => push(graph.inputs, readValueInfo(value), MAX_VALUES, "inputs")),
    12: nested((value) => push(graph.outputs, readValueInfo(value), MAX_VALUES, "outputs")),
    15: nested(() => {
      throw new MalformedFile("it has sparse initializers, which aren't supported");
    }),
  });
  return graph;
}

function readNode(message: MessageReader): NodeProto {
  const node = { name: "", type: "", domain: "", inputs: [] as string[], outputs: [] as string[] };
  const attributes = new Map<string, Attribute>();
  readFields(message, {
    1: name((value) => push(node.inputs, value, MAX_OPERANDS, "inputs of one node")),
    2: name((value) => push(node.outputs, value, MAX_OPERANDS, "outputs of one node")),
    3: name((value) => (node.name = value)),
    4: name((value) => (node.type = value)),
    5: nested((attribute) => {
      const [key, value] = readAttribute(attribute);
      if (attributes.has(key)) throw new MalformedFile(`a node has the attribute ${key} twice`);
      if (attributes.size >= MAX_ATTRIBUTES)
        throw new MalformedFile(`a node has more than ${MAX_ATTRIBUTES} attributes`);
      attributes.set(key, value);
    }),
    7: name((value) => (node.domain = value === "ai.onnx" ? "" : value)),
    8: name((value) => {
      if (value !== "") throw new MalformedFile("a node names an overload of a function");
    }),
  });
  return { ...node, attributes };
}

/** AttributeProto.AttributeType, of which some kinds are read. */
const kinds = ["", "float", "int", "string", "tensor", "graph", "floats", "ints", "strings", "tensors", "graphs"];

function readAttribute(message: MessageReader): [name: string, attribute: Attribute] {
  let key = "";
  let type = 0;
  const floats = new NumberBytes(4);
  const ints: number[] = [];
  // What each kind's field holds, where it was there.
  const found = new Map<string, Attribute>();
  const other = (kind: string) => nested(() => found.set(kind, { kind: "other", value: kind }));
  readFields(message, {
    1: name((value) => (key = value)),
    2: float((value) => found.set("float", { kind: "float", value })),
    3: integer((value) => found.set("int", { kind: "int", value })),
    4: name((value) => found.set("string", { kind: "string", value })),
    5: nested((tensor) => {
      if (found.has("tensor")) throw new MalformedFile("an attribute has two tensors");
      found.set("tensor", { kind: "tensor", value: readTensor(tensor) });
    }),
    6: other("graph"),
    7: numbers(floats),
    8: integers((value) => push(ints, value, MAX_NUMBERS, "numbers in one attribute")),
    9: other("strings"),
    10: other("tensors"),
    11: other("graphs"),
    14: other("type"),
    15: other("types"),
    20: integer((value) => (type = value)),
    21: name((value) => {
      if (value !== "") throw new MalformedFile(`the attribute ${key} refers to one of a function`);
    }),
    22: other("sparse tensor"),
    23: other("sparse tensors"),
  });
  if (floats.length / 4 > MAX_NUMBERS)
    throw new MalformedFile(`it has more than ${MAX_NUMBERS} numbers in one attribute`);
  if (floats.length > 0)
    found.set("floats", { kind: "floats", value: [...new Float32Array(floats.concatenate().buffer)] });
  if (ints.length > 0) found.set("ints", { kind: "ints", value: ints });
  if (key === "") throw new MalformedFile("an attribute has no name");
  // Files from before 2017 leave the type out; lists without elements and zeros leave no field.
  const kind = type === 0 ? ([...found.keys()][0] ?? "ints") : (kinds[type] ?? "other");
  if ([...found.keys()].some((each) => each !== kind && kinds.includes(each)) && type !== 0) {
    throw new MalformedFile(`the attribute ${key} is of two kinds`);
  }
  return [key, found.get(kind) ?? emptyAttribute(kind)];
}

function emptyAttribute(kind: string): Attribute {
  switch (kind) {
    case "float":
    case "int":
      return { kind, value: 0 };
    case "string":
      return { kind, value: "" };
    case "floats":
    case "ints":
      return { kind, value: [] };
    default:
      return { kind: "other", value: kind };
  }
}

function readValueInfo(message: MessageReader): ValueInfo {
  let value = "";
  let type = 0;
  let shape: (number | string | null)[] | undefined;
  readFields(message, {
    1: name((each) => (value = each)),
    2: nested((typeProto) => {
      type = -1;
      readFields(typeProto, {
        1: nested((tensor) => {
          type = 0;
          readFields(tensor, {
            1: integer((each) => (type = each)),
            2: nested((dimensions) => (shape = readDimensions(dimensions))),
          });
        }),
      });
    }),
  });
  if (value === "") throw new MalformedFile("an input or output has no name");
  return { name: value, type, shape };
}

function readDimensions(message: MessageReader): (number | string | null)[] {
  const shape: (number | string | null)[] = [];
  readFields(message, {
    1: nested((dimension) => {
      let extent: number | string | null = null;
      readFields(dimension, {
        1: integer((value) => (extent = value)),
        2: name((value) => (extent = value === "" ? null : value)),
      });
      push(shape, extent, MAX_AXES, "axes");
    }),
  });
  return shape;
}

/** Text that names something. */
function name(use: (value: string) => void) {
  return text((value) => {
    if (value.length > MAX_NAME) throw new MalformedFile(`a name has ${value.length} characters`);
    use(value);
  });
}

function push<T>(list: T[], value: T, most: number, what: string): void {
  if (list.length >= most) throw new MalformedFile(`it has more than ${most} ${what}`);
  list.push(value);
}
