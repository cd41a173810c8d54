/**
 * safetensors: an 8-byte little-endian header length N, N bytes of JSON that name each tensor's type, shape and byte
 * range, then the tensors' bytes without holes. Source: https://github.com/huggingface/safetensors (README, "Format").
 */

import { EngineError } from "../errors.ts";
import { formatShape, type Shape, type Tensor } from "../graph/tensor.ts";
import { isExtent, safeElementCount } from "./extents.ts";
import { bytesFromFloats, FLOAT_BYTES, floatsFromBytes, type FloatType } from "./floats.ts";
import { findDuplicateKey } from "./json-keys.ts";

/** What a safetensors file holds. */
export interface Safetensors {
  /** In the order of the header. float32 tensors are views of the file's bytes where these are aligned. */
  readonly tensors: Map<string, Tensor>;
  /** The type that each tensor has in the file. */
  readonly types: Map<string, FloatType>;
  /** The header's `__metadata__`. */
  readonly metadata: Record<string, string>;
}

/** The largest header that is parsed. GoogLeNet's has 11 kB; 1 MiB names some 10,000 tensors. */
const MAX_HEADER_BYTES = 1024 * 1024;
const LENGTH_BYTES = 8;
const METADATA_KEY = "__metadata__";

interface Entry {
  readonly name: string;
  readonly type: FloatType;
  readonly shape: Shape;
  readonly begin: number;
  readonly end: number;
}

/**
 * Reads a safetensors file. Whatever is not exactly as the format demands is refused: lengths, types, shapes, ranges
 * that overlap, leave holes or do not fit their shapes, and keys that occur twice.
 *
 * @param bytes the whole file; the tensors may share its memory
 * @param name what to call it in errors
 * @throws EngineError "weights"
 */
export function readSafetensors(bytes: Uint8Array, name: string): Safetensors {
  const headerLength = readHeaderLength(bytes, name);
  const dataStart = LENGTH_BYTES + headerLength;
  const header = parseHeader(bytes.subarray(LENGTH_BYTES, dataStart), name);
  const data = bytes.subarray(dataStart);

  const metadata = readMetadata(header[METADATA_KEY], name);
  const entries = Object.entries(header)
    .filter(([key]) => key !== METADATA_KEY)
    .map(([key, value]) => readEntry(key, value, data.length, name));
  checkContiguous(entries, data.length, name);

  const tensors = new Map<string, Tensor>();
  const types = new Map<string, FloatType>();
  for (const { name: key, type, shape, begin, end } of entries) {
    tensors.set(key, { shape, data: floatsFromBytes(data.subarray(begin, end), type) });
    types.set(key, type);
  }
  return { tensors, types, metadata };
}

/**
 * Whether the bytes look like a safetensors file: a plausible header length, then a brace.
 */
export function looksLikeSafetensors(bytes: Uint8Array): boolean {
  return bytes.length > LENGTH_BYTES && bytes[LENGTH_BYTES] === 0x7b && bytes[6] === 0 && bytes[7] === 0;
}

/**
 * Writes float32 tensors as a safetensors file, in the map's order.
 *
 * @throws EngineError "weights" where a tensor's data do not fill its shape or its name is reserved
 */
export function writeSafetensors(
  tensors: ReadonlyMap<string, Tensor>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  // Members are joined by hand: a JavaScript object would sort keys that look like numbers to the front.
  const members: string[] = [];
  if (Object.keys(metadata).length > 0) members.push(`"${METADATA_KEY}":${JSON.stringify(metadata)}`);
  let offset = 0;
  for (const [name, { shape, data }] of tensors) {
    if (name === METADATA_KEY) {
      throw new EngineError("weights", name, "is a reserved name", "give the tensor another name");
    }
    if (safeElementCount(shape) !== data.length) {
      throw new EngineError(
        "weights",
        name,
        `has ${data.length} elements, not those of ${formatShape(shape)}`,
        "give the tensor its right shape",
      );
    }
    const range = [offset, (offset += data.byteLength)];
    members.push(`${JSON.stringify(name)}:{"dtype":"F32","shape":[${shape.join()}],"data_offsets":[${range.join()}]}`);
  }
  const text = new TextEncoder().encode(`{${members.join()}}`);
  // Spaces up to a multiple of 8, so that readers can map the data as they lie.
  const headerLength = Math.ceil(text.length / 8) * 8;
  const bytes = new Uint8Array(LENGTH_BYTES + headerLength + offset);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(headerLength), true);
  bytes.set(text, LENGTH_BYTES);
  let position = LENGTH_BYTES + headerLength;
  bytes.fill(0x20, LENGTH_BYTES + text.length, position);
  for (const { data } of tensors.values()) {
    bytes.set(bytesFromFloats(data), position);
    position += data.byteLength;
  }
  return bytes;
}

function damaged(name: string, problem: string): EngineError {
  return new EngineError(
    "weights",
    name,
    `is not a sound safetensors file: ${problem}`,
    "fetch or convert the file again",
  );
}

function readHeaderLength(bytes: Uint8Array, name: string): number {
  if (bytes.length < LENGTH_BYTES) throw damaged(name, `it has only ${bytes.length} bytes`);
  const length = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
  if (length > BigInt(MAX_HEADER_BYTES)) {
    throw damaged(name, `its header claims ${length.toString()} bytes, more than ${MAX_HEADER_BYTES}`);
  }
  if (length > BigInt(bytes.length - LENGTH_BYTES)) {
    throw damaged(name, `its header claims ${length.toString()} bytes, but the file ends after ${bytes.length}`);
  }
  return Number(length);
}

function parseHeader(bytes: Uint8Array, name: string): Record<string, unknown> {
  if (bytes[0] !== 0x7b) throw damaged(name, "its header does not start with a brace");
  let text: string;
  let header: unknown;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    header = JSON.parse(text);
  } catch {
    throw damaged(name, "its header is not JSON");
  }
  const duplicate = findDuplicateKey(text);
  if (duplicate !== null) throw damaged(name, `its header has the key ${JSON.stringify(duplicate)} twice`);
  return header as Record<string, unknown>;
}

function readMetadata(value: unknown, name: string): Record<string, string> {
  if (value === undefined) return {};
  if (!isObject(value) || !Object.values(value).every((text) => typeof text === "string")) {
    throw damaged(name, `${METADATA_KEY} does not map strings to strings`);
  }
  return value as Record<string, string>;
}

function readEntry(key: string, value: unknown, dataLength: number, name: string): Entry {
  const label = `tensor ${JSON.stringify(key)}`;
  if (!isObject(value)) throw damaged(name, `${label} is not described by an object`);
  for (const field of Object.keys(value)) {
    if (!["dtype", "shape", "data_offsets"].includes(field)) {
      throw damaged(name, `${label} has an unknown field ${JSON.stringify(field)}`);
    }
  }
  const { dtype, shape, data_offsets: offsets } = value;
  if (!isFloatType(dtype)) {
    throw new EngineError(
      "weights",
      name,
      `${label} has the type ${typeof dtype === "string" ? dtype : "(none)"}`,
      `store it as one of ${Object.keys(FLOAT_BYTES).join(", ")}`,
    );
  }
  if (!Array.isArray(shape) || !shape.every(isExtent)) {
    throw damaged(name, `${label} has a shape that is not a list of integers from 0`);
  }
  const count = safeElementCount(shape);
  if (count === null) throw damaged(name, `${label} has an impossibly large shape ${formatShape(shape)}`);
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isExtent)) {
    throw damaged(name, `${label} has data_offsets that are not two integers from 0`);
  }
  const [begin, end] = offsets as [number, number];
  if (begin > end || end > dataLength) {
    throw damaged(name, `${label} lies at ${begin}–${end}, outside the ${dataLength} bytes of data`);
  }
  if (end - begin !== count * FLOAT_BYTES[dtype]) {
    throw damaged(name, `${label} has ${end - begin} bytes, which do not fit ${dtype} ${formatShape(shape)}`);
  }
  return { name: key, type: dtype, shape, begin, end };
}

/** The format demands that the tensors fill the data: no overlap, no hole, nothing after the last. */
function checkContiguous(entries: readonly Entry[], dataLength: number, name: string): void {
  let filled = 0;
  for (const { name: key, begin, end } of entries.toSorted((a, b) => a.begin - b.begin || a.end - b.end)) {
    const label = `tensor ${JSON.stringify(key)}`;
    if (begin < filled) throw damaged(name, `${label} overlaps the one before it`);
    if (begin > filled) throw damaged(name, `${begin - filled} bytes before ${label} belong to no tensor`);
    filled = end;
  }
  if (filled < dataLength) throw damaged(name, `its last ${dataLength - filled} bytes belong to no tensor`);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isFloatType(value: unknown): value is FloatType {
  return typeof value === "string" && Object.hasOwn(FLOAT_BYTES, value);
}
