import { describe, expect, it } from "vitest";
import { brainFloatsToFloats, halvesToFloats } from "../../src/formats/half.ts";

/** The value that IEEE 754 gives a pattern, by its definition. */
function valueOf(pattern: number, exponentBits: number, fractionBits: number): number {
  const sign = pattern & 0x8000 ? -1 : 1;
  const exponent = (pattern >>> fractionBits) & (2 ** exponentBits - 1);
  const fraction = pattern & (2 ** fractionBits - 1);
  const bias = 2 ** (exponentBits - 1) - 1;
  if (exponent === 2 ** exponentBits - 1) return fraction === 0 ? sign * Infinity : NaN;
  if (exponent === 0) return sign * fraction * 2 ** (1 - bias - fractionBits);
  return sign * (1 + fraction * 2 ** -fractionBits) * 2 ** (exponent - bias);
}

const everyPattern = Uint16Array.from({ length: 65536 }, (_, i) => i);

describe.each([
  { name: "half", widen: halvesToFloats, exponentBits: 5, fractionBits: 10 },
  { name: "bfloat16", widen: brainFloatsToFloats, exponentBits: 8, fractionBits: 7 },
])("$name", ({ widen, exponentBits, fractionBits }) => {
  const widened = widen(everyPattern);

  it("widens every pattern to its value", () => {
    const wrong = everyPattern.filter(
      (pattern) => !Object.is(widened[pattern], valueOf(pattern, exponentBits, fractionBits)),
    );
    expect([...wrong]).toEqual([]);
  });

  it("keeps the sign and payload of every NaN", () => {
    const bits = new Uint32Array(widened.buffer);
    const nans = everyPattern.filter((pattern) => Number.isNaN(widened[pattern]));
    expect(nans.length).toBe(2 * (2 ** fractionBits - 1));
    for (const pattern of nans) {
      expect(bits[pattern] >>> 31).toBe(pattern >>> 15);
      expect((bits[pattern] & 0x7fffff) >>> (23 - fractionBits)).toBe(pattern & (2 ** fractionBits - 1));
    }
  });
});
