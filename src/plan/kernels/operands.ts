/**
 * Two values that one dispatch reads. WebGPU lets it bind no two ranges that overlap if one is written, and activations
 * are bound for writing: of two operands in one slot, the second is copied to scratch memory first.
 */

import { elementCount } from "../../graph/tensor.ts";
import { viewStrides } from "../axes.ts";
import { imageElements, type Launch, type LaunchBinding, type Problem } from "../kernel.ts";
import type { View } from "../plan.ts";
import { elementBytes } from "../precision.ts";
import { launchCopy } from "./strided_copy.ts";

export interface Operands {
  readonly views: readonly [View, View];
  readonly bindings: readonly [LaunchBinding, LaunchBinding];
  /** The dispatch that has to go before, if any. */
  readonly before: readonly Launch[];
}

export function operandsOf(problem: Problem): Operands {
  const [left, right] = problem.inputs;
  const first = { kind: "input", input: 0 } as const;
  const second = { kind: "input", input: 1 } as const;
  if (left.slot !== right.slot) return { views: [left, right], bindings: [first, second], before: [] };
  const copy: View = { shape: right.shape, slot: right.slot, offset: 0, stride: imageElements(right) };
  const target = { kind: "scratch", scratch: 0 } as const;
  const source = { binding: second, offset: right.offset, strides: viewStrides(right) };
  return {
    views: [left, copy],
    bindings: [first, target],
    before: [launchCopy(problem, source, { binding: target, view: copy })],
  };
}

/** Bytes of the scratch memory that they need. */
export function operandScratch({ inputs: [left, right], precision }: Problem): readonly number[] {
  return left.slot === right.slot ? [elementCount(right.shape) * elementBytes[precision]] : [];
}

/** Bytes that a dispatch which reads both and writes the output has to move. */
export function operandBytes({ inputs, output, precision }: Problem): number {
  return [...inputs, output].reduce((sum, { shape }) => sum + elementCount(shape) * elementBytes[precision], 0);
}

/** Bindings of a kernel that takes two operands. */
export const operandsAndOutput = [
  { name: "left", access: "read_write" },
  { name: "right", access: "read_write" },
  { name: "output", access: "read_write" },
] as const;
