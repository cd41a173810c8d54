/** Turns a graph whose shapes are known and a device's limits into a Plan. */

import { EngineError } from "../errors.ts";
import { type Graph, inferShapesForBatch, type ShapedGraph, type ValueId } from "../graph/graph.ts";
import { isView } from "../graph/ops/view.ts";
import { elementCount, imageCount, type Shape } from "../graph/tensor.ts";
import { type Lifetime, placeInArena, type Range } from "./arena.ts";
import { checkChoices, chooseAlgorithm, type Choices, type Decision, planChoiceFor, problemKey } from "./choices.ts";
import { type FusedNode, fuseNodes, mergeConvolutions, outputsOf, plainNode, swallowPools } from "./fuse.ts";
import { imageValues } from "./images.ts";
import { type Algorithm, elementsOf, type Launch, parameterFor, type Problem } from "./kernel.ts";
import { constantParameter } from "./kernels/constant.ts";
import { isPointwise } from "./kernels/conv_pointwise.ts";
import { someTileFits } from "./kernels/gemm.ts";
import { broadcastPreference, hasWideSubgroups } from "./kernels/subgroups.ts";
import { largestBuffer, type PlanLimits } from "./limits.ts";
import {
  type Binding,
  type PackedParameter,
  parameterBytes,
  type Plan,
  plainTolerance,
  type Step,
  type View,
} from "./plan.ts";
import { placeValues } from "./place.ts";
import { elementBytes, type Precision, PRECISIONS } from "./precision.ts";

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
      const indexOf = (parameter: PackedParameter) =>
        parameters.indexOf(problem.layer, parameterFor(parameter, elements));
      const bindings = launch.bindings.map((binding): Binding => {
        switch (binding.kind) {
          case "input": {
            const { slot, parameter } = problem.inputs[binding.input];
            return parameter
              ? { kind: "parameter", parameter: indexOf(parameter) }
              : { kind: "slot", slot: slotOf[slot] };
          }
          case "output":
            return { kind: "slot", slot: slotOf[problem.output.slot] };
          case "rest":
            return { kind: "slot", slot: slotOf[problem.rest!.slot] };
          case "unused":
            return binding;
          case "scratch":
            return { kind: "slot", slot: slotOf[scratch[binding.scratch]] };
          case "parameter":
            return { kind: "parameter", parameter: indexOf(binding.parameter) };
          default:
            return binding satisfies never;
        }
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
  const allowance = { tolerance, workspace: workspace !== false, choices };
  const choose: Chooser = (problem) => chooseAlgorithm(problem, allowance);
  const more = typeof workspace === "number" ? workspace : 0;
  return { views, ...launchNodes(nodes, views, values, { precision, limits }, choose, more) };
}

/** Throws EngineError "usage" for what is no precision, "adapter" where the device lacks what it needs. */
function checkPrecision(precision: Precision = "f32", { float16 = false }: PlanLimits): void {
  if (!PRECISIONS.includes(precision)) {
    const problem = `it is ${JSON.stringify(precision)}`;
    throw new EngineError("usage", "option precision", problem, `give ${PRECISIONS.join(" or ")}`);
  }
  if (precision === "f16" && !float16) {
    const remedy = "compute in f32, or use another adapter";
    throw new EngineError("adapter", "precision f16", 'the adapter has no float16 (the feature "shader-f16")', remedy);
  }
}

/** What becomes one where it is wanted: as much as the device's fastest kernels can. */
function mergeNodes(
  fused: readonly FusedNode[],
  outputs: readonly ValueId[],
  limits: PlanLimits,
): readonly FusedNode[] {
  if (broadcastPreference(limits) > 0) return mergeConvolutions(fused, isPointwise);
  return someTileFits(limits) ? mergeConvolutions(swallowPools(fused, outputs)) : fused;
}

/** Picks a problem's algorithm, if there is one. */
type Chooser = (problem: Problem) => ReturnType<typeof chooseAlgorithm>;

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

/** Memory that some nodes need, before it is given a slot. */
interface Memory extends Lifetime {
  /** The value or layer that it is for. */
  readonly subject: string;
}

/**
 * Finds every value's memory; the views' `slot` is the index into `memories`. Constants stay in their parameters but
 * where they are read back.
 */
function placeInMemories(
  { graph, shapes: given }: ShapedGraph,
  nodes: readonly FusedNode[],
  joinInPlace: boolean,
  precision: Precision,
): { views: Map<ValueId, View>; memories: Memory[] } {
  const rests = nodes.flatMap(({ rest }) => (rest ? [rest] : []));
  const shapes = new Map([...given, ...rests.map(({ output, shape }) => [output, shape] as const)]);
  const places = placeValues(graph.inputs, nodes, shapes, joinInPlace);
  const readBack = new Set(joinInPlace ? graph.outputs.map((id) => places.get(id)!.root) : places.keys());
  const constants = new Map(
    nodes.flatMap(({ node, output }): [ValueId, PackedParameter][] =>
      node.op.type === "constant" && !readBack.has(output) ? [[output, constantParameter(node.name, node.op)]] : [],
    ),
  );
  const byRoot = new Map<ValueId, Memory>();
  const touch = (id: ValueId, time: number) => {
    const { root } = places.get(id)!;
    if (constants.has(root)) return;
    const known = byRoot.get(root);
    byRoot.set(root, {
      subject: root,
      bytes: roundUp(byteLength(shapes.get(root)!, precision)),
      first: Math.min(known?.first ?? time, time),
      last: Math.max(known?.last ?? time, time),
    });
  };
  for (const { name } of graph.inputs) touch(name, -1);
  nodes.forEach((fused, time) => {
    for (const id of [...fused.node.inputs, ...outputsOf(fused)]) touch(id, time);
  });
  for (const id of graph.outputs) touch(id, nodes.length);

  // Constants have slots of their own kind, below 0: no two of them are one, and none is another value's.
  const index = new Map([
    ...[...byRoot.keys()].map((root, memory) => [root, memory] as const),
    ...[...constants.keys()].map((root, constant) => [root, -1 - constant] as const),
  ]);
  const views = new Map<ValueId, View>();
  for (const [id, { root, offset, stride }] of places) {
    const parameter = constants.get(root);
    views.set(id, { shape: shapes.get(id)!, slot: index.get(root)!, offset, stride, ...(parameter && { parameter }) });
  }
  return { views, memories: [...byRoot.values()] };
}

/** A node's dispatches, and the indices of its scratch memories. */
interface Work extends ReturnType<typeof launchNode> {
  readonly fused: FusedNode;
  readonly memories: readonly number[];
}

/** Shares of the memory that values leave free, for scratch memory that does not fit the pieces it lies in. */
const smallerShares = [3 / 4, 1 / 2, 1 / 4, 0];

/**
 * The dispatches of all nodes, and the arena with their scratch memory in it. Scratch memory takes what the values
 * leave free while its node is computed, so that it does not raise the peak, or by so many bytes `more`; where that
 * lies in pieces, it makes do with less.
 */
function launchNodes(
  nodes: readonly FusedNode[],
  views: ReadonlyMap<ValueId, View>,
  values: readonly Memory[],
  device: Pick<Problem, "precision" | "limits">,
  choose: Chooser,
  more: number,
): { work: Work[]; memories: Memory[]; ranges: readonly Range[]; bytes: number } {
  const peak = placeInArena(values).bytes + more;
  const attempt = (share: number) => {
    const memories = [...values];
    const work = nodes.map((fused, time): Work => {
      const live = values.filter(({ first, last }) => first <= time && time <= last);
      const free = peak - live.reduce((sum, { bytes }) => sum + bytes, 0);
      const launched = launchNode(fused, views, { ...device, scratchBudget: Math.floor(free * share) }, choose);
      const own = launched.scratch.map(
        (bytes) => memories.push({ subject: fused.name, bytes: roundUp(bytes), first: time, last: time }) - 1,
      );
      return { ...launched, fused, memories: own };
    });
    return { work, memories, ...placeInArena(memories) };
  };
  let best = attempt(1);
  for (const share of smallerShares) {
    if (best.bytes <= peak) break;
    const smaller = attempt(share);
    if (smaller.bytes < best.bytes) best = smaller;
  }
  return best;
}

/** The dispatches of one node, none where its output is already in place, and the scratch memory that they need. */
function launchNode(
  { node, relu, output, rest, pool }: FusedNode,
  views: ReadonlyMap<ValueId, View>,
  device: Pick<Problem, "precision" | "limits" | "scratchBudget">,
  choose: Chooser,
): {
  problem: Problem;
  launches: readonly Launch[];
  scratch: readonly number[];
  choice: ReturnType<Chooser>;
} {
  const problem: Problem = {
    layer: node.name,
    op: node.op,
    inputs: node.inputs.map((id) => views.get(id)!),
    output: views.get(output)!,
    ...(rest && { rest: views.get(rest.output)!, restLayers: rest.parts.map(({ layer }) => layer) }),
    ...(pool && { pool }),
    relu,
    ...device,
  };
  if (isView(node.op) || problem.output.parameter) {
    return { problem, launches: [], scratch: [], choice: undefined };
  }
  const choice = choose(problem);
  if (!choice) {
    throw new EngineError("graph", node.name, `no kernel computes its ${node.op.type}`, "use another layer");
  }
  const { algorithm } = choice;
  return { problem, launches: algorithm.launch(problem), scratch: algorithm.scratch?.(problem) ?? [], choice };
}

/** Sorts a launch's values by where the kernel takes them. A misspelt name would silently leave a default. */
export function sortValues({ kernel, values }: Launch): Pick<Step, "constants" | "layer" | "tiles"> {
  const wanted = [...kernel.constants, ...kernel.layer, ...kernel.tiles];
  const problem =
    wanted.map((name) => (name in values ? undefined : `its value ${name} is not set`)).find(Boolean) ??
    Object.keys(values)
      .map((name) => (wanted.includes(name) ? undefined : `it has no value ${name} (it has ${wanted.join(", ")})`))
      .find(Boolean);
  if (problem !== undefined) {
    throw new EngineError("gpu", `kernel ${kernel.name}`, problem, "correct its launch in src/plan/kernels");
  }
  const pick = (names: readonly string[]) => Object.fromEntries(names.map((name) => [name, values[name]]));
  return { constants: pick(kernel.constants), layer: pick(kernel.layer), tiles: pick(kernel.tiles) };
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

function checkBufferSize(subject: string, verb: string, bytes: number, limits: PlanLimits): void {
  const most = largestBuffer(limits);
  if (bytes > most) throw tooLarge(subject, verb, bytes, most);
}

function tooLarge(subject: string, verb: string, bytes: number, most: number): EngineError {
  return new EngineError(
    "out-of-memory",
    subject,
    `${verb} ${bytes} bytes, and the device binds at most ${most}`,
    "use a smaller batch or input, or another adapter",
  );
}

/**
 * How many images at once keep every buffer within the limits, at most `batch`. 0 where not even one does, or where
 * the graph mixes images (an op along the batch axis) and its batch cannot be split.
 *
 * @param single - the graph's shapes for one image
 */
export function largestBatch(
  single: ShapedGraph,
  limits: PlanLimits,
  batch: number,
  options: PlanOptions = {},
): number {
  checkPrecision(options.precision, limits);
  const images = imageValues(single.graph, batch);
  if (!images) return fits(single.graph, batch, limits, options) ? batch : 0;
  const bytesOf = (id: ValueId, precision?: Precision) => roundUp(byteLength(single.shapes.get(id)!, precision));
  const imageBytes = Math.max(
    ...[...images].map((id) => bytesOf(id, options.precision)),
    ...edgesOf(single.graph).map((id) => bytesOf(id)),
  );
  let most = Math.min(batch, Math.floor(largestBuffer(limits) / imageBytes));
  while (most > 0) {
    const arena = planGraph(inferShapesForBatch(single.graph, most), { ...limits, maxBufferSize: Infinity }, options);
    if (arena.arenaBytes <= limits.maxBufferSize) break;
    most = Math.min(most - 1, Math.floor((most * limits.maxBufferSize) / arena.arenaBytes));
  }
  return most;
}

/** What comes from outside or goes there, in float32 whatever the precision. */
function edgesOf({ inputs, outputs }: Graph): readonly ValueId[] {
  return [...inputs.map(({ name }) => name), ...outputs];
}

function fits(graph: Graph, batch: number, limits: PlanLimits, options: PlanOptions): boolean {
  const shaped = inferShapesForBatch(graph, batch);
  try {
    planGraph(shaped, limits, options);
    return true;
  } catch (error) {
    if (error instanceof EngineError && error.code === "out-of-memory") return false;
    throw error;
  }
}

/** `batch` images as parts of nearly equal size, none larger than `most`. */
export function splitBatch(batch: number, most: number): number[] {
  const parts = Math.ceil(batch / most);
  const size = Math.ceil(batch / parts);
  return Array.from({ length: parts }, (_, part) => Math.min(size, batch - part * size));
}

function byteLength(shape: Shape, precision: Precision = "f32"): number {
  return elementCount(shape) * elementBytes[precision];
}

/** Bytes of a buffer from which kernels may read four elements at a time. */
function roundUp(bytes: number): number {
  return Math.ceil(bytes / 16) * 16;
}
