/** Fusion: a ReLU that alone follows a layer whose kernels can do it too is computed by them. */

import type { Op } from "../graph/ops.ts";
import type { ShapedGraph, ShapedNode, ValueId } from "../graph/graph.ts";

/** A node that becomes a step, with the ReLU that it swallowed. */
export interface FusedNode {
  readonly node: ShapedNode;
  readonly relu: boolean;
  /** `conv1/7x7_s2 + conv1/relu_7x7` */
  readonly name: string;
  /** The value that is left: the ReLU's where one was swallowed. */
  readonly output: ValueId;
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

function countUses(nodes: readonly ShapedNode[], outputs: readonly ValueId[]): Map<ValueId, number> {
  const uses = new Map<ValueId, number>();
  for (const id of [...nodes.flatMap((node) => node.inputs), ...outputs]) uses.set(id, (uses.get(id) ?? 0) + 1);
  return uses;
}
