/** Pictures of noise: inputs that are like no picture, and the same everywhere. */

/**
 * Fills an array with noise of the range that pictures have less their mean.
 *
 * @param seed an integer from 1 on; each gives noise of its own
 */
export function fillWithNoise(target: Float32Array, seed: number): void {
  // Marsaglia's xorshift32, started from well-spread bits.
  let state = Math.imul(seed, 0x9e3779b1) | 1;
  for (let i = 0; i < target.length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    target[i] = (state >>> 8) * (255 / 2 ** 24) - 115;
  }
}
