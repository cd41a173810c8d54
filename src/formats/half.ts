/** The 16-bit float formats that files hold, widened to float32 (exact: every half and every bfloat16 is a float32). */

/**
 * Widens IEEE 754 binary16 values. NaN payloads, infinities, subnormals and the sign of zero are kept.
 *
 * @param halves the bit patterns
 */
export function halvesToFloats(halves: Uint16Array): Float32Array {
  const bits = new Uint32Array(halves.length);
  for (let i = 0; i < halves.length; i++) {
    const half = halves[i];
    const sign = (half & 0x8000) << 16;
    const exponent = (half >>> 10) & 0x1f;
    const fraction = half & 0x3ff;
    if (exponent === 0x1f) {
      bits[i] = sign | 0x7f800000 | (fraction << 13);
    } else if (exponent !== 0) {
      bits[i] = sign | ((exponent - 15 + 127) << 23) | (fraction << 13);
    } else if (fraction !== 0) {
      // A subnormal half is a normal float32: shift its leading one up into the implicit place.
      const shift = Math.clz32(fraction) - 21;
      bits[i] = sign | ((127 - 14 - shift) << 23) | (((fraction << shift) & 0x3ff) << 13);
    } else {
      bits[i] = sign;
    }
  }
  return new Float32Array(bits.buffer);
}

/**
 * Widens bfloat16 values, which are the upper halves of float32 bit patterns.
 *
 * @param patterns the bit patterns
 */
export function brainFloatsToFloats(patterns: Uint16Array): Float32Array {
  const bits = new Uint32Array(patterns.length);
  for (let i = 0; i < patterns.length; i++) bits[i] = patterns[i] << 16;
  return new Float32Array(bits.buffer);
}
