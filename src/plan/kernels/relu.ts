/** Launches kernels/relu.wgsl. */

import type { Relu } from "../../graph/ops.ts";
import { elementCount } from "../../graph/tensor.ts";
import { imageElements, inputAndOutput, oneKernel, placement, placementFields, threadPerTile } from "../kernel.ts";

export const relu = oneKernel<Relu>({
  name: "relu",
  op: "relu",
  bindings: inputAndOutput,
  constants: ["workgroupSize"],
  layer: ["threadCount", "elements", ...placementFields],
  tiles: [],
  accepts: () => true,
  launch({ layer, inputs, output, limits }) {
    const { values, workgroups } = threadPerTile(layer, elementCount(output.shape), limits);
    return [
      {
        values: { ...values, ...placement(inputs[0], output), elements: imageElements(output) },
        bindings: [{ kind: "input", input: 0 }, { kind: "output" }],
        workgroups,
      },
    ];
  },
});
