/**
 * TensorProto: a tensor of an ONNX file, whose elements lie in it raw, as numbers of some type, or in another file.
 * Field numbers are those of onnx.proto.
 */

import { isExtent, safeElementCount } from "../extents.ts";
import { floatsFromBytes } from "../floats.ts";
import { halvesToFloats } from "../half.ts";
import { NumberBytes } from "../number-bytes.ts";
import { MalformedFile, type MessageReader } from "../protobuf.ts";
import { bytes, integer, integers, nested, numbers, readFields, text, varints } from "../protobuf-fields.ts";
import { toNumber, VarintBytes } from "../varint-bytes.ts";
import { formatShape, type Shape } from "../../graph/tensor.ts";

/** TensorProto.DataType, by number. */
const typeNames: readonly string[] = [
  "undefined",
  "float",
  "uint8",
  "int8",
  "uint16",
  "int16",
  "int32",
  "int64",
  "string",
  "bool",
  "float16",
  "double",
  "uint32",
  "uint64",
  "complex64",
  "complex128",
  "bfloat16",
  "float8e4m3fn",
  "float8e4m3fnuz",
  "float8e5m2",
  "float8e5m2fnuz",
  "uint4",
  "int4",
  "float4e2m1",
  "float8e8m0",
  "uint2",
  "int2",
];

/** Types of which tensors are read, and the bytes that an element of each takes as raw data. */
const elementBytes = { float: 4, float16: 2, double: 8, int32: 4, int64: 8, bool: 1 } as const;

export type ElementType = keyof typeof elementBytes;

export function isFloat(type: ElementType): boolean {
  return type === "float" || type === "float16" || type === "double";
}

/** What a type is called, of whatever number. */
export function typeName(type: number): string {
  return typeNames[type] ?? `type ${type}`;
}

/** The type of this number; null where no tensors of it are read. */
export function elementType(type: number): ElementType | null {
  const name = typeName(type);
  return Object.hasOwn(elementBytes, name) ? (name as ElementType) : null;
}

/** Elements of a tensor in another file. */
export interface ExternalData {
  /** A path below the model's folder, with `/`. */
  readonly location: string;
  readonly offset: number;
  /** Bytes, where the file says so. */
  readonly length: number | undefined;
}

export interface TensorProto {
  readonly name: string;
  readonly shape: Shape;
  /** TensorProto.DataType */
  readonly type: number;
  /** Elements as they lie in memory, little-endian. */
  readonly raw: Uint8Array | undefined;
  readonly floats: NumberBytes;
  readonly doubles: NumberBytes;
  /** int32, bool and the bits of float16. */
  readonly int32s: VarintBytes;
  readonly int64s: VarintBytes;
  readonly external: ExternalData | undefined;
}

/** A tensor whose elements are numbers: float32 ones, or integers (of bool 0 and 1) and doubles as they are. */
export interface Elements {
  readonly type: ElementType;
  readonly shape: Shape;
  readonly data: Float32Array | Float64Array;
}

/** Kernels walk no more axes. */
export const MAX_AXES = 8;
export const MAX_NAME = 4096;
const MAX_EXTERNAL_ENTRIES = 16;
const externalLocation = 1;

/** @throws MalformedFile */
export function readTensor(message: MessageReader): TensorProto {
  const shape: number[] = [];
  const int32s = new VarintBytes();
  const int64s = new VarintBytes();
  const floats = new NumberBytes(4);
  const doubles = new NumberBytes(8);
  const external = new Map<string, string>();
  let name = "";
  let type = 0;
  let location = 0;
  let raw: Uint8Array | undefined;
  readFields(message, {
    1: integers((extent) => {
      if (shape.length >= MAX_AXES) throw new MalformedFile(`a tensor has more than ${MAX_AXES} axes`);
      if (!isExtent(extent)) throw new MalformedFile(`a tensor has the extent ${String(extent)}`);
      shape.push(extent);
    }),
    2: integer((value) => (type = value)),
    // Parts of a tensor, which nobody writes.
    3: nested(() => {
      throw new MalformedFile("a tensor comes in segments, which aren't supported");
    }),
    4: numbers(floats),
    5: varints(int32s),
    7: varints(int64s),
    8: text((value) => (name = value)),
    9: bytes((value) => {
      if (raw) throw new MalformedFile("a tensor has its data twice");
      raw = value;
    }),
    10: numbers(doubles),
    13: nested((entry) => {
      let [key, value] = ["", ""];
      readFields(entry, { 1: text((each) => (key = each)), 2: text((each) => (value = each)) });
      if (external.has(key) || external.size >= MAX_EXTERNAL_ENTRIES) {
        throw new MalformedFile("a tensor has the place of its data twice");
      }
      external.set(key, value);
    }),
    14: integer((value) => (location = value)),
  });
  if (name.length > MAX_NAME) throw new MalformedFile(`a name has ${name.length} characters`);
  return {
    name,
    shape,
    type,
    raw,
    floats,
    doubles,
    int32s,
    int64s,
    external: location === externalLocation ? readExternal(external) : undefined,
  };
}

function readExternal(entries: ReadonlyMap<string, string>): ExternalData {
  const location = entries.get("location") ?? "";
  const number = (key: string): number | undefined => {
    const value = entries.get(key);
    if (value === undefined) return undefined;
    if (!/^\d{1,15}$/.test(value)) throw new MalformedFile(`external data have the ${key} ${JSON.stringify(value)}`);
    return Number(value);
  };
  // A path that leads out of the model's folder, on any system. Links are looked at where files are.
  const parts = location.split("/");
  if (location === "" || /[\\:\0]/.test(location) || parts.some((part) => part === "" || part === "..")) {
    throw new MalformedFile(`external data lie in ${JSON.stringify(location)}, which is not within the model's folder`);
  }
  return { location, offset: number("offset") ?? 0, length: number("length") };
}

/** The bytes that a tensor's elements take as raw data. */
export function rawLength({ name, shape, type }: TensorProto): number {
  const element = elementType(type);
  const count = safeElementCount(shape);
  if (element === null) throw new MalformedFile(`tensor ${JSON.stringify(name)} is of ${typeName(type)}`);
  if (count === null) throw new MalformedFile(`tensor ${JSON.stringify(name)} has too many elements`);
  return count * elementBytes[element];
}

/**
 * The tensor's elements.
 *
 * @param spend told of bytes that are taken beside the file's own, before they are
 * @param fetched the bytes of external data
 * @throws MalformedFile where they don't fill the shape, or are of a type that isn't read
 */
export function elementsOf(tensor: TensorProto, spend: (bytes: number) => void, fetched?: Uint8Array): Elements {
  const { name, shape, int32s, int64s, floats, doubles } = tensor;
  const length = rawLength(tensor);
  const type = elementType(tensor.type)!;
  const raw = tensor.external ? fetched : tensor.raw;
  const wrong = (problem: string): never => {
    throw new MalformedFile(`tensor ${JSON.stringify(name)} of ${formatShape(shape)} ${problem}`);
  };
  const count = length / elementBytes[type];
  const ints = type === "int64" ? int64s.count : int32s.count;
  const listed = type === "float" ? floats.length / 4 : type === "double" ? doubles.length / 8 : ints;
  const all = floats.length / 4 + doubles.length / 8 + int32s.count + int64s.count;
  if (raw ? all > 0 : listed !== all) wrong("has its data in two ways");
  if (raw && raw.length !== length) wrong(`has ${raw.length} bytes of data instead of ${length}`);
  if (!raw && listed !== count) wrong(`has ${listed} elements of type ${type}`);
  if (type !== "float") spend(count * (type === "float16" ? 4 : 8));
  return { type, shape, data: raw ? fromRaw(raw, type, count) : fromLists(tensor, type, count) };
}

function fromRaw(raw: Uint8Array, type: ElementType, count: number): Float32Array | Float64Array {
  if (type === "float") return floatsFromBytes(raw, "F32");
  if (type === "float16") return floatsFromBytes(raw, "F16");
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
  const at = {
    double: (index: number) => view.getFloat64(8 * index, true),
    int32: (index: number) => view.getInt32(4 * index, true),
    int64: (index: number) => toNumber(view.getBigInt64(8 * index, true)),
    bool: (index: number) => (view.getUint8(index) === 0 ? 0 : 1),
  }[type];
  const data = new Float64Array(count);
  for (let i = 0; i < count; i++) data[i] = at(i);
  return data;
}

function fromLists(
  { floats, doubles, int32s, int64s }: TensorProto,
  type: ElementType,
  count: number,
): Float32Array | Float64Array {
  switch (type) {
    case "float":
      return floatsFromBytes(floats.concatenate(), "F32");
    case "double":
      return new Float64Array(doubles.concatenate().buffer);
    case "float16": {
      const halves = new Uint16Array(count);
      int32s.readInto(halves);
      return halvesToFloats(halves);
    }
    default: {
      const data = new Float64Array(count);
      (type === "int64" ? int64s : int32s).readInto(data);
      return type === "bool" ? data.map((value) => (value === 0 ? 0 : 1)) : data;
    }
  }
}
