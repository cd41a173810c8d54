/**
 * BlobProto, Caffe's tensor: a shape (or, in old files, num × channels × height × width) and float or double data,
 * packed or not. Gradients (`diff`) are passed over.
 */

import { WireType } from "@bufbuild/protobuf/wire";
import { formatShape, type Shape } from "../graph/tensor.ts";
import { safeElementCount } from "./extents.ts";
import { floatsFromBytes, type FloatType } from "./floats.ts";
import { NumberBytes } from "./number-bytes.ts";
import { MalformedFile, type MessageReader } from "./protobuf.ts";

/** Field numbers of caffe.proto. */
export const BLOB = { num: 1, channels: 2, height: 3, width: 4, data: 5, shape: 7, doubleData: 8 } as const;
export const BLOB_SHAPE = { dim: 1 } as const;

/** Caffe's kMaxBlobAxes. */
const MAX_AXES = 32;

export interface Blob {
  readonly shape: Shape;
  readonly data: Float32Array;
  /** The type of the numbers in the file. */
  readonly type: FloatType;
}

/**
 * Reads a BlobProto; the data are a copy.
 *
 * @throws MalformedFile
 */
export function readBlob(message: MessageReader): Blob {
  let shape: number[] | null = null;
  const legacy = [0, 0, 0, 0];
  let isLegacy = false;
  const floats = new NumberBytes(4);
  const doubles = new NumberBytes(8);
  message.forEachField((field, wireType, reader) => {
    if (field >= BLOB.num && field <= BLOB.width && wireType === WireType.Varint) {
      legacy[field - BLOB.num] = toExtent(reader.int64());
      isLegacy = true;
    } else if (field === BLOB.shape && wireType === WireType.LengthDelimited) {
      shape = [...(shape ?? []), ...readShape(message.nested(reader))];
    } else if (field === BLOB.data && wireType === WireType.LengthDelimited) {
      floats.add(reader.bytes());
    } else if (field === BLOB.data && wireType === WireType.Bit32) {
      // Unpacked: a run of single numbers, each behind its tag. Taking the run at once keeps it from counting as
      // millions of fields.
      reader.pos = floats.addRun(message.bytes, reader.pos);
    } else if (field === BLOB.doubleData && wireType === WireType.LengthDelimited) {
      doubles.add(reader.bytes());
    } else if (field === BLOB.doubleData && wireType === WireType.Bit64) {
      reader.pos = doubles.addRun(message.bytes, reader.pos);
    } else {
      return false;
    }
    return true;
  });
  if (shape === null && !isLegacy) throw new MalformedFile("a blob has no shape");
  if (floats.length > 0 && doubles.length > 0) throw new MalformedFile("a blob has both float and double data");
  return checkedBlob(shape ?? legacy, doubles.length > 0 ? doubles : floats);
}

function checkedBlob(shape: Shape, numbers: NumberBytes): Blob {
  const count = numbers.length / numbers.size;
  if (safeElementCount(shape) !== count) {
    throw new MalformedFile(`a blob of shape ${formatShape(shape)} has ${count} elements`);
  }
  const type = numbers.size === 4 ? "F32" : "F64";
  return { shape, data: floatsFromBytes(numbers.concatenate(), type), type };
}

function readShape(message: MessageReader): number[] {
  const shape: number[] = [];
  const push = (dim: bigint | string | number): void => {
    if (shape.length >= MAX_AXES) throw new MalformedFile(`a blob has more than ${MAX_AXES} axes`);
    shape.push(toExtent(dim));
  };
  message.forEachField((field, wireType, reader) => {
    if (field !== BLOB_SHAPE.dim) return false;
    if (wireType === WireType.Varint) {
      push(reader.int64());
    } else if (wireType === WireType.LengthDelimited) {
      const end = reader.uint32() + reader.pos;
      if (end > reader.len) throw new MalformedFile("a blob's shape is cut short");
      while (reader.pos < end) push(reader.int64());
      if (reader.pos !== end) throw new MalformedFile("a blob's shape is cut short");
    } else {
      return false;
    }
    return true;
  });
  return shape;
}

/** The library gives 64-bit integers as bigint (as text where there is none). */
function toExtent(value: bigint | string | number): number {
  const extent = Number(value);
  if (!Number.isSafeInteger(extent) || extent < 0) throw new MalformedFile(`a blob has the extent ${value}`);
  return extent;
}
