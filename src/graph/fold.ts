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
      foldInto(before, node, weights);
      nodes[index] = { ...before, op: { ...before.op, bias: true }, output: node.output };
      madeAt.set(node.output, index);
    } else {
      madeAt.set(node.output, nodes.length);
      nodes.push(node);
    }
  }
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

/** weight · (W · x + b) + bias = (weight · W) · x + (weight · b + bias) */
function foldInto({ name, op: { bias: hasBias } }: Folded, scale: Node, weights: Map<string, Tensor>): void {
  const { shape, data } = weights.get(`${name}.weight`)!;
  const factors = weights.get(`${scale.name}.weight`)!.data;
  const shifts = weights.get(`${scale.name}.bias`)?.data;
  const before = hasBias ? weights.get(`${name}.bias`)!.data : undefined;
  const perChannel = data.length / factors.length;
  const folded = data.map((value, index) => value * factors[Math.floor(index / perChannel)]);
  const bias = factors.map((factor, channel) => factor * (before?.[channel] ?? 0) + (shifts?.[channel] ?? 0));
  weights.set(`${name}.weight`, { shape, data: folded });
  weights.set(`${name}.bias`, { shape: [factors.length], data: bias });
  weights.delete(`${scale.name}.weight`);
  weights.delete(`${scale.name}.bias`);
}
