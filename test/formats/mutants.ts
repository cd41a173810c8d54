/** Damage done to sound files, for property tests of every reader. */

import fc from "fast-check";
import { expect } from "vitest";
import { type ErrorCode, EngineError } from "../../src/errors.ts";
import type { Tensor } from "../../src/graph/tensor.ts";

/** Shapes from scalars to four axes, with empty ones, and any float32 as elements (NaN and -0 too). */
export function arbitraryTensor(minRank = 0, maxRank = 4): fc.Arbitrary<Tensor> {
  return fc
    .array(fc.integer({ min: 0, max: 5 }), { minLength: minRank, maxLength: maxRank })
    .chain((shape) => arbitraryTensorOf(shape));
}

export function arbitraryTensorOf(shape: readonly number[]): fc.Arbitrary<Tensor> {
  const count = shape.reduce((product, extent) => product * extent, 1);
  return fc
    .float32Array({ minLength: count, maxLength: count })
    .map((data) => ({ shape, data: Float32Array.from(data) }));
}

/** The bits of each tensor: what a round trip has to keep, NaN and the sign of zero included. */
export function bits(tensors: ReadonlyMap<string, Tensor>): [string, readonly number[], Uint32Array][] {
  return [...tensors].map(([name, { shape, data }]) => [name, shape, new Uint32Array(Float32Array.from(data).buffer)]);
}

/** Sound bytes, damaged in one of the ways that files get damaged or that an attacker would try. */
export function arbitraryMutant(sound: Uint8Array): fc.Arbitrary<Uint8Array> {
  const position = fc.nat({ max: Math.max(0, sound.length - 1) });
  const edit = fc.record({ position, byte: fc.oneof(fc.nat({ max: 255 }), fc.constantFrom(0, 1, 0x7f, 0x80, 0xff)) });
  return fc.oneof(
    fc.array(edit, { minLength: 1, maxLength: 8 }).map((edits) => {
      const bytes = sound.slice();
      for (const { position, byte } of edits) bytes[position] = byte;
      return bytes;
    }),
    position.map((length) => sound.slice(0, length)),
    fc.uint8Array({ minLength: 1, maxLength: 16 }).map((tail) => Uint8Array.from([...sound, ...tail])),
    fc
      .tuple(position, position, fc.uint8Array({ maxLength: 16 }))
      .map(([a, b, filling]) =>
        Uint8Array.from([...sound.slice(0, Math.min(a, b)), ...filling, ...sound.slice(Math.max(a, b))]),
      ),
  );
}

/**
 * Reads damaged bytes: either the reader refuses with one clear line of the right code, or what it gives makes sense.
 *
 * @returns whether it was read
 */
export function readsOrRefuses(read: () => ReadonlyMap<string, Tensor>, code: ErrorCode, fileLength: number): boolean {
  let tensors: ReadonlyMap<string, Tensor>;
  try {
    tensors = read();
  } catch (error) {
    expectRefusal(error, code);
    return false;
  }
  let elements = 0;
  for (const { shape, data } of tensors.values()) {
    expect(data.length).toBe(shape.reduce((product, extent) => product * extent, 1));
    elements += data.length;
  }
  expect(elements * 2).toBeLessThanOrEqual(fileLength);
  return true;
}

/** As `readsOrRefuses`, for properties, to which false would be a failure. */
export function expectRefusalOrSense(...read: Parameters<typeof readsOrRefuses>): void {
  readsOrRefuses(...read);
}

export function expectRefusal(error: unknown, code: ErrorCode): void {
  if (!(error instanceof EngineError)) throw error;
  expect(error.code).toBe(code);
  expect(error.message).not.toContain("\n");
  expect(error.message).toMatch(/^.+: .+; .+$/);
}
