/**
 * Fusion: a ReLU that alone follows a layer whose kernels can do it too is computed by them, and so is a small max pooling
 * that a convolution alone looks at; convolutions of one input are computed as one.
 */

import type { Conv, Op, PoolMax } from "../graph/ops.ts";
import { elementCount, sameShape, type Shape } from "../graph/tensor.ts";
import type { ShapedGraph, ShapedNode, ValueId } from "../graph/graph.ts";

/** A node that becomes a step, with the ReLU that it swallowed. */
export interface FusedNode {
  readonly node: ShapedNode;
  readonly relu: boolean;
  /** `conv1/7x7_s2 + conv1/relu_7x7` */
  readonly name: string;
  /** The value that is left: the ReLU's where one was swallowed. */
  readonly output: ValueId;
  /** The other convolutions that `node` stands for; its channels are all of theirs. */
  readonly rest?: Rest;
  /** A max pooling that the convolution swallowed: the node's input is what it pools. */
  readonly pool?: PoolMax;
}

/** Convolutions that are computed along with another of the same input. */
export interface Rest {
  /** What their outputs make up together, side by side along the channels: no value of the graph. */
  readonly output: ValueId;
  readonly shape: Shape;
  readonly parts: readonly { readonly layer: string; readonly output: ValueId; readonly channels: number }[];
}

/** All the values that a node leaves. */
export function outputsOf({ output, rest }: FusedNode): ValueId[] {
  return [output, ...(rest?.parts ?? []).map((part) => part.output)];
}

/** The ops whose every kernel can take the ReLU behind them along. */
export const takesRelu: ReadonlySet<Op["type"]> = new Set(["conv", "fully_connected", "scale", "binary"] as const);

/** The graph's nodes, ReLUs fused where nothing else needs what came before them. */
export function fuseNodes({ nodes, graph }: ShapedGraph): FusedNode[] {
  const uses = countUses(nodes, graph.outputs);
  const makers = new Map(nodes.map((node) => [node.output, node]));
  const swallowed = new Map<ShapedNode, ShapedNode>();
  for (const node of nodes) {
    if (node.op.type !== "relu") continue;
    const maker = makers.get(node.inputs[0]);
    if (maker && takesRelu.has(maker.op.type) && uses.get(maker.output) === 1) swallowed.set(maker, node);
  }
  const gone = new Set(swallowed.values());
  return nodes
    .filter((node) => !gone.has(node))
    .map((node) => {
      const relu = swallowed.get(node);
      return relu ? { node, relu: true, name: `${node.name} + ${relu.name}`, output: relu.output } : plainNode(node);
    });
}

/** A node as it stands in the graph. */
export function plainNode(node: ShapedNode): FusedNode {
  return { node, relu: false, name: node.name, output: node.output };
}

/**
 * Elements that a pooling leaves at most where its convolution should swallow it: there a dispatch is expected to take
 * longer than to look at every window once for each block of output channels.
 */
const smallMap = 2 ** 18;

/** Max poolings of stride 1 that alone precede a 1×1 convolution, and leave the map's size, become a part of it. */
export function fusePools(nodes: readonly FusedNode[], outputs: readonly ValueId[]): FusedNode[] {
  const uses = countUses(
    nodes.map(({ node }) => node),
    outputs,
  );
  const pools = new Map(nodes.filter(({ node }) => isSwallowed(node)).map((pool) => [pool.output, pool]));
  const gone = new Set<FusedNode>();
  const swallowed = nodes.map((each) => {
    const { node, name } = each;
    const pool = pools.get(node.inputs[0]);
    const { op } = node;
    if (!pool || op.type !== "conv" || op.groups > 1 || op.kernel.some((extent) => extent > 1)) return each;
    if (uses.get(pool.output) !== 1) return each;
    gone.add(pool);
    const { inputs, inputShapes } = pool.node;
    return {
      ...each,
      node: { ...node, inputs, inputShapes },
      name: `${pool.name} + ${name}`,
      pool: pool.node.op as PoolMax,
    };
  });
  return swallowed.filter((each) => !gone.has(each));
}

function isSwallowed({ op, inputShapes, outputShape }: ShapedNode): boolean {
  return (
    op.type === "pool_max" &&
    [...op.stride, ...op.dilation].every((extent) => extent === 1) &&
    sameShape(inputShapes[0], outputShape) &&
    elementCount(outputShape) <= smallMap
  );
}

/**
 * Makes convolutions of one input with the same window into one, which reads the input once. The first writes to its
 * own place, as part of a concat if need be; the others, which convolutions alone read, side by side to another.
 *
 * @param mergeable - those that the device has a kernel for that writes to two places
 */
export function mergeConvolutions(
  nodes: readonly FusedNode[],
  mergeable: (conv: Conv) => boolean = () => true,
): FusedNode[] {
  const families = new Map<string, FusedNode[]>();
  for (const each of nodes) {
    const { op, inputs } = each.node;
    if (op.type !== "conv" || op.groups > 1 || !mergeable(op)) continue;
    const key = JSON.stringify([inputs, each.relu, each.pool, { ...op, outChannels: 0 }]);
    families.set(key, [...(families.get(key) ?? []), each]);
  }
  const readElsewhere = new Set(nodes.flatMap(({ node }) => (node.op.type === "conv" ? [] : node.inputs)));
  const taken = new Set(nodes.flatMap(({ node, output }) => [...node.inputs, node.output, output]));
  const replaced = new Map<FusedNode, FusedNode | undefined>();
  for (const family of families.values()) {
    const first = family.find(({ output }) => readElsewhere.has(output)) ?? family[0];
    const rest = family.filter((each) => each !== first && !readElsewhere.has(each.output));
    if (rest.length === 0) continue;
    for (const each of [first, ...rest]) replaced.set(each, undefined);
    // All have the same input: where the earliest stands, it is there.
    const [earliest] = family.filter((each) => replaced.has(each));
    const merged = mergedNode(first, rest, taken);
    taken.add(merged.rest.output);
    replaced.set(earliest, merged);
  }
  return nodes.flatMap((each) => (replaced.has(each) ? (replaced.get(each) ?? []) : each));
}

function mergedNode(
  first: FusedNode,
  rest: readonly FusedNode[],
  taken: ReadonlySet<ValueId>,
): FusedNode & { readonly rest: Rest } {
  const channelsOf = (some: readonly FusedNode[]) => some.reduce((sum, { node }) => sum + node.outputShape[1], 0);
  const all = [first, ...rest];
  const { node } = first;
  let output = rest.map((each) => each.output).join(" + ");
  while (taken.has(output)) output += "'";
  return {
    ...first,
    node: {
      ...node,
      op: { ...node.op, outChannels: channelsOf(all) } as Conv,
      outputShape: node.outputShape.with(1, channelsOf(all)),
      parameters: all.flatMap((each) => each.node.parameters),
      macs: all.reduce((sum, each) => sum + each.node.macs, 0),
    },
    name: all.map(({ name }) => name).join(" + "),
    rest: {
      output,
      shape: node.outputShape.with(1, channelsOf(rest)),
      parts: rest.map((each) => ({
        layer: each.node.name,
        output: each.output,
        channels: each.node.outputShape[1],
      })),
    },
  };
}

function countUses(nodes: readonly Pick<ShapedNode, "inputs">[], outputs: readonly ValueId[]): Map<ValueId, number> {
  const uses = new Map<ValueId, number>();
  for (const id of [...nodes.flatMap((node) => node.inputs), ...outputs]) uses.set(id, (uses.get(id) ?? 0) + 1);
  return uses;
}
