/**
 * One algorithm on one problem by itself, in memory that shows mistakes: what lies around the inputs is NaN, and so is
 * scratch memory at first, so that a stray read shows in the result; what lies around the output must come back as it
 * was.
 */

import type { ValueId } from "../graph/graph.ts";
import { elementCount, elementsPerImage, imageCount, type Tensor } from "../graph/tensor.ts";
import type { Decision } from "../plan/choices.ts";
import { type Algorithm, elementsOf, type Launch, type Problem } from "../plan/kernel.ts";
import { bindingsOf, sortValues } from "../plan/launches.ts";
import type { PackedParameter, Plan, Step, View } from "../plan/plan.ts";
import { elementBytes } from "../plan/precision.ts";
import type { Program } from "../webgpu/program.ts";

/** What the output's buffer holds before: an exact float16 that nobody computes. */
export const sentinel = -59968;

/** Elements before the first and after the last of a view: whole quads, and WebGPU's alignment of bindings. */
const guard = 64;

/** A problem out of a plan with memory of its own for each of its values, where they lie as they do in the plan. */
export function isolate(problem: Problem): Problem {
  const slots: number[] = [];
  const slotOf = (slot: number) => {
    if (!slots.includes(slot)) slots.push(slot);
    return slots.indexOf(slot);
  };
  const moved = ({ shape, offset, stride }: View, slot: number): View => ({
    shape,
    slot,
    offset: offset + guard,
    stride,
  });
  const inputs = problem.inputs.map((view) => moved(view, slotOf(view.slot)));
  return {
    ...problem,
    inputs,
    output: moved(problem.output, slots.length),
    ...(problem.rest && { rest: moved(problem.rest, slots.length + 1) }),
  };
}

/**
 * A plan of nothing but the dispatches of some algorithms for the problem, one after another; its decisions say whose
 * they are. Its values are whole slots, guards included: `slot0`, `slot1`, … for the problem's, which must be numbered
 * without gaps, then `scratch0`, …; all of them are inputs and outputs.
 */
export function isolatedPlan(algorithms: readonly Algorithm[], problem: Problem): Plan {
  const { precision } = problem;
  const views = [...problem.inputs, problem.output, ...(problem.rest ? [problem.rest] : [])];
  const slotCount = Math.max(...views.map(({ slot }) => slot)) + 1;
  const scratches = algorithms.map((algorithm) => algorithm.scratch?.(problem) ?? []);
  const scratch = Array.from({ length: Math.max(...scratches.map(({ length }) => length)) }, (_, index) =>
    Math.max(...scratches.map((bytes) => bytes[index] ?? 0)),
  );
  const sizes = [
    ...Array.from({ length: slotCount }, (_, slot) => {
      const end = Math.max(...views.filter((view) => view.slot === slot).map(endOf));
      return roundUp(end * elementBytes[precision], 16) + guard * elementBytes[precision];
    }),
    ...scratch.map((bytes) => roundUp(bytes, 16) + guard * elementBytes[precision]),
  ];
  // Each in bytes of its own: what is written past one's end is not hidden by what another writes there.
  const slots = sizes.map((bytes, slot) => ({
    offset: sizes.slice(0, slot).reduce((sum, before) => sum + roundUp(before, 256), 0),
    bytes,
  }));
  const names = [
    ...Array.from({ length: slotCount }, (_, slot) => slotName(slot)),
    ...scratch.map((_, index) => `scratch${index}`),
  ];
  const parameters: PackedParameter[] = [];
  const stepOf = (launch: Launch): Step => ({
    name: launch.kernel.name,
    kernel: launch.kernel.name,
    ...sortValues(launch),
    elements: elementsOf(launch, precision),
    bindings: bindingsOf(launch, problem, {
      slotOf: (slot) => slot,
      scratchOf: (index) => slotCount + index,
      parameterOf: (parameter) => parameters.push(parameter) - 1,
    }),
    workgroups: launch.workgroups,
    outputs: [slotName(problem.output.slot)],
    macs: 0,
    bytes: 0,
  });
  const steps: Step[] = [];
  const decisions = algorithms.map((algorithm): Decision => {
    const own = algorithm.launch(problem).map(stepOf);
    steps.push(...own);
    const { name } = algorithm;
    const range = { firstStep: steps.length - own.length, steps: own.length };
    return { layer: problem.layer, problem: "", algorithm: name, reason: "only", candidates: [name], ...range };
  });
  return {
    graph: problem.op.type,
    batch: 1,
    precision,
    inputs: names,
    outputs: names,
    values: Object.fromEntries(
      names.map((name, slot) => {
        const elements = slots[slot].bytes / elementBytes[precision];
        return [name, { shape: [1, elements], slot, offset: 0, stride: elements, readyAfter: steps.length - 1 }];
      }),
    ),
    arenaBytes: slots.reduce((most, { offset, bytes }) => Math.max(most, offset + bytes), 0),
    slots,
    parameters,
    steps,
    decisions,
    unplannedBytes: 0,
    macs: 0,
    tolerance: 0,
    parameterCount: 0,
  };
}

export interface IsolatedResult {
  /** All the channels, where they go to two places. */
  readonly output: Tensor;
  /** Elements outside the output that the dispatches changed: around it, of the inputs, behind the scratch memory. */
  readonly strayWrites: readonly string[];
}

/**
 * Runs a program of one algorithm's `isolatedPlan` once.
 *
 * @param inputs - a tensor for each input of the problem
 */
export async function runIsolated(
  program: Program,
  algorithm: Algorithm,
  problem: Problem,
  inputs: readonly Tensor[],
): Promise<IsolatedResult> {
  const { plan } = program;
  const outputs = [problem.output, ...(problem.rest ? [problem.rest] : [])];
  // What a dispatch reads of its scratch memory, one before it must have written.
  const before = new Map(
    plan.inputs.map((id): [ValueId, Float32Array] => [id, new Float32Array(plan.values[id].stride).fill(NaN)]),
  );
  for (const { slot } of outputs) before.get(slotName(slot))!.fill(sentinel);
  problem.inputs.forEach((view, index) => insert(view, before.get(slotName(view.slot))!, inputs[index].data));
  const after = await program.run(before);
  const allowed = new Map<ValueId, readonly Span[]>([
    ...outputs.map((view) => [slotName(view.slot), placesOf(view)] as const),
    ...(algorithm.scratch?.(problem) ?? []).map(
      (bytes, index) =>
        [`scratch${index}`, [{ start: 0, end: Math.ceil(bytes / elementBytes[plan.precision]) }]] as const,
    ),
  ]);
  return {
    output: joinChannels(
      outputs.map((view) => ({ shape: view.shape, data: extract(view, after.get(slotName(view.slot))!.data) })),
    ),
    strayWrites: [...before].flatMap(([id, contents]) =>
      changedElements(contents, after.get(id)!.data, allowed.get(id) ?? []).map((element) => `${id}[${element}]`),
    ),
  };
}

/** The element behind the last of a view. */
function endOf({ shape, offset, stride }: View): number {
  return offset + (imageCount(shape) - 1) * stride + elementsPerImage(shape);
}

function slotName(slot: number): ValueId {
  return `slot${slot}`;
}

/** Images whose channels are those of the first tensor, then those of the next. */
function joinChannels(tensors: readonly Tensor[]): Tensor {
  const [first] = tensors;
  if (tensors.length === 1) return first;
  const channels = tensors.reduce((sum, { shape }) => sum + shape[1], 0);
  const shape = first.shape.with(1, channels);
  const data = new Float32Array(elementCount(shape));
  let end = 0;
  for (let image = 0; image < imageCount(shape); image++) {
    for (const tensor of tensors) {
      const elements = elementsPerImage(tensor.shape);
      data.set(tensor.data.subarray(image * elements, (image + 1) * elements), end);
      end += elements;
    }
  }
  return { shape, data };
}

function roundUp(value: number, multiple: number): number {
  return Math.ceil(value / multiple) * multiple;
}

function insert(view: View, buffer: Float32Array, data: Float32Array): void {
  placesOf(view).forEach(({ start, end }, image) => {
    buffer.set(data.subarray(image * (end - start), (image + 1) * (end - start)), start);
  });
}

function extract(view: View, buffer: Float32Array): Float32Array {
  const data = new Float32Array(elementCount(view.shape));
  placesOf(view).forEach(({ start, end }, image) => data.set(buffer.subarray(start, end), image * (end - start)));
  return data;
}

/** Elements from `start` up to, not including, `end`. */
interface Span {
  readonly start: number;
  readonly end: number;
}

/** The elements of each image of a view. */
function placesOf({ shape, offset, stride }: View): Span[] {
  return Array.from({ length: imageCount(shape) }, (_, image) => {
    const start = offset + image * stride;
    return { start, end: start + elementsPerImage(shape) };
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
