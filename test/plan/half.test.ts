/** Rounding to float16 against what float16 is: every value of it, and the nearest of two to what lies between. */

import fc from "fast-check";
import { expect, test } from "vitest";
import { halvesToFloats } from "../../src/formats/half.ts";
import { floatsToHalves, LARGEST_HALF } from "../../src/plan/half.ts";

const allHalves = Uint16Array.from({ length: 65_536 }, (_, pattern) => pattern);
const allFloats = halvesToFloats(allHalves);
/** The finite ones from 0 on, in order. */
const magnitudes = allFloats.subarray(0, 0x7c00);

test("every float16 comes back as it was", () => {
  const halves = floatsToHalves(allFloats);
  for (const [pattern, value] of allFloats.entries()) {
    if (Number.isNaN(value)) expect(halvesToFloats(halves.subarray(pattern, pattern + 1))[0]).toBeNaN();
    else if (halves[pattern] !== pattern) expect(halves[pattern], String(value)).toBe(pattern);
  }
});

test("what lies between two becomes the nearer, and the even one where it is in the middle", () => {
  const between = fc.tuple(fc.nat(0x7bfe), fc.double({ min: 0, max: 1, noNaN: true }), fc.boolean());
  fc.assert(
    fc.property(
      fc.oneof(
        between,
        between.map(([at, , sign]) => [at, 0.5, sign] as const),
      ),
      ([at, share, negative]) => {
        const [low, high] = [magnitudes[at], magnitudes[at + 1]];
        const value = Math.fround(low + share * (high - low));
        const [toLow, toHigh] = [value - low, high - value];
        const nearest = toLow < toHigh || (toLow === toHigh && at % 2 === 0) ? at : at + 1;
        const [half] = floatsToHalves(Float32Array.of(negative ? -value : value));
        expect(half).toBe(nearest + (negative ? 0x8000 : 0));
      },
    ),
    { numRuns: 5000 },
  );
});

test("what is too large becomes infinite, what is too small zero, with its sign", () => {
  const values = Float32Array.of(65_519.99, 65_520, 1e30, -65_520, Infinity, 2 ** -25, -(2 ** -25) * 1.01, 1e-40, -0);
  expect(values[0]).toBeGreaterThan(LARGEST_HALF);
  const halves = floatsToHalves(values);
  expect(halves).toHaveLength(10);
  expect([...halvesToFloats(halves)]).toEqual([
    ...[LARGEST_HALF, Infinity, Infinity, -Infinity, Infinity, 0, -(2 ** -24), 0, -0],
    // Filled up to whole words.
    0,
  ]);
});
