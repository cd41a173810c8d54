/**
 * Placement: which values lie in memory of their own, and which are a part of another's. A concat's inputs are
 * written straight into their slice of its output; a view's output is its input.
 */

import { EngineError } from "../errors.ts";
import type { GraphInput, ValueId } from "../graph/graph.ts";
import { resolveAxis } from "../graph/ops/op_rule.ts";
import { isView } from "../graph/ops/view.ts";
import { elementCount, elementsPerImage, imageCount, type Shape } from "../graph/tensor.ts";
import { type FusedNode, outputsOf } from "./fuse.ts";

/** A value's place within the memory of `root`; a value of its own is its own root. */
export interface Place {
  readonly root: ValueId;
  /** Elements before the first image. */
  readonly offset: number;
  /** Elements from an image to the next. */
  readonly stride: number;
}

/** A part of another value: its images start `offset` elements behind those of `parent`. */
interface Part {
  readonly parent: ValueId;
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
  const ids = [...inputs.map(({ name }) => name), ...nodes.flatMap(outputsOf)];
  const slices = joinInPlace ? concatSlices(nodes, shapes) : new Map<ValueId, Part>();
  for (;;) {
    const places = resolvePlaces(ids, new Map([...slices, ...restParts(nodes), ...viewParts(nodes)]), shapes);
    const misplaced = findScattered(nodes, places, shapes, slices) ?? findMisplaced(nodes, places, slices);
    if (misplaced === undefined) return places;
    if (!slices.delete(misplaced)) {
      throw new EngineError("graph", misplaced, "it is read by the layer that writes over it", "report this defect");
    }
  }
}

/** The values that could be slices of a concat's output, and where. */
function concatSlices(nodes: readonly FusedNode[], shapes: ReadonlyMap<ValueId, Shape>): Map<ValueId, Part> {
  const slices = new Map<ValueId, Part>();
  const computed = new Set<ValueId>();
  for (const { node, output } of nodes) {
    if (isView(node.op) || node.op.type === "constant") continue;
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
      if (computed.has(id) && !slices.has(id)) slices.set(id, { parent: output, offset: start * inner });
      start += shapes.get(id)![axis];
    }
  }
  return slices;
}

/** The outputs of merged convolutions, beside each other. */
function restParts(nodes: readonly FusedNode[]): [ValueId, Part][] {
  return nodes.flatMap(({ rest }) => {
    if (!rest) return [];
    const pixels = elementCount(rest.shape.slice(2));
    let channels = 0;
    return rest.parts.map((part): [ValueId, Part] => {
      const place = { parent: rest.output, offset: channels * pixels };
      channels += part.channels;
      return [part.output, place];
    });
  });
}

function viewParts(nodes: readonly FusedNode[]): [ValueId, Part][] {
  return nodes.flatMap(({ node, output }): [ValueId, Part][] =>
    isView(node.op) ? [[output, { parent: node.inputs[0], offset: 0 }]] : [],
  );
}

/** Follows parts of parts to the value that has the memory. */
function resolvePlaces(
  ids: readonly ValueId[],
  parts: ReadonlyMap<ValueId, Part>,
  shapes: ReadonlyMap<ValueId, Shape>,
): Map<ValueId, Place> {
  const places = new Map<ValueId, Place>();
  const resolve = (id: ValueId): Place => {
    const known = places.get(id);
    if (known) return known;
    const shape = shapes.get(id)!;
    const part = parts.get(id);
    const above = part && resolve(part.parent);
    const place = above
      ? {
          root: above.root,
          offset: above.offset + part.offset,
          // A view with other images is one of a value that lies in one piece, or is mended.
          stride: imageCount(shape) === imageCount(shapes.get(part.parent)!) ? above.stride : elementsPerImage(shape),
        }
      : { root: id, offset: 0, stride: elementsPerImage(shape) };
    places.set(id, place);
    return place;
  };
  ids.forEach(resolve);
  return places;
}

/** A slice that must have memory of its own after all, because a node takes its value for one piece. */
function findScattered(
  nodes: readonly FusedNode[],
  places: ReadonlyMap<ValueId, Place>,
  shapes: ReadonlyMap<ValueId, Shape>,
  slices: ReadonlyMap<ValueId, Part>,
): ValueId | undefined {
  for (const fused of nodes) {
    for (const id of wantedWhole(fused, shapes)) {
      const shape = shapes.get(id)!;
      const whole = imageCount(shape) === 1 || places.get(id)!.stride === elementsPerImage(shape);
      if (!whole) return sliceBelow(id, nodes, slices);
    }
  }
  return undefined;
}

/** The values that a node takes for one piece: a reshape's that moves the bounds of images, and rows of whole values. */
function wantedWhole({ node, output }: FusedNode, shapes: ReadonlyMap<ValueId, Shape>): readonly ValueId[] {
  const { op, inputs, name } = node;
  const shape = shapes.get(output)!;
  if (op.type === "reshape") return imageCount(shape) === imageCount(shapes.get(inputs[0])!) ? [] : inputs;
  if (op.type === "softmax" && op.trailing) {
    return resolveAxis(name, op.axis, shape.length) === 0 ? [...inputs, output] : [];
  }
  return [];
}

/**
 * A slice that must have memory of its own after all: a dispatch binds the whole range of a value and of those around
 * it, and WebGPU lets no two ranges overlap if one is written. So a node can't read one slice of a concat and write
 * another, and a concat can't copy within its own output.
 */
function findMisplaced(
  nodes: readonly FusedNode[],
  places: ReadonlyMap<ValueId, Place>,
  slices: ReadonlyMap<ValueId, Part>,
): ValueId | undefined {
  for (const { node, output } of nodes) {
    const { root } = places.get(output)!;
    if (isView(node.op)) continue;
    const joined = new Set<ValueId>();
    for (const id of node.inputs) {
      if (places.get(id)!.root !== root) continue;
      const inPlace = slices.get(id)?.parent === output && !joined.has(id);
      joined.add(id);
      if (inPlace) continue;
      // Freeing either of the two mends it; the one that is a slice can be freed.
      return slices.has(output) ? output : sliceBelow(id, nodes, slices);
    }
  }
  return undefined;
}

/** The slice that a value is, or is a view of. */
function sliceBelow(id: ValueId, nodes: readonly FusedNode[], slices: ReadonlyMap<ValueId, Part>): ValueId {
  if (slices.has(id)) return id;
  const maker = nodes.find(({ output }) => output === id);
  return maker && isView(maker.node.op) ? sliceBelow(maker.node.inputs[0], nodes, slices) : id;
}
