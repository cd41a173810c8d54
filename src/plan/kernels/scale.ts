/** Launches kernels/scale.wgsl. */

import { resolveAxis } from "../../graph/ops/op_rule.ts";
import type { Scale } from "../../graph/ops.ts";
import { elementCount } from "../../graph/tensor.ts";
import {
  imageElements,
  inputWeightBiasOutput,
  oneKernel,
  placement,
  placementFields,
  threadPerTile,
} from "../kernel.ts";

export const scale = oneKernel<Scale>({
  name: "scale",
  op: "scale",
  bindings: inputWeightBiasOutput,
  constants: ["workgroupSize", "relu"],
  layer: ["threadCount", "elements", "channels", "inner", ...placementFields],
  tiles: [],
  accepts: () => true,
  launch({ layer, op, inputs, output, relu, limits }) {
    const { shape } = output;
    const axis = resolveAxis(layer, op.axis, shape.length);
    const channels = elementCount(shape.slice(axis, axis + op.axes));
    const { values, workgroups } = threadPerTile(layer, elementCount(shape), limits);
    return [
      {
        values: {
          ...values,
          ...placement(inputs[0], output),
          relu: Number(relu),
          elements: imageElements(output),
          channels,
          inner: elementCount(shape.slice(axis + op.axes)),
        },
        bindings: [
          { kind: "input", input: 0 },
          { kind: "parameter", parameter: { layout: "plain", name: `${layer}.weight`, elements: channels } },
          {
            kind: "parameter",
            parameter: op.bias
              ? { layout: "plain", name: `${layer}.bias`, elements: channels }
              : { layout: "zeros", elements: channels },
          },
          { kind: "output" },
        ],
        workgroups,
      },
    ];
  },
});
