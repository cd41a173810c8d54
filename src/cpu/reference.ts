/**
 * The CPU reference: a graph executed node after node by naive loops. Sums are kept in float64; every value is
 * rounded to float32 when it is stored, as Caffe's blobs are. It shares with the GPU only the graph and its shape
 * rules, so that what both agree on is right.
 */

import { EngineError } from "../errors.ts";
import type { ShapedGraph, ShapedNode, ValueId } from "../graph/graph.ts";
import { formatShape, sameShape, type Tensor } from "../graph/tensor.ts";
import type { Weights } from "../graph/weights.ts";
import { binary } from "./binary.ts";
import { concat } from "./concat.ts";
import { conv } from "./conv.ts";
import { fullyConnected } from "./fully_connected.ts";
import { gather } from "./gather.ts";
import { lrn } from "./lrn.ts";
import { lrnWithin } from "./lrn_within.ts";
import { matmul } from "./matmul.ts";
import { pad } from "./pad.ts";
import { poolAvg } from "./pool_avg.ts";
import { poolGlobalAvg } from "./pool_global_avg.ts";
import { poolMax } from "./pool_max.ts";
import { reduce } from "./reduce.ts";
import { relu } from "./relu.ts";
import { scale } from "./scale.ts";
import { slice } from "./slice.ts";
import { softmax } from "./softmax.ts";
import { transpose } from "./transpose.ts";
import { unary } from "./unary.ts";

/** What the reference gives back, and how it is followed and given up. */
export interface ReferenceOptions {
  /** Values to return beside the graph's outputs. */
  readonly keep?: Iterable<ValueId> | "all";
  /** Called after every node with how many of how many are done. */
  readonly onProgress?: (done: number, total: number, node: ShapedNode) => void;
  /** Looked at between nodes; the promise is rejected with its reason. */
  readonly signal?: AbortSignal;
}

/**
 * Runs the graph and returns its outputs and the kept values by name. Lets other work in between nodes.
 *
 * @param inputs the graph's inputs, of the shapes that `shaped` was inferred for
 * @throws EngineError "array" or "weights" for a missing tensor or one of another shape, "usage" for a value to keep
 * that the graph does not have
 */
export async function runReference(
  shaped: ShapedGraph,
  weights: Weights,
  inputs: ReadonlyMap<ValueId, Tensor>,
  { keep = [], onProgress, signal }: ReferenceOptions = {},
): Promise<Map<ValueId, Tensor>> {
  const { graph, nodes, shapes } = shaped;
  const kept = keptValues(shaped, keep);
  const parametersOf = checkWeights(shaped, weights);
  const values = new Map<ValueId, Tensor>();
  for (const { name } of graph.inputs) {
    values.set(name, ofShape("array", `input "${name}"`, inputs.get(name), shapes.get(name)!));
  }
  const lastUse = new Map(nodes.flatMap((node, index) => node.inputs.map((id) => [id, index] as const)));

  const breathe = pacer();
  for (const [index, node] of nodes.entries()) {
    signal?.throwIfAborted();
    const nodeInputs = node.inputs.map((id) => values.get(id)!);
    values.set(node.output, runNode(node, nodeInputs, parametersOf.get(node)!));
    for (const id of [...node.inputs, node.output]) {
      if ((lastUse.get(id) ?? index) <= index && !kept.has(id)) values.delete(id);
    }
    onProgress?.(index + 1, nodes.length, node);
    await breathe();
  }
  signal?.throwIfAborted();
  return new Map([...values].filter(([id]) => kept.has(id)));
}

/**
 * What one node makes of its inputs.
 *
 * @param parameters its weight and bias, in the order of `node.parameters`
 */
export function runNode(node: ShapedNode, inputs: readonly Tensor[], parameters: readonly Tensor[]): Tensor {
  const { op, outputShape } = node;
  const [input] = inputs;
  const [weight, bias] = parameters;
  switch (op.type) {
    case "conv":
      return conv(op, input, weight, bias, outputShape);
    case "pool_max":
      return poolMax(op, input, outputShape);
    case "pool_avg":
      return poolAvg(op, input, outputShape);
    case "pool_global_avg":
      return poolGlobalAvg(input, outputShape);
    case "relu":
      return relu(input);
    case "dropout":
    case "identity":
      return input;
    case "reshape":
      return { shape: outputShape, data: input.data };
    case "constant":
      return weight;
    case "unary":
      return unary(op, input);
    case "binary":
      return binary(op, inputs, outputShape);
    case "scale":
      return scale(op, input, weight, bias);
    case "matmul":
      return matmul(op, inputs, outputShape);
    case "reduce":
      return reduce(op, input, outputShape);
    case "transpose":
      return transpose(op, input, outputShape);
    case "slice":
      return slice(op, input, outputShape);
    case "gather":
      return gather(op, input, outputShape);
    case "pad":
      return pad(op, input, outputShape);
    case "lrn":
      return op.region === "within" ? lrnWithin(op, input) : lrn(op, input);
    case "concat":
      return concat(op, inputs, outputShape);
    case "softmax":
      return softmax(op, input);
    case "fully_connected":
      return fullyConnected(input, weight, bias, outputShape);
    default:
      return op satisfies never;
  }
}

function keptValues({ graph, shapes }: ShapedGraph, keep: Iterable<ValueId> | "all"): ReadonlySet<ValueId> {
  if (keep === "all") return new Set(shapes.keys());
  const kept = new Set([...keep, ...graph.outputs]);
  for (const id of kept) {
    if (!shapes.has(id)) throw new EngineError("usage", `blob "${id}"`, `${graph.name} has none`, "name another");
  }
  return kept;
}

/** Every node's parameters, all looked at before anything runs. */
function checkWeights({ nodes }: ShapedGraph, weights: Weights): ReadonlyMap<ShapedNode, readonly Tensor[]> {
  return new Map(
    nodes.map((node) => [
      node,
      node.parameters.map(({ name, shape }) => ofShape("weights", `weight "${name}"`, weights.get(name), shape)),
    ]),
  );
}

function ofShape(
  code: "array" | "weights",
  subject: string,
  tensor: Tensor | undefined,
  expected: Tensor["shape"],
): Tensor {
  if (!tensor || !sameShape(tensor.shape, expected)) {
    const problem = tensor ? `its shape is ${formatShape(tensor.shape)}` : "it is missing";
    throw new EngineError(code, subject, problem, `give ${formatShape(expected)}`);
  }
  return tensor;
}

/** A function to await often: it lets timers and events run where the last time was more than 20 ms ago. */
function pacer(): () => Promise<void> | undefined {
  let last = performance.now();
  return () => {
    if (performance.now() - last < 20) return undefined;
    return new Promise((resolve) =>
      setTimeout(() => {
        last = performance.now();
        resolve();
      }, 0),
    );
  };
}
