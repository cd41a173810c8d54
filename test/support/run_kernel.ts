/**
 * Runs one algorithm on one case of the table, its inputs and output placed in wider buffers: what lies around the
 * inputs is NaN, and so is scratch memory at first, so that a stray read shows in the result; what lies around the
 * output must come back as it was.
 */

import { runNode } from "../../src/cpu/reference.ts";
import { relu as reluOf } from "../../src/cpu/relu.ts";
import type { ValueId } from "../../src/graph/graph.ts";
import { resolveAxis } from "../../src/graph/ops/op_rule.ts";
import { elementCount, elementsPerImage, imageCount, type Shape, type Tensor } from "../../src/graph/tensor.ts";
import type { Weights } from "../../src/graph/weights.ts";
import { imageElements, type Algorithm, type Problem } from "../../src/plan/kernel.ts";
import type { PlanLimits } from "../../src/plan/limits.ts";
import { bytesPerElement, type PackedParameter, type Plan, type Step, type View } from "../../src/plan/plan.ts";
import { ParameterBuffers } from "../../src/webgpu/parameters.ts";
import { Program } from "../../src/webgpu/program.ts";
import type { OpCase } from "./cases.ts";
import type { TestGpu } from "./gpu.ts";

/** What the output's buffer holds before: an exact float32 that no case computes. */
export const sentinel = -98765.4375;

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

export interface KernelResult {
  readonly output: Tensor;
  /** Elements outside the output that the dispatches changed: around it, of the inputs, behind the scratch memory. */
  readonly strayWrites: readonly string[];
}

export async function runKernel(
  gpu: TestGpu,
  algorithm: Algorithm,
  problem: Problem,
  inputs: ReadonlyMap<ValueId, Tensor>,
  weights: Weights,
): Promise<KernelResult> {
  const plan = planOf(algorithm, problem);
  const parameters = new ParameterBuffers(gpu.device, weights);
  try {
    const program = await Program.create(gpu.device, plan, gpu.pipelines, parameters);
    try {
      const buffers = new Map(
        problem.inputs.map((view, index): [ValueId, Float32Array] => {
          const name = `input${index}`;
          return [name, surround(view, plan.slots[view.slot].bytes, inputs.get(name)!.data, NaN)];
        }),
      );
      const written = outputsOf(problem);
      for (const [name, { slot }] of Object.entries(written)) {
        buffers.set(name, new Float32Array(plan.slots[slot].bytes / bytesPerElement).fill(sentinel));
      }
      // What a dispatch reads of its scratch memory, one before it must have written.
      for (const id of plan.inputs) {
        if (!buffers.has(id)) buffers.set(id, new Float32Array(plan.values[id].stride).fill(NaN));
      }
      const after = await program.run(buffers);
      const scratch = algorithm.scratch?.(problem) ?? [];
      const scratchOf = (name: string): Span[] => {
        return [{ start: 0, end: Math.ceil(scratch[Number(name.slice("scratch".length))] / bytesPerElement) }];
      };
      return {
        output: joinChannels(
          Object.entries(written).map(([name, view]) => ({
            shape: view.shape,
            data: extract(view, after.get(name)!.data),
          })),
        ),
        strayWrites: [...buffers].flatMap(([name, before]) => {
          const view = written[name];
          const allowed = view ? placesOf(view) : name.startsWith("scratch") ? scratchOf(name) : [];
          return changedElements(before, after.get(name)!.data, allowed).map((element) => `${name}[${element}]`);
        }),
      };
    } finally {
      program.dispose();
    }
  } finally {
    parameters.dispose();
  }
}

/** The places that the problem's output goes to, in the order of their channels and slots. */
function outputsOf({ output, rest }: Problem): Record<string, View> {
  return rest ? { output, rest } : { output };
}

/** Images whose channels are those of the first tensor, then those of the next. */
function joinChannels(tensors: readonly Tensor[]): Tensor {
  if (tensors.length === 1) return tensors[0];
  const images = tensors[0].shape[0];
  const imageOf = ({ shape, data }: Tensor, image: number) => {
    const elements = elementCount(shape.slice(1));
    return data.subarray(image * elements, (image + 1) * elements);
  };
  const data = Array.from({ length: images }, (_, image) => tensors.flatMap((each) => [...imageOf(each, image)]));
  const channels = tensors.reduce((sum, { shape }) => sum + shape[1], 0);
  return { shape: tensors[0].shape.with(1, channels), data: Float32Array.from(data.flat()) };
}

/** A plan of the algorithm's dispatches alone whose inputs and output are whole buffers, guards included. */
function planOf(algorithm: Algorithm, problem: Problem): Plan {
  const outputs = outputsOf(problem);
  const views = [...problem.inputs, ...Object.values(outputs)];
  const scratch = algorithm.scratch?.(problem) ?? [];
  const sizes = [
    ...views.map((view) => bytesPerElement * roundUp(end(view) + 16, 4)),
    ...scratch.map((bytes) => roundUp(bytes, 16) + 64),
  ];
  // Each in bytes of its own: what is written past one's end is not hidden by what another writes there.
  const slots = sizes.map((bytes, slot) => ({
    offset: sizes.slice(0, slot).reduce((sum, before) => sum + roundUp(before, 256), 0),
    bytes,
  }));
  const names = [
    ...problem.inputs.map((_, index) => `input${index}`),
    ...Object.keys(outputs),
    ...scratch.map((_, index) => `scratch${index}`),
  ];
  const parameters: PackedParameter[] = [];
  const steps = algorithm.launch(problem).map(({ kernel, values, bindings, workgroups }): Step => {
    const pick = (wanted: readonly string[]) => Object.fromEntries(wanted.map((name) => [name, values[name]]));
    return {
      name: kernel.name,
      kernel: kernel.name,
      constants: pick(kernel.constants),
      layer: pick(kernel.layer),
      tiles: pick(kernel.tiles),
      bindings: bindings.map((binding) => {
        switch (binding.kind) {
          case "input":
            return { kind: "slot", slot: problem.inputs[binding.input].slot };
          case "output":
            return { kind: "slot", slot: problem.output.slot };
          case "rest":
            return { kind: "slot", slot: problem.rest!.slot };
          case "unused":
            return binding;
          case "scratch":
            return { kind: "slot", slot: views.length + binding.scratch };
          case "parameter":
            return { kind: "parameter", parameter: parameters.push(binding.parameter) - 1 };
          default:
            return binding satisfies never;
        }
      }),
      workgroups,
      outputs: ["output"],
      macs: 0,
      bytes: 0,
    };
  });
  return {
    graph: problem.op.type,
    batch: 1,
    inputs: names,
    outputs: names,
    values: Object.fromEntries(
      names.map((name, slot) => {
        const elements = slots[slot].bytes / bytesPerElement;
        return [name, { shape: [1, elements], slot, offset: 0, stride: elements, readyAfter: steps.length - 1 }];
      }),
    ),
    arenaBytes: slots.reduce((most, { offset, bytes }) => Math.max(most, offset + bytes), 0),
    slots,
    parameters,
    steps,
    decisions: [],
    unplannedBytes: 0,
    macs: 0,
    tolerance: 0,
    parameterCount: 0,
  };
}

function end(view: View): number {
  return view.offset + (imageCount(view.shape) - 1) * view.stride + imageElements(view);
}

function roundUp(value: number, multiple: number): number {
  return Math.ceil(value / multiple) * multiple;
}

function surround(view: View, bytes: number, data: Float32Array, around: number): Float32Array {
  const buffer = new Float32Array(bytes / bytesPerElement).fill(around);
  const image = imageElements(view);
  for (let n = 0; n < imageCount(view.shape); n++) {
    buffer.set(data.subarray(n * image, (n + 1) * image), view.offset + n * view.stride);
  }
  return buffer;
}

function extract(view: View, buffer: Float32Array): Float32Array {
  const image = imageElements(view);
  const data = new Float32Array(elementCount(view.shape));
  for (let n = 0; n < imageCount(view.shape); n++) {
    const start = view.offset + n * view.stride;
    data.set(buffer.subarray(start, start + image), n * image);
  }
  return data;
}

/** Elements from `start` up to, not including, `end`. */
interface Span {
  readonly start: number;
  readonly end: number;
}

/** The elements of each image of a view. */
function placesOf(view: View): Span[] {
  return Array.from({ length: imageCount(view.shape) }, (_, image) => {
    const start = view.offset + image * view.stride;
    return { start, end: start + imageElements(view) };
  });
}

/** The elements outside the allowed spans, which are in order, that differ in any bit. */
function changedElements(before: Float32Array, after: Float32Array, allowed: readonly Span[]): number[] {
  const [old, now] = [before, after].map(
    ({ buffer, byteOffset, length }) => new Uint32Array(buffer, byteOffset, length),
  );
  const changed: number[] = [];
  let from = 0;
  for (const { start, end: next } of [...allowed, { start: before.length, end: before.length }]) {
    for (let i = from; i < start; i++) if (old[i] !== now[i]) changed.push(i);
    from = next;
  }
  return changed;
}
