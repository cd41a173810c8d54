/** Launches kernels/softmax.wgsl. */

import { resolveAxis } from "../../graph/ops/op_rule.ts";
import type { Softmax } from "../../graph/ops.ts";
import { elementCount } from "../../graph/tensor.ts";
import { imageElements, inputAndOutput, oneKernel, placement, workgroupGrid, workgroupSizeFor } from "../kernel.ts";

export const softmax = oneKernel<Softmax>({
  name: "softmax",
  op: "softmax",
  bindings: inputAndOutput,
  constants: ["workgroupSize"],
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
  accepts: ({ op }) => !op.log && !op.trailing,
  launch({ layer, op, inputs: [input], output, limits }) {
    const axis = resolveAxis(layer, op.axis, output.shape.length);
    const inner = elementCount(output.shape.slice(axis + 1));
    // Along the batch axis a row's elements are whole images apart, and there is one row an element of an image.
    const rows =
      axis === 0
        ? {
            images: 1,
            blocks: 1,
            inner: imageElements(output),
            inAxisStride: input.stride,
            outAxisStride: output.stride,
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
          extent: output.shape[axis],
        },
        bindings: [{ kind: "input", input: 0 }, { kind: "output" }],
        workgroups: workgroupGrid(layer, rows.images * rows.blocks * rows.inner, limits),
      },
    ];
  },
});
