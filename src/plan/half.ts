/** float16 as weights are stored on the device: rounded from float32, as JavaScript has no arrays of it yet. */

/** The largest finite float16. */
export const LARGEST_HALF = 65504;

/**
 * Rounds float32 values to the nearest IEEE 754 binary16, ties to even. What lies 16 and more beyond 65504 becomes
 * infinite, what is below the smallest subnormal zero; NaN stays NaN.
 *
 * @returns the bit patterns, and a zero behind an odd number of them: buffers are written in whole words
 */
export function floatsToHalves(values: Float32Array): Uint16Array<ArrayBuffer> {
  const halves = new Uint16Array(Math.ceil(values.length / 2) * 2);
  const float = new Float32Array(1);
  const bits = new Uint32Array(float.buffer);
  for (let i = 0; i < values.length; i++) {
    float[0] = values[i];
    const sign = (bits[0] >>> 16) & 0x8000;
    const magnitude = bits[0] & 0x7fffffff;
    if (magnitude >= 0x47800000) {
      halves[i] = sign | (magnitude > 0x7f800000 ? 0x7e00 : 0x7c00);
    } else if (magnitude >= 0x38800000) {
      // The exponent's bias is 112 smaller; the carry of rounding up goes into it as it should.
      halves[i] = sign | ((magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13);
    } else {
      // Subnormal: a half's last place is that of a float32 between 1/2 and 1.
      bits[0] = magnitude;
      float[0] += 0.5;
      halves[i] = sign | (bits[0] - 0x3f000000);
    }
  }
  return halves;
}
