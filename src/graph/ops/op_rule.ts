/** What every op says of itself. */

import { EngineError } from "../../errors.ts";
import { formatShape, type Shape } from "../tensor.ts";

/** A parameter of a layer: `weight` or `bias`. */
export interface ParameterRule {
  readonly role: "weight" | "bias";
  readonly shape: Shape;
}

/** What an op makes of its inputs' shapes. */
export interface Inferred {
  readonly output: Shape;
  /** Weights and biases, in the order Caffe stores them. */
  readonly parameters: readonly ParameterRule[];
  /** Multiply-accumulates of convolutions and fully connected layers; 0 for the others. */
  readonly macs: number;
}

/** An output that takes no parameters and no multiply-accumulates. */
export function shapeOnly(output: Shape): Inferred {
  return { output, parameters: [], macs: 0 };
}

/** The only input of an op that takes one. */
export function onlyInput(subject: string, inputs: readonly Shape[]): Shape {
  if (inputs.length !== 1) {
    throw new EngineError("graph", subject, `it has ${inputs.length} inputs instead of 1`, "correct the graph");
  }
  return inputs[0];
}

/** Both inputs of an op that takes two. */
export function twoInputs(subject: string, inputs: readonly Shape[]): readonly [Shape, Shape] {
  if (inputs.length !== 2) {
    throw new EngineError("graph", subject, `it has ${inputs.length} inputs instead of 2`, "correct the graph");
  }
  return [inputs[0], inputs[1]];
}

/** An output of the only input's shape. */
export function sameShapeAsInput(subject: string, inputs: readonly Shape[]): Inferred {
  return shapeOnly(onlyInput(subject, inputs));
}

/** The only input of an op that works on feature maps. */
export function onlyFeatureMap(subject: string, inputs: readonly Shape[]): readonly [number, number, number, number] {
  const shape = onlyInput(subject, inputs);
  if (shape.length !== 4) {
    throw new EngineError("graph", subject, `its input ${formatShape(shape)} is not N×C×H×W`, "correct the graph");
  }
  return shape as unknown as readonly [number, number, number, number];
}

/** An axis counted from the front, where it may be given from the back (−1 is the last). */
export function resolveAxis(subject: string, axis: number, rank: number): number {
  const resolved = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(resolved) || resolved < 0 || resolved >= rank) {
    throw new EngineError("graph", subject, `axis ${axis} is not among its input's ${rank}`, "correct the graph");
  }
  return resolved;
}

/** Different axes, each resolved as by `resolveAxis`. */
export function resolveAxes(subject: string, axes: readonly number[], rank: number): number[] {
  const resolved = axes.map((axis) => resolveAxis(subject, axis, rank));
  if (new Set(resolved).size !== resolved.length) {
    throw new EngineError("graph", subject, `axes ${axes.join(", ")} name one twice`, "correct the graph");
  }
  return resolved;
}
