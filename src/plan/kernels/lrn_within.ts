/** Launches kernels/lrn_within.wgsl. */

import { lrnReach } from "../../graph/ops/lrn.ts";
import type { Lrn } from "../../graph/ops.ts";
import { elementCount } from "../../graph/tensor.ts";
import { imageElements, inputAndOutput, oneKernel, placement, placementFields, threadPerTile } from "../kernel.ts";

export const lrnWithin = oneKernel<Lrn>({
  name: "lrn_within",
  op: "lrn",
  bindings: inputAndOutput,
  constants: ["workgroupSize"],
  layer: [
    "threadCount",
    "elements",
    "height",
    "width",
    "below",
    "above",
    ...placementFields,
    "alphaOverArea",
    "beta",
    "k",
  ],
  floats: ["alphaOverArea", "beta", "k"],
  tiles: [],
  accepts: ({ op }) => op.region === "within",
  launch({ layer, op, inputs, output, limits }) {
    const [, , height, width] = output.shape;
    const { values, workgroups } = threadPerTile(layer, elementCount(output.shape), limits);
    return [
      {
        values: {
          ...values,
          ...placement(inputs[0], output),
          ...lrnReach(op.size),
          elements: imageElements(output),
          height,
          width,
          alphaOverArea: op.alpha / (op.size * op.size),
          beta: op.beta,
          k: op.k,
        },
        bindings: [{ kind: "input", input: 0 }, { kind: "output" }],
        workgroups,
      },
    ];
  },
});
