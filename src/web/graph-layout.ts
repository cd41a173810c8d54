/**
 * Where each layer of a graph lies in its drawing: columns by depth, lanes by branch. Plain data, made from the graph
 * alone. A ReLU is drawn with the layer that it follows, as Caffe computes it in place.
 */

import type { Graph, Node, ShapedGraph, ValueId } from "../graph/graph.ts";
import type { Op } from "../graph/ops.ts";
import { formatShape, type Shape } from "../graph/tensor.ts";

/** What colour a layer has. */
export type LayerKind = "input" | "convolution" | "pooling" | "normalisation" | "joining" | "classifying" | "other";

export interface LayerBox {
  /** The blob that the layer makes. */
  readonly id: ValueId;
  readonly kind: LayerKind;
  /** A word or two: `3×3`, `max`. */
  readonly label: string;
  /** A phrase: `3×3 convolution and ReLU`. */
  readonly description: string;
  /** The blob before its ReLU, where it has one. */
  readonly linear?: ValueId;
  readonly inputs: readonly ValueId[];
  /** One image's: what is behind the batch. */
  readonly shape: Shape;
  /** Columns from the left, from 0; between two where there is room on both sides. */
  readonly column: number;
  /** Lanes from the trunk, downwards. */
  readonly lane: number;
}

/** Layers that are one unit: an Inception block, an auxiliary head. */
export interface LayerGroup {
  /** What their names begin with, `inception_3a`. */
  readonly name: string;
  readonly label: string;
  /** The blob that stands for the whole: its last. */
  readonly output: ValueId;
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

export interface GraphLayout {
  readonly boxes: ReadonlyMap<ValueId, LayerBox>;
  readonly groups: readonly LayerGroup[];
  readonly columns: number;
  readonly top: number;
  readonly bottom: number;
}

/** A node and the ReLU behind it, before it has its place. */
interface Layer {
  readonly id: ValueId;
  readonly op: Op | null;
  readonly linear?: ValueId;
  readonly inputs: readonly ValueId[];
}

/** Groups of fewer layers than this are drawn as the trunk. */
const SMALLEST_GROUP = 4;

export function layoutGraph({ graph, shapes }: ShapedGraph): GraphLayout {
  const layers = layersOf(graph);
  const main = ancestors(layers, graph.outputs[0]);
  const columns = columnsOf(layers, main);
  const lanes = lanesOf(layers, main, columns);
  const boxes = new Map(
    layers.map((layer): [ValueId, LayerBox] => [
      layer.id,
      {
        id: layer.id,
        ...describe(layer),
        ...(layer.linear === undefined ? {} : { linear: layer.linear }),
        inputs: layer.inputs,
        shape: shapes.get(layer.id)!.slice(1),
        column: columns.get(layer.id)!,
        lane: lanes.get(layer.id)!,
      },
    ]),
  );
  const all = [...boxes.values()];
  return {
    boxes,
    groups: groupsOf(all),
    columns: Math.max(...all.map(({ column }) => column)) + 1,
    top: Math.min(...all.map(({ lane }) => lane)),
    bottom: Math.max(...all.map(({ lane }) => lane)),
  };
}

export type Direction = "left" | "right" | "up" | "down";

/** The layer that an arrow key leads to from one: along an edge, or to the next lane of about the same column. */
export function neighbour({ boxes }: GraphLayout, from: ValueId, direction: Direction): ValueId | undefined {
  const here = boxes.get(from)!;
  const all = [...boxes.values()];
  const nearest = (candidates: readonly LayerBox[], distance: (box: LayerBox) => number) =>
    candidates.toSorted((a, b) => distance(a) - distance(b))[0]?.id;
  const lanesAway = ({ lane }: LayerBox) => Math.abs(lane - here.lane);
  switch (direction) {
    case "left":
      return nearest(
        here.inputs.map((id) => boxes.get(id)!),
        lanesAway,
      );
    case "right":
      return nearest(
        all.filter(({ inputs }) => inputs.includes(from)),
        lanesAway,
      );
    default: {
      const sign = direction === "up" ? -1 : 1;
      const beside = all.filter(
        ({ column, lane }) => Math.abs(column - here.column) < 1 && (lane - here.lane) * sign > 0,
      );
      return nearest(beside, (box) => lanesAway(box) + Math.abs(box.column - here.column) / 10);
    }
  }
}

function layersOf({ inputs, nodes }: Graph): Layer[] {
  const consumers = new Map<ValueId, Node[]>();
  for (const node of nodes) {
    for (const id of node.inputs) consumers.set(id, [...(consumers.get(id) ?? []), node]);
  }
  const reluBehind = ({ output }: Node): Node | undefined => {
    const [only, ...others] = consumers.get(output) ?? [];
    return only?.op.type === "relu" && others.length === 0 ? only : undefined;
  };
  const swallowed = new Set(nodes.flatMap((node) => reluBehind(node) ?? []));
  return [
    ...inputs.map(({ name }): Layer => ({ id: name, op: null, inputs: [] })),
    ...nodes
      .filter((node) => !swallowed.has(node))
      .map((node): Layer => {
        const relu = reluBehind(node);
        return relu
          ? { id: relu.output, op: node.op, linear: node.output, inputs: node.inputs }
          : { id: node.output, op: node.op, inputs: node.inputs };
      }),
  ];
}

/** A layer and all that it is computed from. */
function ancestors(layers: readonly Layer[], output: ValueId): ReadonlySet<ValueId> {
  const found = new Set([output]);
  for (const { id, inputs } of layers.toReversed()) {
    if (found.has(id)) for (const input of inputs) found.add(input);
  }
  return found;
}

/** As deep as a layer must lie; in the middle where it could lie deeper, as the 1×1 beside 3×3s with a reduction. */
function columnsOf(layers: readonly Layer[], main: ReadonlySet<ValueId>): Map<ValueId, number> {
  const earliest = new Map<ValueId, number>();
  for (const { id, inputs } of layers) {
    earliest.set(id, Math.max(-1, ...inputs.map((input) => earliest.get(input)!)) + 1);
  }
  const latest = new Map(earliest);
  for (const { id } of layers.toReversed()) {
    const next = layers.filter((layer) => main.has(layer.id) && layer.inputs.includes(id)).map((layer) => layer.id);
    if (main.has(id) && next.length > 0) latest.set(id, Math.min(...next.map((each) => latest.get(each)!)) - 1);
  }
  return new Map(layers.map(({ id }) => [id, (earliest.get(id)! + latest.get(id)!) / 2]));
}

/** The trunk in the middle, a fork's branches beside each other, what hangs off the trunk below all of that. */
function lanesOf(
  layers: readonly Layer[],
  main: ReadonlySet<ValueId>,
  columns: ReadonlyMap<ValueId, number>,
): Map<ValueId, number> {
  const lanes = new Map<ValueId, number>();
  for (const { id, inputs } of layers.filter((layer) => main.has(layer.id))) {
    const [input] = inputs;
    if (inputs.length !== 1) {
      lanes.set(id, inputs.reduce((sum, each) => sum + lanes.get(each)!, 0) / Math.max(inputs.length, 1));
      continue;
    }
    const siblings = layers.filter((layer) => main.has(layer.id) && layer.inputs.includes(input));
    const place = siblings.findIndex((layer) => layer.id === id) - (siblings.length - 1) / 2;
    lanes.set(id, lanes.get(input)! + place);
  }
  const below = Math.max(...lanes.values()) + 1;
  /** The column up to which each lane below is taken. */
  const taken: number[] = [];
  for (const { id, inputs } of layers.filter((layer) => !main.has(layer.id))) {
    const column = columns.get(id)!;
    const [input] = inputs;
    let lane = main.has(input) ? taken.findIndex((end) => end < column) : lanes.get(input)! - below;
    if (lane === -1) lane = taken.length;
    taken[lane] = column;
    lanes.set(id, below + lane);
  }
  return lanes;
}

function groupsOf(boxes: readonly LayerBox[]): LayerGroup[] {
  const groups = new Map<string, LayerBox[]>();
  for (const box of boxes) {
    const [name, rest] = box.id.split("/");
    if (rest !== undefined) groups.set(name, [...(groups.get(name) ?? []), box]);
  }
  return [...groups]
    .filter(([, members]) => members.length >= SMALLEST_GROUP)
    .map(([name, members]) => ({
      name,
      label: name.replace(/^inception_/, "").replace(/^loss(\d)$/, "auxiliary head $1"),
      output: members.at(-1)!.id,
      left: Math.min(...members.map(({ column }) => column)),
      right: Math.max(...members.map(({ column }) => column)),
      top: Math.min(...members.map(({ lane }) => lane)),
      bottom: Math.max(...members.map(({ lane }) => lane)),
    }));
}

function describe({ op, linear }: Layer): Pick<LayerBox, "kind" | "label" | "description"> {
  const words = wordsOf(op);
  return linear === undefined ? words : { ...words, description: `${words.description} and ReLU` };
}

function wordsOf(op: Op | null): Pick<LayerBox, "kind" | "label" | "description"> {
  if (op === null) {
    return { kind: "input", label: "in", description: "the picture as the network takes it: B, G, R less their means" };
  }
  switch (op.type) {
    case "conv": {
      const window = formatShape(op.kernel);
      return { kind: "convolution", label: window, description: `${window} convolution` };
    }
    case "pool_max":
      return { kind: "pooling", label: "max", description: `${formatShape(op.kernel)} max pooling` };
    case "pool_avg":
      return { kind: "pooling", label: "avg", description: `${formatShape(op.kernel)} average pooling` };
    case "pool_global_avg":
      return { kind: "pooling", label: "avg", description: "average pooling over the whole map" };
    case "lrn":
      return { kind: "normalisation", label: "lrn", description: "local response normalisation" };
    case "concat":
      return { kind: "joining", label: "cat", description: "the branches, one behind the other" };
    case "fully_connected":
      return { kind: "classifying", label: "fc", description: "fully connected layer" };
    case "dropout":
      return { kind: "other", label: "drop", description: "dropout, which only training knows" };
    case "softmax":
      return { kind: "classifying", label: "prob", description: "softmax: a probability for each class" };
    default:
      return { kind: "other", label: op.type.slice(0, 4), description: op.type.replaceAll("_", " ") };
  }
}
