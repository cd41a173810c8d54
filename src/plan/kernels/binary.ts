/** Launches kernels/binary.wgsl. */

import type { Binary } from "../../graph/ops.ts";
import { elementCount } from "../../graph/tensor.ts";
import { broadcastStrides, listFields, listValues, viewStrides, walkAxes } from "../axes.ts";
import { type Algorithm, type Kernel, threadPerTile } from "../kernel.ts";
import { operandBytes, operandsAndOutput, operandScratch, operandsOf } from "./operands.ts";
import { stridedCopy } from "./strided_copy.ts";

/** The kernel's numbers of the functions. */
const operations: Readonly<Record<Binary["function"], number>> = {
  add: 0,
  sub: 1,
  mul: 2,
  div: 3,
  max: 4,
  min: 5,
  pow: 6,
};

const kernel: Kernel = {
  name: "binary",
  bindings: operandsAndOutput,
  constants: ["workgroupSize", "operation", "relu"],
  layer: [
    ...listFields("extents"),
    ...listFields("leftStrides"),
    ...listFields("rightStrides"),
    ...listFields("outStrides"),
    "threadCount",
    "axes",
    "leftOffset",
    "rightOffset",
    "outOffset",
    "leftScale",
    "rightScale",
  ],
  floats: ["leftScale", "rightScale"],
  tiles: [],
};

export const binary: Algorithm<Binary> = {
  name: "binary",
  op: "binary",
  kernels: [kernel, stridedCopy],
  accepts: () => true,
  scratch: operandScratch,
  launch(problem) {
    const { layer, op, output, relu, limits } = problem;
    const { views, bindings, before } = operandsOf(problem);
    const [left, right] = views;
    const { extents, strides } = walkAxes(layer, output.shape, [
      broadcastStrides(left.shape, viewStrides(left), output.shape),
      broadcastStrides(right.shape, viewStrides(right), output.shape),
      viewStrides(output),
    ]);
    const { values, workgroups } = threadPerTile(layer, elementCount(output.shape), limits);
    const [leftScale, rightScale] = (op.function === "add" ? op.scales : undefined) ?? [1, 1];
    return [
      ...before,
      {
        kernel,
        values: {
          ...values,
          ...listValues("extents", extents),
          ...listValues("leftStrides", strides[0]),
          ...listValues("rightStrides", strides[1]),
          ...listValues("outStrides", strides[2]),
          operation: operations[op.function],
          relu: Number(relu),
          axes: extents.length,
          leftOffset: left.offset,
          rightOffset: right.offset,
          outOffset: output.offset,
          leftScale,
          rightScale,
        },
        bindings: [...bindings, { kind: "output" }],
        workgroups,
        bytes: operandBytes(problem),
      },
    ];
  },
};
