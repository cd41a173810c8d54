/** How far apart two arrays are, and one matcher that says where. */

import { expect } from "vitest";
import { sameShape, type Shape, type Tensor } from "../../src/graph/tensor.ts";

export interface Difference {
  /** The largest |actual − expected|; infinite where only one of the two is a number, or they are unlike infinities. */
  readonly maxAbs: number;
  /** `maxAbs` over the largest finite |expected|. */
  readonly maxRel: number;
  /** Where the largest difference is. */
  readonly index: number;
}

export function difference(actual: Float32Array, expected: Float32Array): Difference {
  let maxAbs = 0;
  let largest = 0;
  let index = 0;
  for (let i = 0; i < expected.length; i++) {
    const apart = Object.is(actual[i], expected[i]) ? 0 : Math.abs(actual[i] - expected[i]);
    const distance = Number.isNaN(apart) ? Infinity : apart;
    if (distance > maxAbs) {
      maxAbs = distance;
      index = i;
    }
    if (Number.isFinite(expected[i])) largest = Math.max(largest, Math.abs(expected[i]));
  }
  return { maxAbs, maxRel: maxAbs === 0 ? 0 : maxAbs / largest, index };
}

export interface Closeness {
  /** Bound on the largest difference over the largest expected magnitude. */
  readonly relative?: number;
  /** Bound on the largest difference. */
  readonly absolute?: number;
}

expect.extend({
  toBeAllclose(actual: Tensor, expected: Tensor, { relative = Infinity, absolute = Infinity }: Closeness) {
    if (!sameShape(actual.shape, expected.shape) || actual.data.length !== expected.data.length) {
      return {
        pass: false,
        message: () =>
          `shape ${actual.shape.join("×")} (${actual.data.length} values), not ${expected.shape.join("×")}`,
      };
    }
    const { maxAbs, maxRel, index } = difference(actual.data, expected.data);
    return {
      pass: maxAbs <= absolute && maxRel <= relative,
      message: () =>
        `at [${coordinates(index, expected.shape).join(", ")}] of ${expected.shape.join("×")}: ${actual.data[index]} ` +
        `where ${expected.data[index]} was expected; largest difference ${maxAbs.toExponential(2)}, ` +
        `relative to the largest magnitude ${maxRel.toExponential(2)} ` +
        `(bounds: absolute ${absolute}, relative ${relative})`,
    };
  },
});

function coordinates(index: number, shape: Shape): number[] {
  let rest = index;
  return shape
    .toReversed()
    .map((extent) => {
      const at = rest % extent;
      rest = (rest - at) / extent;
      return at;
    })
    .reverse();
}

declare module "vitest" {
  // eslint-disable-next-line @typescript-eslint/no-unused-vars -- the declaration merged with has the parameter
  interface Matchers<T> {
    /** The tensor has the expected one's shape and lies within the bounds of it; a NaN is close only to a NaN. */
    toBeAllclose(expected: Tensor, closeness: Closeness): void;
  }
}
