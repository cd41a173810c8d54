/** Steps beside a plan of float16: they convert values between its arena and the float32 that callers have. */

import type { ValueId } from "../graph/graph.ts";
import { elementCount, elementsPerImage } from "../graph/tensor.ts";
import { viewStrides } from "./axes.ts";
import { elementsOf } from "./kernel.ts";
import { launchCopy } from "./kernels/strided_copy.ts";
import type { PlanLimits } from "./limits.ts";
import { type Binding, bytesPerElement, type Plan, type Step, type View } from "./plan.ts";
import { sortValues } from "./launches.ts";
import { elementBytes, type Precision } from "./precision.ts";

/** Into the arena, or out of it. */
export type Direction = "in" | "out";

/** The step that takes a value in or gives it out. Outside, it lies in a buffer of its own, image after image. */
export function conversionStep(plan: Plan, id: ValueId, direction: Direction, limits: PlanLimits): Step {
  const { precision } = plan;
  const inside: View = plan.values[id];
  const outside: View = { ...inside, offset: 0, stride: elementsPerImage(inside.shape) };
  const place = (view: View, type: Precision, binding: Binding) => ({ view, type, binding });
  const ends = [
    place(outside, "f32", { kind: "outside" }),
    place(inside, precision, { kind: "slot", slot: inside.slot }),
  ] as const;
  const [from, to] = direction === "in" ? ends : [ends[1], ends[0]];
  const launch = launchCopy(
    { layer: id, precision, limits },
    { binding: { kind: "input", input: 0 }, offset: from.view.offset, strides: viewStrides(from.view) },
    { binding: { kind: "output" }, view: to.view },
  );
  return {
    name: `${id} (${from.type} to ${to.type})`,
    kernel: launch.kernel.name,
    ...sortValues(launch),
    elements: elementsOf({ ...launch, elements: { Element: from.type, Target: to.type } }, precision),
    bindings: [from.binding, to.binding],
    workgroups: launch.workgroups,
    outputs: [id],
    macs: 0,
    bytes: elementCount(inside.shape) * (bytesPerElement + elementBytes[precision]),
  };
}

/** Bytes beside the arena that its inputs and outputs take as float32, where the arena does not hold that. */
export function conversionBytes({ precision, inputs, outputs, values }: Plan): number {
  if (precision === "f32") return 0;
  return [...inputs, ...outputs].reduce((sum, id) => sum + elementCount(values[id].shape) * bytesPerElement, 0);
}
