/** A part of the input along some axes: every step-th index from a start to an end. */

import { EngineError } from "../../errors.ts";
import type { Shape } from "../tensor.ts";
import { type Inferred, onlyInput, resolveAxes, shapeOnly } from "./op_rule.ts";

/** What is taken of one axis. */
export interface SliceRange {
  /** From the front, or negative from the back. */
  readonly axis: number;
  /** The first index, negative from the back; what lies beyond either end is moved to it. */
  readonly start: number;
  /** The index before which it ends; as `start`. */
  readonly end: number;
  /** Not 0; negative to go backwards. */
  readonly step: number;
}

/** A part of the value along some axes. */
export interface Slice {
  readonly type: "slice";
  /** At most one an axis. */
  readonly ranges: readonly SliceRange[];
}

/** What a slice takes of one axis: `count` indices from `start` on, `step` apart. */
export interface AxisSlice {
  readonly start: number;
  readonly step: number;
  readonly count: number;
}

/** What the op takes of each axis of an input. */
export function sliceAxes(subject: string, { ranges }: Slice, shape: Shape): AxisSlice[] {
  const slices: AxisSlice[] = shape.map((count) => ({ start: 0, step: 1, count }));
  const axes = resolveAxes(
    subject,
    ranges.map(({ axis }) => axis),
    shape.length,
  );
  ranges.forEach(({ start, end, step }, index) => {
    slices[axes[index]] = sliceAxis(subject, start, end, step, shape[axes[index]]);
  });
  return slices;
}

/** By ONNX's rule, which is Python's: going backwards, an end before the front is −1 rather than the last index. */
function sliceAxis(subject: string, start: number, end: number, step: number, extent: number): AxisSlice {
  if (![start, end, step].every(Number.isInteger) || step === 0) {
    throw new EngineError(
      "graph",
      subject,
      `${start} to ${end} by ${step} is no range of indices`,
      "correct the layer's attributes",
    );
  }
  const fromFront = (index: number) => (index < 0 ? index + extent : index);
  const [lowest, highest] = step > 0 ? [0, extent] : [-1, extent - 1];
  const [first, beyond] = [start, end].map((index) => Math.min(Math.max(fromFront(index), lowest), highest));
  return { start: first, step, count: Math.max(0, Math.ceil((beyond - first) / step)) };
}

export function inferSlice(subject: string, op: Slice, inputs: readonly Shape[]): Inferred {
  return shapeOnly(sliceAxes(subject, op, onlyInput(subject, inputs)).map(({ count }) => count));
}
