/**
 * Batch normalisation at no cost: a scale by channel behind a convolution or a fully connected layer becomes part of
 * its weights, as long as nobody looks at what lies between.
 */

import type { Graph, Node, ValueId } from "./graph.ts";
import type { Model } from "./model.ts";
import type { Conv, FullyConnected, Scale } from "./ops.ts";
import type { Tensor } from "./tensor.ts";
import type { Weights } from "./weights.ts";

type Folded = Node & { readonly op: Conv | FullyConnected | Scale };

/** The same network with fewer layers. A layer that takes a scale in keeps its name; its blob is then the scale's. */
export function foldScales({ graph, weights: given }: Model): Model {
  const uses = countUses(graph);
  const weights = new Map(given);
  const shared = sharedData(given);
  const nodes: Node[] = [];
  /** Where in `nodes` each value is made. */
  const madeAt = new Map<ValueId, number>();
  /** By the layer that takes them in: its weights, which may be many, are multiplied once. */
  const scalings = new Map<string, Scaling>();
  for (const node of graph.nodes) {
    const [input] = node.inputs;
    const index = madeAt.get(input);
    const before = index === undefined ? undefined : nodes[index];
    if (
      index !== undefined &&
      before &&
      takesScale(before) &&
      isByChannel(node) &&
      uses.get(input) === 1 &&
      !shared.has(weights.get(`${before.name}.weight`)!.data)
    ) {
      const channels = weights.get(`${node.name}.weight`)!.data.length;
      const scaling = scalings.get(before.name) ?? new Scaling(before, channels);
      scalings.set(before.name, scaling);
      scaling.take(node, weights);
      nodes[index] = { ...before, op: { ...before.op, bias: true }, output: node.output };
      madeAt.set(node.output, index);
    } else {
      madeAt.set(node.output, nodes.length);
      nodes.push(node);
    }
  }
  for (const scaling of scalings.values()) scaling.foldInto(weights);
  return { graph: { ...graph, nodes }, weights };
}

/** Elements that several parameters have in common: folding would make a copy for each. */
function sharedData(weights: Weights): Set<Float32Array> {
  const seen = new Set<Float32Array>();
  const shared = new Set<Float32Array>();
  for (const { data } of weights.values()) (seen.has(data) ? shared : seen).add(data);
  return shared;
}

/** How often each value is looked at, outputs of the graph among it. */
function countUses({ nodes, outputs }: Graph): Map<ValueId, number> {
  const uses = new Map<ValueId, number>();
  for (const id of [...nodes.flatMap(({ inputs }) => inputs), ...outputs]) uses.set(id, (uses.get(id) ?? 0) + 1);
  return uses;
}

function takesScale(node: Node): node is Folded {
  return node.op.type === "conv" || node.op.type === "fully_connected" || isByChannel(node);
}

function isByChannel({ op }: Node): boolean {
  return op.type === "scale" && op.axis === 1 && op.axes === 1;
}

/** What scales make of a layer's channels, one after another: factor · x + shift. */
class Scaling {
  private readonly factors: Float64Array;
  private readonly shifts: Float64Array;
  private readonly layer: string;
  private readonly hasBias: boolean;

  constructor({ name, op }: Folded, channels: number) {
    this.layer = name;
    this.hasBias = op.bias;
    this.factors = new Float64Array(channels).fill(1);
    this.shifts = new Float64Array(channels);
  }

  /** Another scale behind those before. */
  take(scale: Node, weights: Map<string, Tensor>): void {
    const { factors, shifts } = this;
    const { data: weight } = weights.get(`${scale.name}.weight`)!;
    const bias = weights.get(`${scale.name}.bias`)?.data;
    for (let channel = 0; channel < factors.length; channel++) {
      factors[channel] *= weight[channel];
      shifts[channel] = weight[channel] * shifts[channel] + (bias?.[channel] ?? 0);
    }
    weights.delete(`${scale.name}.weight`);
    weights.delete(`${scale.name}.bias`);
  }

  /** factor · (W · x + b) + shift = (factor · W) · x + (factor · b + shift) */
  foldInto(weights: Map<string, Tensor>): void {
    const { factors, shifts, layer: name } = this;
    const { shape, data } = weights.get(`${name}.weight`)!;
    const before = this.hasBias ? weights.get(`${name}.bias`)!.data : undefined;
    const perChannel = data.length / factors.length;
    const folded = data.map((value, index) => value * factors[Math.floor(index / perChannel)]);
    const bias = Float32Array.from(shifts, (shift, channel) => factors[channel] * (before?.[channel] ?? 0) + shift);
    weights.set(`${name}.weight`, { shape, data: folded });
    weights.set(`${name}.bias`, { shape: [bias.length], data: bias });
  }
}
