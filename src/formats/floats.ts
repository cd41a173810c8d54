/**
 * Little-endian floating point numbers in a file, as float32. Typed arrays have the machine's byte order, and every
 * machine that runs WebGPU is little-endian, so numbers are viewed and copied as they lie.
 */

import { brainFloatsToFloats, halvesToFloats } from "./half.ts";

/** Element types, by safetensors' names. */
export type FloatType = "F64" | "F32" | "F16" | "BF16";

/** Bytes an element. */
export const FLOAT_BYTES: Readonly<Record<FloatType, number>> = { F64: 8, F32: 4, F16: 2, BF16: 2 };

/**
 * The elements that fill `bytes`, as float32: a view of the same memory where the type is float32 and the address is
 * aligned, else a copy. Doubles are rounded to nearest; those too large for a float32 become infinite.
 *
 * @param bytes whole elements, i.e. a multiple of `FLOAT_BYTES[type]` bytes
 */
export function floatsFromBytes(bytes: Uint8Array, type: FloatType): Float32Array {
  const size = FLOAT_BYTES[type];
  // Not `slice`, which for Node's Buffer makes another view.
  const aligned = bytes.byteOffset % size === 0 ? bytes : new Uint8Array(bytes);
  const { buffer, byteOffset } = aligned;
  const count = bytes.byteLength / size;
  switch (type) {
    case "F32":
      return new Float32Array(buffer, byteOffset, count);
    case "F64":
      return new Float32Array(new Float64Array(buffer, byteOffset, count));
    case "F16":
      return halvesToFloats(new Uint16Array(buffer, byteOffset, count));
    case "BF16":
      return brainFloatsToFloats(new Uint16Array(buffer, byteOffset, count));
  }
}

/** The little-endian bytes of these numbers: a view of the same memory. */
export function bytesFromFloats(floats: Float32Array): Uint8Array<ArrayBuffer> {
  // Nothing here is made in shared memory, which browsers' hashes don't take.
  return new Uint8Array(floats.buffer as ArrayBuffer, floats.byteOffset, floats.byteLength);
}
