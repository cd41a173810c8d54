/** One op on inputs of given shapes: what a test checks and a benchmark times. */

import type { Graph, ShapedGraph, ValueId } from "../../../src/graph/graph.ts";
import { inferShapes } from "../../../src/graph/graph.ts";
import type { Op } from "../../../src/graph/ops.ts";
import type { Window } from "../../../src/graph/ops/window.ts";
import { elementCount, formatShape, type Shape, type Tensor } from "../../../src/graph/tensor.ts";
import type { Weights } from "../../../src/graph/weights.ts";
import { randomTensor, uniform } from "../random.ts";

/**
 * `network`: a layer of GoogLeNet at 224 × 224. `awkward`: small, and of a shape that breaks careless kernels.
 * `huge`: more than 65,535 workgroups of 64 for a thread an output.
 */
export type CaseGroup = "network" | "awkward" | "huge";

export interface OpCase {
  /** The op and every parameter of the case, e.g. `conv 8×3×13×17 o5 k3×5 s2×1 p1,2,0,1 d2×1 g1 bias`. */
  readonly name: string;
  readonly group: CaseGroup;
  readonly op: Op;
  readonly inputShapes: readonly Shape[];
  /** The node `layer` that takes `input0`, `input1`, … and makes `output`. */
  readonly shaped: ShapedGraph;
  readonly outputShape: Shape;
  /** Inputs are drawn from ± this. */
  readonly magnitude: number;
  /** What an engine that sums in float32 keeps to: largest difference over the output's largest magnitude. */
  readonly tolerance: number;
  readonly macs: number;
  /** float32 bytes of inputs, parameters and output, each counted once. */
  readonly bytes: number;
}

export interface CaseOptions {
  readonly group?: CaseGroup;
  readonly magnitude?: number;
}

/** The case of `op` on inputs of these shapes; everything else follows from the op's shape rule. */
export function opCase(
  op: Op,
  inputShapes: readonly Shape[],
  { group = "awkward", magnitude = defaultMagnitude(op) }: CaseOptions = {},
): OpCase {
  const inputs = inputShapes.map((shape, index) => ({ name: `input${index}`, shape }));
  const graph: Graph = {
    name: op.type,
    inputs,
    nodes: [{ name: "layer", op, inputs: inputs.map(({ name }) => name), output: "output" }],
    outputs: ["output"],
  };
  const shaped = inferShapes(graph, new Map(inputs.map(({ name, shape }) => [name, shape])));
  const [{ outputShape, parameters, macs }] = shaped.nodes;
  const scale = magnitude === defaultMagnitude(op) ? "" : ` ±${magnitude}`;
  return {
    name: `${op.type} ${inputShapes.map(formatShape).join("+")}${describe(op)}${scale}`,
    group,
    op,
    inputShapes,
    shaped,
    outputShape,
    magnitude,
    tolerance: toleranceOf(op),
    macs,
    bytes: 4 * [...inputShapes, ...parameters.map(({ shape }) => shape), outputShape].map(elementCount).reduce(add),
  };
}

/** Fresh inputs and parameters for a case; never a zero among them. */
export function drawCase(opCase: OpCase, seed: number): { inputs: Map<ValueId, Tensor>; weights: Weights } {
  const { shaped, magnitude } = opCase;
  const next = uniform(seed);
  const inputs = new Map<ValueId, Tensor>();
  for (const { name } of shaped.graph.inputs) {
    const input = randomTensor(shaped.shapes.get(name)!, next, magnitude);
    inputs.set(name, wantsPositive(opCase) ? { ...input, data: input.data.map(Math.abs) } : input);
  }
  const weights = new Map<string, Tensor>();
  for (const { name, shape } of shaped.parameters) {
    // Outputs about as large as inputs, so that a bias (±1) left out is seen in any of them.
    const fanIn = elementCount(shape.slice(1));
    weights.set(name, randomTensor(shape, next, Math.sqrt(1 / fanIn)));
  }
  return { inputs, weights };
}

function wantsPositive({ op, outputShape }: OpCase): boolean {
  // Averages of both signs would cancel and leave the rounding of their sums, as would a product that is one number;
  // roots, logarithms and powers of negative numbers are none.
  return (
    (op.type === "matmul" && outputShape.length === 0) ||
    op.type === "pool_avg" ||
    op.type === "pool_global_avg" ||
    op.type === "reduce" ||
    (op.type === "unary" && (op.function === "log" || op.function === "sqrt")) ||
    (op.type === "binary" && op.function === "pow")
  );
}

function defaultMagnitude(op: Op): number {
  // LRN hardly does anything to values below some hundred at α = 1e-4; softmax is flat near zero.
  return op.type === "lrn" ? 200 : op.type === "softmax" ? 8 : 1;
}

function toleranceOf(op: Op): number {
  switch (op.type) {
    case "pool_max":
    case "relu":
    case "dropout":
    case "identity":
    case "reshape":
    case "constant":
    case "concat":
    case "transpose":
    case "slice":
    case "gather":
    case "pad":
      return 0; // values are chosen or copied, never computed
    case "reduce":
      return op.function === "max" || op.function === "min" ? 0 : 1e-6;
    case "binary":
      return op.function === "pow" ? 1e-5 : op.function === "max" || op.function === "min" ? 0 : 5e-7;
    case "pool_avg":
    case "pool_global_avg":
    case "unary":
    case "scale":
      return 1e-6;
    case "softmax":
    case "lrn":
      return 2e-6;
    case "conv":
    case "fully_connected":
    case "matmul":
      return 5e-6;
    default:
      return op satisfies never;
  }
}

function describe(op: Op): string {
  switch (op.type) {
    case "conv":
      return ` o${op.outChannels}${describeWindow(op)} g${op.groups}${op.bias ? " bias" : ""}`;
    case "pool_max":
      return `${describeWindow(op)} ${op.rounding}`;
    case "pool_avg":
      return `${describeWindow(op)} ${op.rounding}${op.countPadding ? " padding-counted" : ""}`;
    case "lrn":
      return ` n${op.size} α${op.alpha} β${op.beta} k${op.k}${op.region === "within" ? " within" : ""}`;
    case "concat":
      return ` axis${op.axis}`;
    case "softmax":
      return ` axis${op.axis}${op.trailing ? "…" : ""}${op.log ? " log" : ""}`;
    case "fully_connected":
      return ` o${op.outFeatures}${op.bias ? " bias" : ""}`;
    case "scale":
      return ` axis${op.axis}+${op.axes}${op.bias ? " bias" : ""}`;
    case "pool_global_avg":
    case "relu":
    case "dropout":
    case "identity":
      return "";
    default: {
      // The others are told by their attributes as they stand.
      const attributes = Object.fromEntries(Object.entries(op).filter(([name]) => name !== "type"));
      return ` ${JSON.stringify(attributes).replace(/[{}"]/g, "").replaceAll(":", " ")}`;
    }
  }
}

function describeWindow({ kernel, stride, pad, dilation }: Window): string {
  const { top, left, bottom, right } = pad;
  return ` k${kernel.join("×")} s${stride.join("×")} p${top},${left},${bottom},${right} d${dilation.join("×")}`;
}

function add(a: number, b: number): number {
  return a + b;
}
