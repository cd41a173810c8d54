/** Values of any rank as kernels walk them: axis by axis, each value with a stride of its own along it. */

import { EngineError } from "../errors.ts";
import { elementCount, type Shape } from "../graph/tensor.ts";
import type { View } from "./plan.ts";

/** What the kernels' uniforms have room for: `array<vec4u, 2>`. */
export const maxAxes = 8;

/** Axes that several values are walked along, the innermost first. */
export interface Walk {
  readonly extents: readonly number[];
  /** For each of the values, elements from one index to the next: negative to go backwards, 0 to stay. */
  readonly strides: readonly (readonly number[])[];
}

/** Elements from one index of each axis of a view to the next. */
export function viewStrides({ shape, stride }: View): number[] {
  return shape.map((_, axis) => (axis === 0 ? stride : elementCount(shape.slice(axis + 1))));
}

/** The strides with which a value of `shape` is read as if it were of the wider shape that it is broadcast to. */
export function broadcastStrides(shape: Shape, strides: readonly number[], wide: Shape): number[] {
  const lead = wide.length - shape.length;
  return wide.map((_, axis) => (axis < lead || shape[axis - lead] === 1 ? 0 : strides[axis - lead]));
}

/**
 * The walk over `shape` in C order with each value's strides. Axes of one index are left out, and neighbours are
 * joined where for every value they lie as one.
 */
export function walkAxes(layer: string, shape: Shape, strides: readonly (readonly number[])[]): Walk {
  const axes: { extent: number; steps: number[] }[] = [];
  for (const axis of [...shape.keys()].reverse()) {
    if (shape[axis] === 1) continue;
    const steps = strides.map((each) => each[axis]);
    const inner = axes.at(-1);
    if (inner?.steps.every((step, value) => step * inner.extent === steps[value])) inner.extent *= shape[axis];
    else axes.push({ extent: shape[axis], steps });
  }
  if (axes.length > maxAxes) {
    throw new EngineError(
      "graph",
      layer,
      `it needs ${axes.length} axes walked, and kernels walk at most ${maxAxes}`,
      "use another layer",
    );
  }
  return {
    extents: axes.map(({ extent }) => extent),
    strides: strides.map((_, value) => axes.map(({ steps }) => steps[value])),
  };
}

/** The fields of an `array<vec4u, 2>` in a kernel's `Layer`. */
export function listFields(name: string): string[] {
  return Array.from({ length: maxAxes }, (_, index) => `${name}[${index}]`);
}

/** Their values: a list of at most `maxAxes`, filled up with zeros. */
export function listValues(name: string, list: readonly number[]): Record<string, number> {
  return Object.fromEntries(listFields(name).map((field, index) => [field, list[index] ?? 0]));
}
