/** Turns a graph whose shapes are known and a device's limits into a Plan. */

import { EngineError } from "../errors.ts";
import type { ShapedGraph, ValueId } from "../graph/graph.ts";
import { resolveAxis } from "../graph/ops/op_rule.ts";
import { elementCount, type Shape } from "../graph/tensor.ts";
import { type FusedNode, fuseNodes, plainNode } from "./fuse.ts";
import type { Kernel, Launch, Problem } from "./kernel.ts";
import type { PlanLimits } from "./limits.ts";
import { type Binding, bytesPerElement, type PackedParameter, type Plan, type Step, type View } from "./plan.ts";
import { placeValues } from "./place.ts";
import { candidates } from "./registry.ts";
import { assignSlots, type Lifetime } from "./slots.ts";

export interface PlanOptions {
  /**
   * Whether ReLUs are fused and concats written in place (the default). Without it every blob of the graph is in
   * memory at some time, those before a ReLU too: for looking at them.
   */
  readonly fuse?: boolean;
}

/**
 * Plans a graph for the batch size that its shapes have.
 *
 * Throws EngineError "out-of-memory" where a buffer would be larger than the device allows; `largestBatch` tells how
 * many images fit.
 */
export function planGraph(shaped: ShapedGraph, limits: PlanLimits, { fuse = true }: PlanOptions = {}): Plan {
  const { graph, shapes } = shaped;
  const nodes = fuse ? fuseNodes(shaped) : shaped.nodes.map(plainNode);
  const { views, slots } = layOut(shaped, nodes, fuse);
  checkSlots(views, slots, limits);

  const parameters = new ParameterTable(limits);
  const steps: Step[] = [];
  const readyAfter = new Map<ValueId, number>(graph.inputs.map(({ name }) => [name, -1]));
  for (const fused of nodes) {
    const own = planNode(fused, views, parameters, limits);
    steps.push(...own);
    // What takes no step, or copies only some of its inputs, is whole once its inputs are.
    const last = own.length > 0 ? steps.length - 1 : -1;
    readyAfter.set(fused.output, Math.max(last, ...fused.node.inputs.map((id) => readyAfter.get(id)!)));
  }
  return {
    graph: graph.name,
    batch: batchOf(shaped),
    inputs: graph.inputs.map(({ name }) => name),
    outputs: graph.outputs,
    values: Object.fromEntries([...views].map(([id, view]) => [id, { ...view, readyAfter: readyAfter.get(id)! }])),
    slots,
    parameters: parameters.all,
    steps,
    unplannedBytes: fuseNodes(shaped).reduce((sum, { output }) => sum + byteLength(shapes.get(output)!), 0),
    macs: shaped.macs,
    parameterCount: shaped.parameters.reduce((sum, { shape }) => sum + elementCount(shape), 0),
  };
}

/** Images of the first input: what a plan calls its batch. */
function batchOf({ graph, shapes }: ShapedGraph): number {
  return shapes.get(graph.inputs[0].name)![0];
}

/** Places every value in a slot. */
function layOut(
  { graph, shapes }: ShapedGraph,
  nodes: readonly FusedNode[],
  joinInPlace: boolean,
): { views: Map<ValueId, View>; slots: readonly number[] } {
  const places = placeValues(graph.inputs, nodes, shapes, joinInPlace);
  const lifetimes = new Map<ValueId, Lifetime>();
  const touch = (id: ValueId, time: number) => {
    const { root } = places.get(id)!;
    const known = lifetimes.get(root);
    lifetimes.set(root, {
      bytes: slotBytes(shapes.get(root)!),
      first: Math.min(known?.first ?? time, time),
      last: Math.max(known?.last ?? time, time),
    });
  };
  for (const { name } of graph.inputs) touch(name, -1);
  nodes.forEach(({ node, output }, time) => {
    for (const id of [...node.inputs, output]) touch(id, time);
  });
  for (const id of graph.outputs) touch(id, nodes.length);

  const { slotOf, slots } = assignSlots([...lifetimes.values()]);
  const slotOfRoot = new Map([...lifetimes.keys()].map((root, index) => [root, slotOf[index]]));
  const views = new Map<ValueId, View>();
  for (const [id, { root, offset }] of places) {
    const stride = elementCount(shapes.get(root)!.slice(1));
    views.set(id, { shape: shapes.get(id)!, slot: slotOfRoot.get(root)!, offset, stride });
  }
  return { views, slots };
}

/** The steps of one node; none where its output is already in place. */
function planNode(
  { node, relu, name, output }: FusedNode,
  views: ReadonlyMap<ValueId, View>,
  parameters: ParameterTable,
  limits: PlanLimits,
): Step[] {
  if (node.op.type === "dropout") return [];
  const problem: Problem = {
    layer: node.name,
    op: node.op,
    inputs: node.inputs.map((id) => views.get(id)!),
    output: views.get(output)!,
    relu,
    limits,
  };
  const [kernel] = candidates(problem);
  if (!kernel) {
    throw new EngineError("graph", node.name, `no kernel computes its ${node.op.type}`, "use another layer");
  }
  const launches = kernel.launch(problem);
  return launches.map((launch, index) => {
    const used = usedInputs(launch).map((input) => node.inputShapes[input]);
    return {
      name: launches.length > 1 ? `${name} (${index + 1} of ${launches.length})` : name,
      kernel: kernel.name,
      ...sortValues(kernel, launch),
      bindings: bind(launch, problem, parameters),
      workgroups: launch.workgroups,
      output,
      macs: node.macs / launches.length,
      bytes: leastBytes(launch, used, node.outputShape, node.op.type === "concat"),
    };
  });
}

/** Sorts a launch's values by where the kernel takes them. A misspelt name would silently leave a default. */
function sortValues(kernel: Kernel, { values }: Launch): Pick<Step, "constants" | "layer" | "tiles"> {
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

function usedInputs(launch: Launch): number[] {
  return launch.bindings.flatMap((binding) => (binding.kind === "input" ? [binding.input] : []));
}

function leastBytes(launch: Launch, inputs: readonly Shape[], output: Shape, copies: boolean): number {
  const read = inputs.reduce((sum, shape) => sum + byteLength(shape), 0);
  const parameters = launch.bindings.reduce(
    (sum, binding) => sum + (binding.kind === "parameter" ? binding.parameter.elements * bytesPerElement : 0),
    0,
  );
  return read + parameters + (copies ? read : byteLength(output));
}

function bind(launch: Launch, problem: Problem, parameters: ParameterTable): Binding[] {
  return launch.bindings.map((binding): Binding => {
    switch (binding.kind) {
      case "input":
        return { kind: "slot", slot: problem.inputs[binding.input].slot };
      case "output":
        return { kind: "slot", slot: problem.output.slot };
      case "parameter":
        return { kind: "parameter", parameter: parameters.indexOf(problem.layer, binding.parameter) };
      default:
        return binding satisfies never;
    }
  });
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
    checkBufferSize(layer, "its packed weights take", parameter.elements * bytesPerElement, this.limits);
    const key = JSON.stringify(parameter);
    const known = this.indices.get(key);
    if (known !== undefined) return known;
    const index = this.all.push(parameter) - 1;
    this.indices.set(key, index);
    return index;
  }
}

function checkSlots(views: ReadonlyMap<ValueId, View>, slots: readonly number[], limits: PlanLimits): void {
  for (const [id, { slot, shape }] of views) {
    // The largest tenant names the slot's size.
    if (slotBytes(shape) === slots[slot]) checkBufferSize(id, "it takes", slots[slot], limits);
  }
}

function checkBufferSize(subject: string, verb: string, bytes: number, limits: PlanLimits): void {
  const most = largestBuffer(limits);
  if (bytes > most) {
    throw new EngineError(
      "out-of-memory",
      subject,
      `${verb} ${bytes} bytes, and the device binds at most ${most}`,
      "use a smaller batch or input, or another adapter",
    );
  }
}

function largestBuffer(limits: PlanLimits): number {
  return Math.min(limits.maxBufferSize, limits.maxStorageBufferBindingSize);
}

/**
 * How many images at once keep every buffer within the limits, at most `batch`. 0 where not even one does, or where
 * the graph mixes images (an op along the batch axis) and its batch cannot be split.
 *
 * @param single - the graph's shapes for one image
 */
export function largestBatch(single: ShapedGraph, limits: PlanLimits, batch: number): number {
  const imageBytes = Math.max(...[...single.shapes.values()].map(slotBytes));
  const most = Math.floor(largestBuffer(limits) / imageBytes);
  if (most >= batch) return batch;
  return mixesImages(single) ? 0 : most;
}

function mixesImages({ graph, nodes }: ShapedGraph): boolean {
  return (
    graph.inputs.some(({ shape }) => shape[0] !== "N") ||
    nodes.some(
      ({ name, op, outputShape }) =>
        (op.type === "concat" || op.type === "softmax") && resolveAxis(name, op.axis, outputShape.length) === 0,
    )
  );
}

/** `batch` images as parts of nearly equal size, none larger than `most`. */
export function splitBatch(batch: number, most: number): number[] {
  const parts = Math.ceil(batch / most);
  const size = Math.ceil(batch / parts);
  return Array.from({ length: parts }, (_, part) => Math.min(size, batch - part * size));
}

function byteLength(shape: Shape): number {
  return elementCount(shape) * bytesPerElement;
}

/** A value's bytes, rounded up so that kernels may read it four elements at a time. */
function slotBytes(shape: Shape): number {
  return Math.ceil(byteLength(shape) / 16) * 16;
}
