/** Runs one algorithm on one case of the table, its inputs and output placed in wider buffers: see `runIsolated`. */

import { runNode } from "../../src/cpu/reference.ts";
import { relu as reluOf } from "../../src/cpu/relu.ts";
import type { ValueId } from "../../src/graph/graph.ts";
import { resolveAxis } from "../../src/graph/ops/op_rule.ts";
import { elementCount, elementsPerImage, type Shape, type Tensor } from "../../src/graph/tensor.ts";
import type { Weights } from "../../src/graph/weights.ts";
import type { Algorithm, Problem } from "../../src/plan/kernel.ts";
import type { PlanLimits } from "../../src/plan/limits.ts";
import type { View } from "../../src/plan/plan.ts";
import type { Precision } from "../../src/plan/precision.ts";
import { isolatedPlan, type IsolatedResult, runIsolated } from "../../src/tune/isolated.ts";
import { ParameterBuffers } from "../../src/webgpu/parameters.ts";
import { Program } from "../../src/webgpu/program.ts";
import type { OpCase } from "./cases.ts";
import type { TestGpu } from "./gpu.ts";

/** Where inputs and output lie in their buffers. */
export interface Placement {
  readonly name: string;
  /** Elements before the first input image and after the last. */
  readonly guard: number;
  /** Elements from an input image to the next. */
  readonly gap: number;
  /** Whether the output has whole neighbouring channels; otherwise some odd number of elements. */
  readonly channels: boolean;
  /** Whether the last of the output's channels go to a place of their own. */
  readonly twoPlaces?: boolean;
}

/** Nothing divides by 4, nor falls on a cache line. */
export const oddPlacement: Placement = { name: "odd offsets", guard: 7, gap: 5, channels: false };
/** As the planner lays out a concat: whole channels beside it, everything divisible by 4 where channels are. */
export const channelPlacement: Placement = { name: "channel slice", guard: 16, gap: 8, channels: true };

/** As the planner merges convolutions of one input. */
export const twoPlaces: Placement = { ...channelPlacement, name: "two places", twoPlaces: true };

/** The case as the planner would give it to a kernel: input i in slot i, the output in the slot after them. */
export function problemOf(
  { op, inputShapes, outputShape }: OpCase,
  { guard, gap, channels, twoPlaces }: Placement,
  relu: boolean,
  limits: PlanLimits,
  precision: Precision = "f32",
): Problem {
  const channel = elementCount(outputShape.slice(2));
  // Whole channels of a huge map would double a buffer that is large enough.
  const beside = channels && channel < 100_000 ? { before: 2 * channel, after: 3 * channel } : { before: 3, after: 2 };
  // What a layer takes for one row, the planner places in one piece.
  const oneRow = op.type === "softmax" && op.trailing && resolveAxis("softmax", op.axis, outputShape.length) === 0;
  const apart = oneRow ? 0 : 1;
  const placed = (shape: Shape, slot: number): View => ({
    shape,
    slot,
    offset: guard + beside.before,
    stride: elementsPerImage(shape) + apart * (beside.before + beside.after),
  });
  // In the middle of a tile, or of nothing.
  const half = (outputShape[1] + 1) >> 1;
  const slot = inputShapes.length;
  return {
    layer: "layer",
    op,
    inputs: inputShapes.map((shape, slot) => ({
      shape,
      slot,
      offset: guard,
      stride: elementsPerImage(shape) + apart * gap,
    })),
    output: placed(twoPlaces ? outputShape.with(1, half) : outputShape, slot),
    ...(twoPlaces && { rest: placed(outputShape.with(1, outputShape[1] - half), slot + 1) }),
    relu,
    precision,
    limits,
    // So little that Winograd's steps go in parts.
    scratchBudget: 100_000,
  };
}

/** What the CPU reference makes of the case. */
export function referenceOf(
  { shaped: { nodes } }: OpCase,
  inputs: ReadonlyMap<ValueId, Tensor>,
  weights: Weights,
  relu: boolean,
): Tensor {
  const [node] = nodes;
  const output = runNode(
    node,
    node.inputs.map((id) => inputs.get(id)!),
    node.parameters.map(({ name }) => weights.get(name)!),
  );
  return relu ? reluOf(output) : output;
}

export async function runKernel(
  gpu: TestGpu,
  algorithm: Algorithm,
  problem: Problem,
  inputs: ReadonlyMap<ValueId, Tensor>,
  weights: Weights,
): Promise<IsolatedResult> {
  const parameters = new ParameterBuffers(gpu.device, weights);
  try {
    const program = await Program.create(gpu.device, isolatedPlan([algorithm], problem), gpu.pipelines, parameters);
    try {
      const tensors = problem.inputs.map((_, index) => inputs.get(`input${index}`)!);
      return await runIsolated(program, algorithm, problem, tensors);
    } finally {
      program.dispose();
    }
  } finally {
    parameters.dispose();
  }
}
