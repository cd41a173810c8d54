/** A problem of a plan with random inputs and parameters, and what the CPU reference makes of it. */

import { poolMax } from "../cpu/pool_max.ts";
import { runNode } from "../cpu/reference.ts";
import { relu } from "../cpu/relu.ts";
import { halvesToFloats } from "../formats/half.ts";
import type { ValueId } from "../graph/graph.ts";
import type { Op } from "../graph/ops.ts";
import { elementCount, imageCount, type Shape, type Tensor } from "../graph/tensor.ts";
import type { Weights } from "../graph/weights.ts";
import type { FusedNode } from "../plan/fuse.ts";
import { floatsToHalves } from "../plan/half.ts";
import type { Problem } from "../plan/kernel.ts";
import type { Plan } from "../plan/plan.ts";
import type { Precision } from "../plan/precision.ts";
import { type BlobVerdict, compareBlob, tolerancesOf } from "../verify/compare.ts";
import { fillWithNoise } from "../verify/noise.ts";

/** The reference takes long: of a batch, whose images look the same to every kernel, so many are different. */
const differentImages = 2;

export interface ProblemCase {
  readonly inputs: readonly Tensor[];
  readonly weights: Weights;
  /** All images that are different, and their outputs as they should be. */
  readonly expected: Tensor;
}

/**
 * Draws a case.
 *
 * @param images - the graph's values that are made of images which don't look at each other, where there are any
 * @param seed - a whole number from 1
 */
export function drawProblem(
  { node, relu: isRectified, pool }: FusedNode,
  problem: Problem,
  images: ReadonlySet<ValueId> | undefined,
  seed: number,
): ProblemCase {
  const batch = imageCount(node.outputShape);
  const apart = images !== undefined && [...node.inputs, node.output].every((id) => images.has(id));
  const different = apart ? Math.min(batch, differentImages) : batch;
  let seeds = seed;
  const stored = ({ shape, data }: Tensor): Tensor => ({ shape, data: asStored(data, problem.precision) });
  const drawn = problem.inputs.map(({ shape }) =>
    stored(drawTensor(apart ? shape.with(0, different) : shape, seeds++, node.op)),
  );
  // An operand that is given twice is the same both times.
  const inputs = problem.inputs.map((view, index) => {
    const twin = problem.inputs.findIndex(({ slot, offset }) => slot === view.slot && offset === view.offset);
    return drawn[Math.min(twin, index)];
  });
  const weights = new Map(
    node.parameters.map(({ name, shape }) => {
      const tensor = drawTensor(shape, seeds++);
      // Outputs about as large as inputs, so that a bias left out is seen in any of them.
      const scale = 1 / Math.sqrt(elementCount(shape.slice(1)));
      return [name, stored({ shape, data: tensor.data.map((value) => value * scale) })] as const;
    }),
  );
  const outputShape = apart ? node.outputShape.with(0, different) : node.outputShape;
  const pooled = pool ? [poolMax(pool, inputs[0], inputs[0].shape)] : inputs;
  const output = runNode({ ...node, outputShape }, pooled, joinedParameters(problem, weights));
  return {
    inputs: inputs.map((tensor, index) => repeated(tensor, problem.inputs[index].shape)),
    weights,
    expected: isRectified ? relu(output) : output,
  };
}

/** Compares what an algorithm made of the case with what it should be. */
export function compareCase(
  { expected }: ProblemCase,
  output: Tensor,
  op: Op,
  plan: Pick<Plan, "precision" | "tolerance">,
): BlobVerdict {
  const kind = op.type === "softmax" && !op.log ? "probability" : "activation";
  return compareBlob("output", output, repeated(expected, output.shape), kind, tolerancesOf(plan));
}

/** Values as the device has them, so that the reference computes from the same. */
function asStored(data: Float32Array, precision: Precision): Float32Array {
  return precision === "f16" ? halvesToFloats(floatsToHalves(data).subarray(0, data.length)) : data;
}

/** Noise around ±1; above 0 where roots, logarithms and powers would be none. */
function drawTensor(shape: Shape, seed: number, op?: Op): Tensor {
  const data = new Float32Array(elementCount(shape));
  fillWithNoise(data, seed);
  const positive = op?.type === "unary" || (op?.type === "binary" && op.function === "pow");
  return { shape, data: data.map((value) => (positive ? Math.abs(value) + 1 : value) / 128) };
}

/** Images over and over until there are as many as the shape has. */
function repeated({ data }: Tensor, shape: Shape): Tensor {
  const all = new Float32Array(elementCount(shape));
  for (let start = 0; start < all.length; start += data.length) {
    all.set(data.subarray(0, Math.min(data.length, all.length - start)), start);
  }
  return { shape, data: all };
}

/** The node's parameters by their roles, those of several layers in one, as the convolution that stands for them has. */
function joinedParameters({ layer, restLayers = [] }: Problem, weights: Weights): Tensor[] {
  const layers = [layer, ...restLayers];
  return ["weight", "bias"].flatMap((role) => {
    const tensors = layers.flatMap((each) => weights.get(`${each}.${role}`) ?? []);
    if (tensors.length === 0) return [];
    const data = new Float32Array(tensors.reduce((sum, tensor) => sum + tensor.data.length, 0));
    let end = 0;
    for (const tensor of tensors) {
      data.set(tensor.data, end);
      end += tensor.data.length;
    }
    const first = tensors.reduce((sum, { shape }) => sum + shape[0], 0);
    return [{ shape: tensors[0].shape.with(0, first), data }];
  });
}
