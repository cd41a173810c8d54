/** Launches kernels/gather.wgsl. */

import { gatherIndices } from "../../graph/ops/gather.ts";
import { resolveAxis } from "../../graph/ops/op_rule.ts";
import type { Gather } from "../../graph/ops.ts";
import { elementCount } from "../../graph/tensor.ts";
import { imageElements, oneKernel, placement, placementFields, threadPerTile } from "../kernel.ts";
import { elementBytes } from "../precision.ts";

export const gather = oneKernel<Gather>({
  name: "gather",
  op: "gather",
  bindings: [
    { name: "input", access: "read_write" },
    { name: "indices", access: "read" },
    { name: "output", access: "read_write" },
  ],
  constants: ["workgroupSize"],
  layer: ["threadCount", "count", "inner", "imageBlocks", "blockStride", "indexStride", "elements", ...placementFields],
  tiles: [],
  accepts: () => true,
  launch({ layer, op, inputs: [input], output, precision, limits }) {
    const axis = resolveAxis(layer, op.axis, input.shape.length);
    const extent = input.shape[axis];
    const inner = elementCount(input.shape.slice(axis + 1));
    const indices = gatherIndices(layer, op, extent);
    const { values, workgroups } = threadPerTile(layer, elementCount(output.shape), limits);
    return [
      {
        values: {
          ...values,
          ...placement(input, output),
          count: indices.length,
          inner,
          // Along the batch axis all is one block, of indices that are whole images apart.
          imageBlocks: elementCount(input.shape.slice(1, Math.max(axis, 1))),
          blockStride: extent * inner,
          indexStride: axis === 0 ? input.stride : inner,
          elements: imageElements(output),
        },
        bindings: [
          { kind: "input", input: 0 },
          { kind: "parameter", parameter: { layout: "indices", indices, elements: indices.length } },
          { kind: "output" },
        ],
        workgroups,
        bytes: 2 * elementCount(output.shape) * elementBytes[precision] + indices.length * 4,
      },
    ];
  },
});
