/** Launches kernels/concat.wgsl, once an input: for inputs whose layers could not write into the output themselves. */

import { resolveAxis } from "../../graph/ops/op_rule.ts";
import type { Concat } from "../../graph/ops.ts";
import { elementCount } from "../../graph/tensor.ts";
import { inputAndOutput, oneKernel, type Launch, placement, placementFields, threadPerTile } from "../kernel.ts";

export const concat = oneKernel<Concat>({
  name: "concat",
  op: "concat",
  bindings: inputAndOutput,
  constants: ["workgroupSize"],
  layer: ["threadCount", "blocks", "run", "outRun", ...placementFields],
  tiles: [],
  accepts: () => true,
  launch({ layer, op, inputs, output, limits }) {
    const axis = resolveAxis(layer, op.axis, output.shape.length);
    const blocks = elementCount(output.shape.slice(1, Math.max(axis, 1)));
    const inner = elementCount(output.shape.slice(axis + 1));
    let start = 0;
    return inputs.flatMap((input, index): Omit<Launch, "kernel">[] => {
      const along = start;
      start += input.shape[axis];
      // A concat's input in its output's memory lies where it belongs; the planner places it nowhere else.
      if (input.slot === output.slot) return [];
      const { values, workgroups } = threadPerTile(layer, elementCount(input.shape), limits);
      return [
        {
          values: {
            ...values,
            ...placement(input, output),
            // Along the batch axis an input's place is whole images further on.
            outOffset: output.offset + along * (axis === 0 ? output.stride : inner),
            blocks,
            run: axis === 0 ? inner : input.shape[axis] * inner,
            outRun: axis === 0 ? inner : output.shape[axis] * inner,
          },
          bindings: [{ kind: "input", input: index }, { kind: "output" }],
          workgroups,
        },
      ];
    });
  },
});
