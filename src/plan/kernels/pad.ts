/** Launches kernels/pad.wgsl. */

import { EngineError } from "../../errors.ts";
import type { Pad } from "../../graph/ops.ts";
import { elementCount } from "../../graph/tensor.ts";
import { listFields, listValues, maxAxes, viewStrides } from "../axes.ts";
import { imageElements, inputAndOutput, oneKernel, type Problem, threadPerTile } from "../kernel.ts";

/** The kernel's numbers of the modes. */
const modes: Readonly<Record<Pad["mode"], number>> = { constant: 0, edge: 1, reflect: 2 };

export const pad = oneKernel<Pad>({
  name: "pad",
  op: "pad",
  bindings: inputAndOutput,
  constants: ["workgroupSize", "mode"],
  layer: [
    ...listFields("extents"),
    ...listFields("inExtents"),
    ...listFields("inStrides"),
    ...listFields("before"),
    "threadCount",
    "axes",
    "elements",
    "inOffset",
    "outOffset",
    "outStride",
    "value",
  ],
  floats: ["value"],
  tiles: [],
  accepts: () => true,
  launch(problem) {
    const { layer, op, inputs, output, limits } = problem;
    const axes = paddedAxes(problem);
    const { values, workgroups } = threadPerTile(layer, elementCount(output.shape), limits);
    const list = (name: string, field: keyof PaddedAxis) =>
      listValues(
        name,
        axes.map((axis) => axis[field]),
      );
    return [
      {
        values: {
          ...values,
          ...list("extents", "extent"),
          ...list("inExtents", "inExtent"),
          ...list("inStrides", "inStride"),
          ...list("before", "before"),
          mode: modes[op.mode],
          axes: axes.length,
          elements: imageElements(output),
          inOffset: inputs[0].offset,
          outOffset: output.offset,
          outStride: output.stride,
          value: op.value,
        },
        bindings: [{ kind: "input", input: 0 }, { kind: "output" }],
        workgroups,
      },
    ];
  },
});

interface PaddedAxis {
  readonly extent: number;
  readonly inExtent: number;
  readonly inStride: number;
  readonly before: number;
}

/** The axes, innermost first, neighbours without pads joined where they lie as one. */
function paddedAxes({ layer, op, inputs: [input], output }: Problem<Pad>): PaddedAxis[] {
  const strides = viewStrides(input);
  const axes: PaddedAxis[] = [];
  const isWhole = ({ extent, inExtent, before }: PaddedAxis) => extent === inExtent && before === 0;
  for (const axis of [...input.shape.keys()].reverse()) {
    const next = {
      extent: output.shape[axis],
      inExtent: input.shape[axis],
      inStride: strides[axis],
      before: op.before[axis],
    };
    const inner = axes.at(-1);
    if (inner && isWhole(inner) && isWhole(next) && inner.inStride * inner.extent === next.inStride) {
      const extent = inner.extent * next.extent;
      axes[axes.length - 1] = { ...inner, extent, inExtent: extent };
    } else axes.push(next);
  }
  if (axes.length > maxAxes) {
    throw new EngineError(
      "graph",
      layer,
      `it needs ${axes.length} axes walked, and kernels walk at most ${maxAxes}`,
      "use another layer",
    );
  }
  return axes;
}
