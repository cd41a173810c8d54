/**
 * Placement: which values lie in memory of their own, and which are a part of another's. A concat's inputs are
 * written straight into their slice of its output; dropout's output is its input.
 */

import { EngineError } from "../errors.ts";
import type { GraphInput, ValueId } from "../graph/graph.ts";
import { resolveAxis } from "../graph/ops/op_rule.ts";
import { elementCount, type Shape } from "../graph/tensor.ts";
import type { FusedNode } from "./fuse.ts";

/** A value's place within the memory of `root`; a value of its own is its own root. */
export interface Place {
  readonly root: ValueId;
  /** Elements before the first image. */
  readonly offset: number;
}

/**
 * The place of every value that the nodes leave.
 *
 * @param joinInPlace - whether concat's inputs may be slices of its output; otherwise each is copied
 */
export function placeValues(
  inputs: readonly GraphInput[],
  nodes: readonly FusedNode[],
  shapes: ReadonlyMap<ValueId, Shape>,
  joinInPlace: boolean,
): Map<ValueId, Place> {
  const ids = [...inputs.map(({ name }) => name), ...nodes.map(({ output }) => output)];
  const slices = joinInPlace ? concatSlices(nodes, shapes) : new Map<ValueId, Place>();
  for (;;) {
    const places = resolvePlaces(ids, new Map([...slices, ...dropoutAliases(nodes)]));
    const misplaced = findMisplaced(nodes, places, slices);
    if (misplaced === undefined) return places;
    if (!slices.delete(misplaced)) {
      throw new EngineError("graph", misplaced, "it is read by the layer that writes over it", "report this defect");
    }
  }
}

/** The values that could be slices of a concat's output, and where. */
function concatSlices(nodes: readonly FusedNode[], shapes: ReadonlyMap<ValueId, Shape>): Map<ValueId, Place> {
  const slices = new Map<ValueId, Place>();
  const computed = new Set<ValueId>();
  for (const { node, output } of nodes) {
    if (node.op.type === "dropout") continue;
    computed.add(output);
    if (node.op.type !== "concat") continue;
    const shape = shapes.get(output)!;
    const axis = resolveAxis(node.name, node.op.axis, shape.length);
    // Along later axes a slice is not one run of each image; along the batch its place would hang on how far apart
    // the images of whatever the output becomes a slice of lie.
    if (axis !== 1) continue;
    const inner = elementCount(shape.slice(axis + 1));
    let start = 0;
    for (const id of node.inputs) {
      if (computed.has(id) && !slices.has(id)) slices.set(id, { root: output, offset: start * inner });
      start += shapes.get(id)![axis];
    }
  }
  return slices;
}

function dropoutAliases(nodes: readonly FusedNode[]): [ValueId, Place][] {
  return nodes.flatMap(({ node, output }): [ValueId, Place][] =>
    node.op.type === "dropout" ? [[output, { root: node.inputs[0], offset: 0 }]] : [],
  );
}

/** Follows parts of parts to the value that has the memory. */
function resolvePlaces(ids: readonly ValueId[], parents: ReadonlyMap<ValueId, Place>): Map<ValueId, Place> {
  const places = new Map<ValueId, Place>();
  const resolve = (id: ValueId): Place => {
    const known = places.get(id);
    if (known) return known;
    const parent = parents.get(id);
    const above = parent && resolve(parent.root);
    const place = above ? { root: above.root, offset: above.offset + parent.offset } : { root: id, offset: 0 };
    places.set(id, place);
    return place;
  };
  ids.forEach(resolve);
  return places;
}

/**
 * A slice that must have memory of its own after all: a dispatch binds the whole range of a value and of those around
 * it, and WebGPU lets no two ranges overlap if one is written. So a node can't read one slice of a concat and write
 * another, and a concat can't copy within its own output.
 */
function findMisplaced(
  nodes: readonly FusedNode[],
  places: ReadonlyMap<ValueId, Place>,
  slices: ReadonlyMap<ValueId, Place>,
): ValueId | undefined {
  for (const { node, output } of nodes) {
    const { root } = places.get(output)!;
    if (node.op.type === "dropout") continue;
    const joined = new Set<ValueId>();
    for (const id of node.inputs) {
      if (places.get(id)!.root !== root) continue;
      const inPlace = slices.get(id)?.root === output && !joined.has(id);
      joined.add(id);
      if (inPlace) continue;
      // Freeing either of the two mends it; the one that is a slice can be freed.
      return slices.has(output) ? output : slices.has(id) ? id : sliceBelow(id, nodes, slices);
    }
  }
  return undefined;
}

/** The slice that a dropout's output, not itself one, is an alias of. */
function sliceBelow(id: ValueId, nodes: readonly FusedNode[], slices: ReadonlyMap<ValueId, Place>): ValueId {
  const maker = nodes.find(({ output }) => output === id);
  return maker?.node.op.type === "dropout" && !slices.has(maker.node.inputs[0])
    ? sliceBelow(maker.node.inputs[0], nodes, slices)
    : (maker?.node.inputs[0] ?? id);
}
