/** Turns a graph whose shapes are known and a device's limits into a Plan. */

import type { Graph, ShapedGraph, ValueId } from "../graph/graph.ts";
import { elementCount, imageCount } from "../graph/tensor.ts";
import type { Range } from "./arena.ts";
import { checkChoices, chooseAlgorithm, type Choices, type Decision, planChoiceFor, problemKey } from "./choices.ts";
import { type FusedNode, fuseNodes, mergeConvolutions, outputsOf, plainNode, fusePools } from "./fuse.ts";
import { type Algorithm, elementsOf, type Launch, type Problem } from "./kernel.ts";
import { isPointwise } from "./kernels/conv_pointwise.ts";
import { someTileFits } from "./kernels/gemm.ts";
import { broadcastPreference, hasWideSubgroups } from "./kernels/subgroups.ts";
import { bindingsOf, type Chooser, launchNodes, sortValues } from "./launches.ts";
import { checkBufferSize, type PlanLimits, tooLarge } from "./limits.ts";
import { placeInMemories } from "./memories.ts";
import { type PackedParameter, parameterBytes, type Plan, plainTolerance, type Step } from "./plan.ts";
import { byteLength, checkPrecision, elementBytes, type Precision } from "./precision.ts";

/** How a graph is planned. */
export interface PlanOptions {
  /**
   * Whether ReLUs are fused and concats written in place (the default). Without it every blob of the graph is in
   * memory at some time, those that fusion removes too: for looking at them.
   */
  readonly fuse?: boolean;
  /**
   * How far a value may be off, in parts of its largest magnitude: 3e-5 unless given, which lets Winograd's
   * F(4×4, 3×3) in, that is faster and loses a digit. Everything else stays within 1e-5.
   */
  readonly tolerance?: number;
  /**
   * Whether algorithms may use memory beside the layers' inputs and outputs where others need none (the default):
   * faster, and larger. They make do with what values leave free, or with as little as they can; a number lets them
   * take so many bytes more.
   */
  readonly workspace?: boolean | number;
  /**
   * Whether convolutions of one input with the same window are computed as one, and small max poolings with the 1×1
   * convolution behind them, where the device has a kernel for it: fewer dispatches, which wide GPUs are expected to
   * gain from, so there it is the default; on narrow subgroups, 1×1 convolutions of one input alone. Not without `fuse`.
   */
  readonly merge?: boolean;
  /**
   * Which algorithms compute which problems, and what the options above leave open, as `tune` found it out. What is
   * not chosen, or can't be used, is as it would be without.
   */
  readonly choices?: Choices;
  /**
   * What activations and weights are stored as: `f32`, unless given, or `f16`, which takes half the memory and keeps
   * probabilities within 5e-3. The device must have the feature "shader-f16".
   */
  readonly precision?: Precision;
}

/**
 * Plans a graph for the batch size that its shapes have.
 *
 * Throws EngineError "out-of-memory" where a buffer would be larger than the device allows; `largestBatch` tells how
 * many images fit. Throws "adapter" where the device lacks what the precision needs.
 */
export function planGraph(shaped: ShapedGraph, limits: PlanLimits, options: PlanOptions = {}): Plan {
  const { precision = "f32" } = options;
  checkPrecision(precision, limits);
  const { graph, shapes } = shaped;
  const { views, work, memories, ranges, bytes: arenaBytes } = arrange(shaped, limits, options);
  for (const { subject, bytes } of memories) checkBufferSize(subject, "it takes", bytes, limits);
  for (const id of edgesOf(graph)) {
    checkBufferSize(id, "as float32 it takes", byteLength(shapes.get(id)!), limits);
  }
  if (arenaBytes > limits.maxBufferSize) {
    throw tooLarge(graph.name, "its activations take", arenaBytes, limits.maxBufferSize);
  }
  const { slotOf, slots } = numberSlots(ranges);

  const parameters = new ParameterTable(limits);
  const steps: Step[] = [];
  const decisions: Decision[] = [];
  const readyAfter = new Map<ValueId, number>(graph.inputs.map(({ name }) => [name, -1]));
  for (const { fused, launches, problem, choice, memories: scratch } of work) {
    if (choice && launches.length > 0) {
      decisions.push({
        layer: fused.name,
        problem: problemKey(problem),
        algorithm: choice.algorithm.name,
        reason: choice.reason,
        candidates: choice.candidates.map(({ name }) => name),
        firstStep: steps.length,
        steps: launches.length,
      });
    }
    launches.forEach((launch, index) => {
      const elements = elementsOf(launch, precision);
      const bindings = bindingsOf(launch, problem, {
        slotOf: (memory) => slotOf[memory],
        scratchOf: (index) => slotOf[scratch[index]],
        parameterOf: (parameter) => parameters.indexOf(problem.layer, parameter),
      });
      steps.push({
        name: launches.length > 1 ? `${fused.name} (${index + 1} of ${launches.length})` : fused.name,
        kernel: launch.kernel.name,
        ...sortValues(launch),
        ...(precision !== "f32" && { elements }),
        bindings,
        workgroups: launch.workgroups,
        outputs: outputsOf(fused),
        macs: launch.macs ?? fused.node.macs / launches.length,
        bytes: launch.bytes ?? leastBytes(fused, launch, precision),
      });
    });
    // What takes no step, or copies only some of its inputs, is whole once its inputs are.
    const last = launches.length > 0 ? steps.length - 1 : -1;
    const ready = Math.max(last, ...fused.node.inputs.map((id) => readyAfter.get(id)!));
    for (const id of outputsOf(fused)) readyAfter.set(id, ready);
  }
  return {
    graph: graph.name,
    batch: batchOf(shaped),
    precision,
    inputs: graph.inputs.map(({ name }) => name),
    outputs: graph.outputs,
    values: Object.fromEntries(
      [...views]
        .filter(([id, { parameter }]) => shapes.has(id) && !parameter)
        .map(([id, view]) => [id, { ...view, slot: slotOf[view.slot], readyAfter: readyAfter.get(id)! }]),
    ),
    arenaBytes,
    slots,
    parameters: parameters.all,
    steps,
    decisions,
    tolerance: Math.max(plainTolerance, ...work.map(({ choice }) => choice?.algorithm.tolerance ?? 0)),
    unplannedBytes: fuseNodes(shaped).reduce((sum, { output }) => sum + byteLength(shapes.get(output)!, precision), 0),
    macs: shaped.macs,
    parameterCount: shaped.parameters.reduce((sum, { shape }) => sum + elementCount(shape), 0),
  };
}

/** What comes from outside or goes there, in float32 whatever the precision. */
export function edgesOf({ inputs, outputs }: Graph): readonly ValueId[] {
  return [...inputs.map(({ name }) => name), ...outputs];
}

/** A graph's nodes as algorithms are given them, with the algorithm that each got. */
export function plannedProblems(
  shaped: ShapedGraph,
  limits: PlanLimits,
  options: PlanOptions = {},
): { readonly fused: FusedNode; readonly problem: Problem; readonly algorithm: Algorithm }[] {
  return arrange(shaped, limits, options).work.flatMap(({ fused, problem, choice, launches }) =>
    choice && launches.length > 0 ? [{ fused, problem, algorithm: choice.algorithm }] : [],
  );
}

/** Fuses, places and chooses: everything that a plan is made of but its steps. */
function arrange(shaped: ShapedGraph, limits: PlanLimits, options: PlanOptions) {
  const { fuse = true, tolerance = 3e-5, precision = "f32", choices } = options;
  if (choices !== undefined) checkChoices(choices);
  const chosen = planChoiceFor(shaped, precision, choices);
  const workspace = options.workspace ?? chosen.workspace ?? true;
  const merge = options.merge ?? chosen.merge ?? (broadcastPreference(limits) > 0 || hasWideSubgroups(limits));
  const fused = fuse ? fuseNodes(shaped) : shaped.nodes.map(plainNode);
  const nodes = fuse && merge ? mergeNodes(fused, shaped.graph.outputs, limits) : fused;
  const { views, memories: values } = placeInMemories(shaped, nodes, fuse, precision);
  const allowance = { tolerance, workspace: workspace !== false, algorithms: chosen.algorithms };
  const choose: Chooser = (problem) => chooseAlgorithm(problem, allowance);
  const more = typeof workspace === "number" ? workspace : 0;
  return { views, ...launchNodes(nodes, views, values, { precision, limits }, choose, more) };
}

/** What becomes one where it is wanted: as much as the device's fastest kernels can. */
function mergeNodes(
  fused: readonly FusedNode[],
  outputs: readonly ValueId[],
  limits: PlanLimits,
): readonly FusedNode[] {
  if (broadcastPreference(limits) > 0) return mergeConvolutions(fused, isPointwise);
  return someTileFits(limits) ? mergeConvolutions(fusePools(fused, outputs)) : fused;
}

/** Gives equal ranges one number, so that a printed plan shows which memory is used again. */
function numberSlots(ranges: readonly Range[]): { slotOf: readonly number[]; slots: readonly Range[] } {
  const slots = new Map<string, number>();
  const slotOf = ranges.map(({ offset, bytes }) => {
    const key = `${offset} ${bytes}`;
    const slot = slots.get(key) ?? slots.size;
    slots.set(key, slot);
    return slot;
  });
  return { slotOf, slots: [...slots.values()].map((slot) => ranges[slotOf.indexOf(slot)]) };
}

/** Images of the first input: what a plan calls its batch. */
function batchOf({ graph, shapes }: ShapedGraph): number {
  const [first] = graph.inputs;
  return first ? imageCount(shapes.get(first.name)!) : 1;
}

/** The bytes that the layer's own inputs, parameters and output hold, as far as this dispatch binds them. */
function leastBytes({ node }: FusedNode, { bindings }: Launch, precision: Precision): number {
  const read = bindings.reduce(
    (sum, binding) => sum + (binding.kind === "input" ? byteLength(node.inputShapes[binding.input], precision) : 0),
    0,
  );
  const parameters = bindings.reduce(
    (sum, binding) => sum + (binding.kind === "parameter" ? binding.parameter.elements * elementBytes[precision] : 0),
    0,
  );
  const writes = bindings.some(({ kind }) => kind === "output");
  return read + parameters + (node.op.type === "concat" ? read : writes ? byteLength(node.outputShape, precision) : 0);
}

/** Collects packed parameters, each once. */
class ParameterTable {
  readonly all: PackedParameter[] = [];
  private readonly indices = new Map<string, number>();
  private readonly limits: PlanLimits;

  constructor(limits: PlanLimits) {
    this.limits = limits;
  }

  indexOf(layer: string, parameter: PackedParameter): number {
    checkBufferSize(layer, "its packed weights take", parameterBytes(parameter), this.limits);
    const key = JSON.stringify(parameter);
    const known = this.indices.get(key);
    if (known !== undefined) return known;
    const index = this.all.push(parameter) - 1;
    this.indices.set(key, index);
    return index;
  }
}
