/** Launches kernels/softmax.wgsl. */

import { resolveAxis } from "../../graph/ops/op_rule.ts";
import type { Softmax } from "../../graph/ops.ts";
import { elementCount } from "../../graph/tensor.ts";
import { inputAndOutput, oneKernel, placement, workgroupGrid, workgroupSizeFor } from "../kernel.ts";

export const softmax = oneKernel<Softmax>({
  name: "softmax",
  op: "softmax",
  bindings: inputAndOutput,
  constants: ["workgroupSize", "logarithm"],
  layer: [
    "images",
    "blocks",
    "extent",
    "inner",
    "inOffset",
    "inStride",
    "inAxisStride",
    "outOffset",
    "outStride",
    "outAxisStride",
  ],
  tiles: [],
  accepts: () => true,
  launch({ layer, op, inputs: [input], output, limits }) {
    const axis = resolveAxis(layer, op.axis, output.shape.length);
    const end = op.trailing ? output.shape.length : axis + 1;
    const inner = elementCount(output.shape.slice(end));
    // Along the batch axis a row's elements are whole images apart, and there is one row an element of an image; whole
    // values that are one row lie in one piece.
    const rows =
      axis === 0
        ? {
            images: 1,
            blocks: 1,
            inner: op.trailing ? 1 : inner,
            inAxisStride: op.trailing ? 1 : input.stride,
            outAxisStride: op.trailing ? 1 : output.stride,
          }
        : {
            images: output.shape[0],
            blocks: elementCount(output.shape.slice(1, axis)),
            inner,
            inAxisStride: inner,
            outAxisStride: inner,
          };
    return [
      {
        values: {
          ...placement(input, output),
          ...rows,
          workgroupSize: workgroupSizeFor(limits),
          logarithm: Number(op.log ?? false),
          extent: elementCount(output.shape.slice(axis, end)),
        },
        bindings: [{ kind: "input", input: 0 }, { kind: "output" }],
        workgroups: workgroupGrid(layer, rows.images * rows.blocks * rows.inner, limits),
      },
    ];
  },
});
