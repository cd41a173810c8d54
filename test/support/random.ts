/** Random test data that a seed, printed where a test fails, brings back. */

import { elementCount, type Shape, type Tensor } from "../../src/graph/tensor.ts";

/** A seed of this run's own, or `GOOGLENET_TEST_SEED` to repeat one. */
export function freshSeed(): number {
  const given = process.env.GOOGLENET_TEST_SEED;
  return given === undefined ? Math.floor(Math.random() * 2 ** 32) : Number(given) >>> 0;
}

/** Numbers in [0, 1), the same for the same seed: mulberry32 (Tommy Ettinger, public domain). */
export function uniform(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), state | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * Values spread evenly over ±`magnitude` and never near zero: a zero would hide a factor that is wrong, and a buffer
 * that was never written.
 */
export function randomTensor(shape: Shape, next: () => number, magnitude = 1): Tensor {
  const data = new Float32Array(elementCount(shape));
  for (let i = 0; i < data.length; i++) {
    const signed = 2 * next() - 1;
    data[i] = magnitude * (Math.abs(signed) < 2 ** -8 ? 2 ** -8 : signed);
  }
  return { shape, data };
}
