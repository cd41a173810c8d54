/** Launches kernels/strided_copy.wgsl: transposing, slicing, and whatever else only puts elements in other places. */

import { sliceAxes } from "../../graph/ops/slice.ts";
import type { Slice, Transpose } from "../../graph/ops.ts";
import { elementCount } from "../../graph/tensor.ts";
import { listFields, listValues, viewStrides, walkAxes } from "../axes.ts";
import {
  type Algorithm,
  inputAndOutput,
  type Kernel,
  type Launch,
  type LaunchBinding,
  type Problem,
  threadPerTile,
} from "../kernel.ts";
import type { View } from "../plan.ts";
import { elementBytes } from "../precision.ts";

export const stridedCopy: Kernel = {
  name: "strided_copy",
  bindings: inputAndOutput,
  constants: ["workgroupSize"],
  layer: [
    ...listFields("extents"),
    ...listFields("inStrides"),
    ...listFields("outStrides"),
    "threadCount",
    "axes",
    "inOffset",
    "outOffset",
  ],
  tiles: [],
  elements: ["Element", "Target"],
};

/** Where elements are read: for the first index of every axis, and from one index of each to the next. */
export interface CopySource {
  readonly binding: LaunchBinding;
  readonly offset: number;
  readonly strides: readonly number[];
}

export interface CopyTarget {
  readonly binding: LaunchBinding;
  readonly view: View;
}

/** The dispatch that fills the target, each index of whose axes is taken from where the source's strides lead. */
export function launchCopy(
  { layer, precision, limits }: Pick<Problem, "layer" | "precision" | "limits">,
  source: CopySource,
  { binding, view }: CopyTarget,
): Launch {
  const { extents, strides } = walkAxes(layer, view.shape, [source.strides, viewStrides(view)]);
  const { values, workgroups } = threadPerTile(layer, elementCount(view.shape), limits);
  return {
    kernel: stridedCopy,
    values: {
      ...values,
      ...listValues("extents", extents),
      ...listValues("inStrides", strides[0]),
      ...listValues("outStrides", strides[1]),
      axes: extents.length,
      inOffset: source.offset,
      outOffset: view.offset,
    },
    bindings: [source.binding, binding],
    workgroups,
    macs: 0,
    bytes: 2 * elementCount(view.shape) * elementBytes[precision],
  };
}

export const transpose: Algorithm<Transpose> = {
  name: "transpose",
  op: "transpose",
  kernels: [stridedCopy],
  accepts: () => true,
  launch(problem) {
    const { op, inputs, output } = problem;
    const [input] = inputs;
    const inStrides = viewStrides(input);
    const strides = op.permutation.map((axis) => inStrides[axis]);
    const source = { binding: { kind: "input", input: 0 }, offset: input.offset, strides } as const;
    return [launchCopy(problem, source, { binding: { kind: "output" }, view: output })];
  },
};

export const slice: Algorithm<Slice> = {
  name: "slice",
  op: "slice",
  kernels: [stridedCopy],
  accepts: () => true,
  launch(problem) {
    const { layer, op, inputs, output } = problem;
    const [input] = inputs;
    const inStrides = viewStrides(input);
    const axes = sliceAxes(layer, op, input.shape);
    const source = {
      binding: { kind: "input", input: 0 },
      offset: axes.reduce((sum, { start }, axis) => sum + start * inStrides[axis], input.offset),
      strides: axes.map(({ step }, axis) => step * inStrides[axis]),
    } as const;
    return [launchCopy(problem, source, { binding: { kind: "output" }, view: output })];
  },
};
