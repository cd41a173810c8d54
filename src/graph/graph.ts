/** What is computed: a directed acyclic graph of ops over named values (Caffe calls them blobs). */

import { EngineError } from "../errors.ts";
import { inferOp, type Op } from "./ops.ts";
import type { Inferred } from "./ops/op_rule.ts";
import { formatShape, sameShape, type Shape } from "./tensor.ts";

/** The name of a value that flows between nodes, and of the blob that it is to a user. */
export type ValueId = string;

/** A layer: an op on values. */
export interface Node {
  /** The layer's name; its parameters are `NAME.weight` and `NAME.bias`. */
  readonly name: string;
  readonly op: Op;
  readonly inputs: readonly ValueId[];
  readonly output: ValueId;
}

/** An array that the caller gives, float32. */
export interface GraphInput {
  readonly name: ValueId;
  /** Extents; a string stands for one that the caller binds (the batch size `N`). */
  readonly shape: readonly (number | string)[];
}

/** A network without its weights. Plain data: write one by hand, or let a reader of model files make it. */
export interface Graph {
  readonly name: string;
  readonly inputs: readonly GraphInput[];
  /** In an order in which every input comes before its use. */
  readonly nodes: readonly Node[];
  readonly outputs: readonly ValueId[];
}

/** A weight or bias that a graph needs. */
export interface Parameter {
  /** `conv1/7x7_s2.weight` */
  readonly name: string;
  readonly shape: Shape;
}

/** What a node came to once its inputs' shapes were known. */
export interface ShapedNode extends Node {
  readonly inputShapes: readonly Shape[];
  readonly outputShape: Shape;
  readonly parameters: readonly Parameter[];
  readonly macs: number;
}

/** A graph whose every shape is known. */
export interface ShapedGraph {
  readonly graph: Graph;
  readonly nodes: readonly ShapedNode[];
  /** The shape of every value, inputs first, then in the order of the nodes. */
  readonly shapes: ReadonlyMap<ValueId, Shape>;
  readonly parameters: readonly Parameter[];
  readonly macs: number;
}

/** The inputs' shapes with every named extent replaced by its binding, say `{ N: 8 }`. */
export function bindInputs(graph: Graph, extents: Readonly<Record<string, number>>): Map<ValueId, Shape> {
  return new Map(
    graph.inputs.map(({ name, shape }) => [
      name,
      shape.map((extent) => {
        const bound = typeof extent === "number" ? extent : extents[extent];
        if (bound === undefined || !Number.isSafeInteger(bound) || bound < 1) {
          throw new EngineError(
            "usage",
            `input "${name}"`,
            `its extent ${extent} is ${bound === undefined ? "not given" : bound}`,
            "give a whole number from 1",
          );
        }
        return bound;
      }),
    ]),
  );
}

/** Infers every shape of the graph from its inputs' and checks that the graph is well formed. */
export function inferShapes(graph: Graph, inputs: ReadonlyMap<ValueId, Shape>): ShapedGraph {
  const shapes = new Map<ValueId, Shape>();
  for (const input of graph.inputs) {
    shapes.set(input.name, checkInput(input, inputs.get(input.name)));
  }
  const nodes = graph.nodes.map((node): ShapedNode => {
    const inputShapes = node.inputs.map((id) => {
      const shape = shapes.get(id);
      if (!shape) throw malformed(node.name, `nothing before it makes its input "${id}"`, node.name);
      return shape;
    });
    if (shapes.has(node.output)) throw malformed(node.name, `"${node.output}" is made twice`, node.name);
    const { output, parameters, macs } = inferNode(node, inputShapes);
    shapes.set(node.output, output);
    return {
      ...node,
      inputShapes,
      outputShape: output,
      parameters: parameters.map(({ role, shape }) => ({ name: `${node.name}.${role}`, shape })),
      macs,
    };
  });
  for (const id of graph.outputs) {
    if (!shapes.has(id)) throw malformed(graph.name, `nothing makes its output "${id}"`);
  }
  return {
    graph,
    nodes,
    shapes,
    parameters: nodes.flatMap((node) => node.parameters),
    macs: nodes.reduce((sum, node) => sum + node.macs, 0),
  };
}

function inferNode({ name, op, inputs }: Node, shapes: readonly Shape[]): Inferred {
  try {
    return inferOp(name, op, shapes);
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    throw error.concerning({ layer: name, shapes: Object.fromEntries(inputs.map((id, index) => [id, shapes[index]])) });
  }
}

/** Shapes for one batch size, for graphs whose only free extent is the batch `N`. */
export function inferShapesForBatch(graph: Graph, batch: number): ShapedGraph {
  return inferShapes(graph, bindInputs(graph, { N: batch }));
}

function checkInput({ name, shape: expected }: GraphInput, shape: Shape | undefined): Shape {
  const fits =
    shape?.length === expected.length &&
    shape.every((extent, axis) => extent >= 1 && (typeof expected[axis] === "string" || extent === expected[axis]));
  if (!shape || !fits) {
    throw new EngineError(
      "array",
      `input "${name}"`,
      `its shape is ${shape ? formatShape(shape) : "missing"}`,
      `give ${formatShape(expected)}`,
      { shapes: shape ? { given: shape, expected } : { expected } },
    );
  }
  return shape;
}

function malformed(subject: string, problem: string, layer?: string): EngineError {
  return new EngineError("graph", subject, problem, "correct the graph", layer === undefined ? {} : { layer });
}

/**
 * The part of a graph that the given values need: nodes that lead to none of them are left out.
 * Throws EngineError "usage" for a value that the graph does not have.
 */
export function subgraphFor(graph: Graph, outputs: readonly ValueId[]): Graph {
  const known = new Set([...graph.inputs.map((input) => input.name), ...graph.nodes.map((node) => node.output)]);
  for (const id of outputs) {
    if (!known.has(id)) throw new EngineError("usage", `blob "${id}"`, `${graph.name} has none`, "name another");
  }
  const needed = new Set(outputs);
  const nodes = graph.nodes.toReversed().filter((node) => {
    if (!needed.has(node.output)) return false;
    for (const id of node.inputs) needed.add(id);
    return true;
  });
  return { ...graph, nodes: nodes.toReversed(), outputs };
}

/** Whether two shaped graphs agree in every shape: what a session's plan was made for. */
export function sameShapes(a: ReadonlyMap<ValueId, Shape>, b: ReadonlyMap<ValueId, Shape>): boolean {
  return a.size === b.size && [...a].every(([id, shape]) => sameShape(shape, b.get(id) ?? []));
}
