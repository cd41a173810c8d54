/** Launches kernels/reduce.wgsl. */

import { resolveAxes } from "../../graph/ops/op_rule.ts";
import type { Reduce } from "../../graph/ops.ts";
import { elementCount } from "../../graph/tensor.ts";
import { listFields, listValues, viewStrides, walkAxes } from "../axes.ts";
import { inputAndOutput, oneKernel, workgroupGrid, workgroupSizeFor } from "../kernel.ts";

/** The kernel's numbers of the functions. */
const operations: Readonly<Record<Reduce["function"], number>> = { mean: 0, sum: 1, max: 2, min: 3 };

export const reduce = oneKernel<Reduce>({
  name: "reduce",
  op: "reduce",
  bindings: inputAndOutput,
  constants: ["workgroupSize", "operation"],
  layer: [
    ...listFields("keptExtents"),
    ...listFields("keptStrides"),
    ...listFields("outStrides"),
    ...listFields("reducedExtents"),
    ...listFields("reducedStrides"),
    "keptAxes",
    "reducedAxes",
    "outputs",
    "elements",
    "inOffset",
    "outOffset",
  ],
  tiles: [],
  accepts: () => true,
  launch({ layer, op, inputs: [input], output, limits }) {
    const { shape } = input;
    const strides = viewStrides(input);
    const reduced = resolveAxes(layer, op.axes, shape.length).sort((a, b) => a - b);
    const kept = [...shape.keys()].filter((axis) => !reduced.includes(axis));
    const outStrides = viewStrides(output);
    const keptWalk = walkAxes(
      layer,
      kept.map((axis) => shape[axis]),
      [kept.map((axis) => strides[axis]), op.keepDims ? kept.map((axis) => outStrides[axis]) : outStrides],
    );
    const reducedExtents = reduced.map((axis) => shape[axis]);
    const reducedWalk = walkAxes(layer, reducedExtents, [reduced.map((axis) => strides[axis])]);
    const outputs = elementCount(output.shape);
    return [
      {
        values: {
          ...listValues("keptExtents", keptWalk.extents),
          ...listValues("keptStrides", keptWalk.strides[0]),
          ...listValues("outStrides", keptWalk.strides[1]),
          ...listValues("reducedExtents", reducedWalk.extents),
          ...listValues("reducedStrides", reducedWalk.strides[0]),
          workgroupSize: workgroupSizeFor(limits),
          operation: operations[op.function],
          keptAxes: keptWalk.extents.length,
          reducedAxes: reducedWalk.extents.length,
          outputs,
          elements: elementCount(reducedExtents),
          inOffset: input.offset,
          outOffset: output.offset,
        },
        bindings: [{ kind: "input", input: 0 }, { kind: "output" }],
        workgroups: workgroupGrid(layer, outputs, limits),
      },
    ];
  },
});
