/**
 * NumPy's .npy: a magic, a version, a header (a Python dict literal that names type, order and shape), then the
 * elements. Source: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
 */

import { EngineError } from "../errors.ts";
import { formatShape, type Tensor } from "../graph/tensor.ts";
import { safeElementCount } from "./extents.ts";
import { bytesFromFloats, FLOAT_BYTES, floatsFromBytes, type FloatType } from "./floats.ts";
import { parseNpyHeader } from "./npy-header.ts";

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59]; // \x93NUMPY
/** NumPy's own limit is 10,000; a header of float data needs some 100. */
const MAX_HEADER_BYTES = 65_535;
const TYPES: ReadonlyMap<string, FloatType> = new Map([
  ["<f4", "F32"],
  ["<f2", "F16"],
  ["<f8", "F64"],
]);
/** NumPy aligns the elements so that files can be mapped. */
const ALIGNMENT = 64;

/**
 * Reads an array: versions 1–3, little-endian float16, float32 or float64 (as float32), C order.
 *
 * @param bytes the whole file; the tensor may share its memory
 * @param name what to call it in errors
 * @throws EngineError "array"
 */
export function readNpy(bytes: Uint8Array, name: string): Tensor {
  if (bytes.length < 10 || !MAGIC.every((byte, i) => bytes[i] === byte)) {
    throw new EngineError(
      "array",
      name,
      bytes.length === 0 ? "is empty" : "is not an .npy file",
      "write it with numpy.save(FILE, array.astype('<f4'))",
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const major = view.getUint8(6);
  const minor = view.getUint8(7);
  if (major < 1 || major > 3 || minor !== 0) {
    throw new EngineError("array", name, `has .npy version ${major}.${minor}`, "save it as version 1.0, 2.0 or 3.0");
  }
  const headerStart = major === 1 ? 10 : 12;
  if (bytes.length < headerStart) throw damaged(name, "it ends within its header");
  const headerLength = major === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  const dataStart = headerStart + headerLength;
  if (headerLength > MAX_HEADER_BYTES) throw damaged(name, `its header claims ${headerLength} bytes`);
  if (dataStart > bytes.length) throw damaged(name, "it ends within its header");

  const header = parseNpyHeader(bytes.subarray(headerStart, dataStart));
  if (typeof header === "string") throw damaged(name, header);
  const type = TYPES.get(header.descr);
  if (type === undefined) {
    throw new EngineError(
      "array",
      name,
      `holds elements of type ${JSON.stringify(header.descr)}`,
      "save it as float32: array.astype('<f4')",
    );
  }
  if (header.fortranOrder) {
    throw new EngineError("array", name, "is in Fortran order", "save numpy.ascontiguousarray(array)");
  }
  const count = safeElementCount(header.shape);
  const dataLength = bytes.length - dataStart;
  if (count === null || count * FLOAT_BYTES[type] !== dataLength) {
    throw damaged(name, `its ${dataLength} bytes of data do not fit ${header.descr} ${formatShape(header.shape)}`);
  }
  return { shape: header.shape, data: floatsFromBytes(bytes.subarray(dataStart), type) };
}

/**
 * Writes a tensor as .npy version 1.0, little-endian float32, C order, elements aligned to 64 bytes as NumPy does.
 *
 * @throws EngineError "array" where the data do not fill the shape
 */
export function writeNpy({ shape, data }: Tensor): Uint8Array {
  if (safeElementCount(shape) !== data.length) {
    throw new EngineError(
      "array",
      `tensor ${formatShape(shape)}`,
      `has ${data.length} elements`,
      "give it its right shape",
    );
  }
  const tuple = shape.length === 1 ? `(${shape.join()},)` : `(${shape.join(", ")})`;
  const dict = `{'descr': '<f4', 'fortran_order': False, 'shape': ${tuple}, }`;
  const dataStart = Math.ceil((10 + dict.length + 1) / ALIGNMENT) * ALIGNMENT;
  const bytes = new Uint8Array(dataStart + data.byteLength);
  bytes.set(MAGIC);
  bytes.set([1, 0], 6);
  new DataView(bytes.buffer).setUint16(8, dataStart - 10, true);
  bytes.set(new TextEncoder().encode(`${dict.padEnd(dataStart - 11)}\n`), 10);
  bytes.set(bytesFromFloats(data), dataStart);
  return bytes;
}

function damaged(name: string, problem: string): EngineError {
  return new EngineError("array", name, `is not a sound .npy file: ${problem}`, "write it again with numpy.save");
}
