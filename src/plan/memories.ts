/** Which memory each value of a graph lies in, before memories are given their places in the arena. */

import type { ShapedGraph, ValueId } from "../graph/graph.ts";
import type { Lifetime } from "./arena.ts";
import { type FusedNode, outputsOf } from "./fuse.ts";
import { constantParameter } from "./kernels/constant.ts";
import { placeValues } from "./place.ts";
import type { PackedParameter, View } from "./plan.ts";
import { byteLength, type Precision } from "./precision.ts";
/** Memory that some nodes need, before it is given a slot. */
export interface Memory extends Lifetime {
  /** The value or layer that it is for. */
  readonly subject: string;
}

/**
 * Finds every value's memory; the views' `slot` is the index into `memories`. Constants stay in their parameters but
 * where they are read back.
 */
export function placeInMemories(
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

/** Bytes of a buffer from which kernels may read four elements at a time. */
export function roundUp(bytes: number): number {
  return Math.ceil(bytes / 16) * 16;
}
