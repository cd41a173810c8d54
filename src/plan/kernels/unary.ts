/** Launches kernels/unary.wgsl. */

import type { Unary } from "../../graph/ops.ts";
import { elementCount } from "../../graph/tensor.ts";
import { imageElements, inputAndOutput, oneKernel, placement, placementFields, threadPerTile } from "../kernel.ts";

/** The kernel's numbers of the functions. */
const operations: Readonly<Record<Unary["function"], number>> = {
  abs: 0,
  exp: 1,
  log: 2,
  neg: 3,
  sigmoid: 4,
  sqrt: 5,
  tanh: 6,
  leaky_relu: 7,
  clip: 8,
};

export const unary = oneKernel<Unary>({
  name: "unary",
  op: "unary",
  bindings: inputAndOutput,
  constants: ["workgroupSize", "operation"],
  layer: ["threadCount", "elements", ...placementFields, "slope", "least", "most"],
  floats: ["slope", "least", "most"],
  tiles: [],
  accepts: () => true,
  launch({ layer, op, inputs, output, limits }) {
    const { values, workgroups } = threadPerTile(layer, elementCount(output.shape), limits);
    return [
      {
        values: {
          ...values,
          ...placement(inputs[0], output),
          operation: operations[op.function],
          elements: imageElements(output),
          slope: op.function === "leaky_relu" ? op.slope : 0,
          least: op.function === "clip" ? op.min : 0,
          most: op.function === "clip" ? op.max : 0,
        },
        bindings: [{ kind: "input", input: 0 }, { kind: "output" }],
        workgroups,
      },
    ];
  },
});
