/** How far a blob is from what it should be. */

import type { ValueId } from "../graph/graph.ts";
import { formatShape, sameShape, type Shape, type Tensor } from "../graph/tensor.ts";
import { type Plan, plainTolerance } from "../plan/plan.ts";
import type { Precision } from "../plan/precision.ts";

/** What is compared: probabilities by their difference, other blobs by it relative to the blob's largest magnitude. */
export type BlobKind = "activation" | "probability";

/** The largest differences that pass. */
export type Tolerances = Readonly<Record<BlobKind, number>>;

/** Where every layer is plain sums in float32. */
export const tolerances: Tolerances = { activation: plainTolerance, probability: 1e-6 };

/** The most that any plan in float32 may be off: Winograd's F(4×4, 3×3) loses a digit, of which softmax makes less. */
export const widestTolerances: Tolerances = { activation: 3e-5, probability: 5e-6 };

/** The same in float16, where every layer rounds what it leaves to 11 bits. */
export const float16Tolerances: Tolerances = { activation: 1e-2, probability: 5e-3 };

/** The most that any plan of a precision may be off. */
export function widestTolerancesIn(precision: Precision): Tolerances {
  return precision === "f32" ? widestTolerances : float16Tolerances;
}

/** What a plan may be off by, from its precision and the algorithms that it uses. */
export function tolerancesOf({ precision, tolerance }: Pick<Plan, "precision" | "tolerance">): Tolerances {
  return precision === "f32" && tolerance <= plainTolerance ? tolerances : widestTolerancesIn(precision);
}

/** How far a blob is from what it should be. */
export interface BlobVerdict {
  readonly blob: ValueId;
  /** The expected shape. */
  readonly shape: Shape;
  /** The largest difference; not finite where a value of either side is not. */
  readonly maxAbs: number;
  /** `maxAbs` over the largest magnitude of the expected values. */
  readonly maxRel: number;
  /** Normalised mean squared error: Σ(a − b)² / Σb². */
  readonly nmse: number;
  readonly pass: boolean;
  /** Why nothing could be compared: shapes that differ, say. */
  readonly problem?: string;
}

/**
 * Compares a blob with what it should be. A value that is not finite fails, on either side and even on both: two
 * engines that overflow alike are both wrong.
 */
export function compareBlob(
  blob: ValueId,
  actual: Tensor,
  expected: Tensor,
  kind: BlobKind,
  allowed: Tolerances = tolerances,
): BlobVerdict {
  if (!sameShape(actual.shape, expected.shape)) {
    return incomparable(blob, actual.shape, `${formatShape(expected.shape)} was expected`);
  }
  let maxAbs = 0;
  let magnitude = 0;
  let squaredError = 0;
  let squares = 0;
  let finite = true;
  for (let i = 0; i < expected.data.length; i++) {
    const a = actual.data[i];
    const b = expected.data[i];
    const difference = Math.abs(a - b);
    // Math.max keeps NaN once it has met one.
    maxAbs = Math.max(maxAbs, difference);
    magnitude = Math.max(magnitude, Math.abs(b));
    squaredError += difference * difference;
    squares += b * b;
    finite &&= Number.isFinite(difference);
  }
  const maxRel = ratio(maxAbs, magnitude);
  const measured = kind === "probability" ? maxAbs : maxRel;
  return {
    blob,
    shape: expected.shape,
    maxAbs,
    maxRel,
    nmse: ratio(squaredError, squares),
    pass: finite && measured <= allowed[kind],
  };
}

/** The verdict on a blob that there is nothing to compare with. */
export function incomparable(blob: ValueId, shape: Shape, problem: string): BlobVerdict {
  return { blob, shape, maxAbs: NaN, maxRel: NaN, nmse: NaN, pass: false, problem };
}

/** a / b, where nothing over nothing is nothing. */
function ratio(a: number, b: number): number {
  return a === 0 && b === 0 ? 0 : a / b;
}
