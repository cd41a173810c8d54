/** The weights of GoogLeNet in a model that names its layers otherwise, as ONNX files of other tools do. */

import { googLeNet } from "../graph/googlenet.ts";
import { type Graph, inferShapesForBatch, type Node, type ValueId } from "../graph/graph.ts";
import type { Model } from "../graph/model.ts";
import { isView } from "../graph/ops/view.ts";
import { elementCount, type Tensor } from "../graph/tensor.ts";
import type { Weights } from "../graph/weights.ts";

/**
 * The weights by GoogLeNet's names, where the model is this network: the same layers of the same sizes in the same
 * places. Windows of poolings may differ, since converters write Caffe's rounding in several ways.
 *
 * @returns null for another network
 */
export function googLeNetWeights(model: Model): Weights | null {
  for (const heads of ["all", "main"] as const) {
    const graph = googLeNet({ heads });
    const names = model.graph.outputs.length === graph.outputs.length ? matchLayers(graph, model.graph) : null;
    const weights = names && renamed(graph, names, model.weights);
    if (weights) return weights;
  }
  return null;
}

/** The tensors by the names and shapes that a graph asks for; null where one is missing or of another size. */
function renamed(graph: Graph, names: ReadonlyMap<string, string>, given: Weights): Weights | null {
  const weights = new Map<string, Tensor>();
  for (const { name, shape } of inferShapesForBatch(graph, 1).parameters) {
    const split = name.lastIndexOf(".");
    const tensor = given.get(`${names.get(name.slice(0, split)) ?? ""}${name.slice(split)}`);
    if (tensor?.data.length !== elementCount(shape)) return null;
    weights.set(name, { shape, data: tensor.data });
  }
  return weights;
}

/** For each layer with weights the one that takes its place in another graph, from the outputs on; null where none does. */
function matchLayers(ours: Graph, theirs: Graph): ReadonlyMap<string, string> | null {
  const [makers, others] = [ours, theirs].map(({ nodes }) => new Map(nodes.map((node) => [node.output, node])));
  const names = new Map<string, string>();
  const met = new Map<ValueId, ValueId>();
  const matches = (our: ValueId, their: ValueId): boolean => {
    const [a, b] = [beneathViews(makers, our), beneathViews(others, their)];
    const before = met.get(a);
    if (before !== undefined) return before === b;
    met.set(a, b);
    const [node, other] = [makers.get(a), others.get(b)];
    if (!node || !other) return !node && !other;
    // Files without probabilities end in what softmax takes.
    if (node.op.type === "softmax" && other.op.type !== "softmax") return matches(node.inputs[0], b);
    if (!sameKind(node, other) || node.inputs.length !== other.inputs.length) return false;
    names.set(node.name, other.name);
    return node.inputs.every((input, index) => matches(input, other.inputs[index]));
  };
  return ours.outputs.every((output, index) => matches(output, theirs.outputs[index])) ? names : null;
}

function sameKind({ op }: Node, { op: other }: Node): boolean {
  if (op.type === "conv" && other.type === "conv") {
    return op.outChannels === other.outChannels && op.kernel.join() === other.kernel.join();
  }
  const pooling = ["pool_avg", "pool_global_avg", "reduce"];
  return op.type === other.type || (pooling.includes(op.type) && pooling.includes(other.type));
}

/** The value that a chain of reshapes, dropouts and identities passes on. */
function beneathViews(makers: ReadonlyMap<ValueId, Node>, id: ValueId): ValueId {
  let node = makers.get(id);
  let value = id;
  while (node && isView(node.op)) {
    [value] = node.inputs;
    node = makers.get(value);
  }
  return value;
}
