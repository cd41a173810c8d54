/** Which values are made of images that do not look at each other, so that a batch of them may be computed in parts. */

import { type Graph, inferShapesForBatch, type ShapedNode, type ValueId } from "../graph/graph.ts";
import { resolveAxis } from "../graph/ops/op_rule.ts";
import type { Shape } from "../graph/tensor.ts";

/**
 * The values of a graph whose every image, an index of their first axis, depends on that image of the inputs alone;
 * `undefined` where a value that depends on the inputs is not of that kind, and no batch can be split.
 */
export function imageValues(graph: Graph, batch: number): ReadonlySet<ValueId> | undefined {
  if (!graph.inputs.every(({ shape }) => shape.every((extent, axis) => (extent === "N") === (axis === 0)))) {
    return undefined;
  }
  const [one, all] = [1, batch].map((images) => inferShapesForBatch(graph, images));
  const images = new Set(graph.inputs.map(({ name }) => name));
  for (const node of all.nodes) {
    if (!node.inputs.some((id) => images.has(id))) continue;
    // A reshape that puts other images together shows in their number, unless it is 1 or the batch by accident.
    const counts = node.outputShape[0] === batch && one.shapes.get(node.output)![0] === 1;
    const apart = node.inputs.map((id) => images.has(id));
    if (!counts || !keepsImagesApart(node, apart)) return undefined;
    images.add(node.output);
  }
  return graph.outputs.every((id) => images.has(id)) ? images : undefined;
}

/** Whether each image of a node's output needs only the same image of those inputs that are made of images. */
function keepsImagesApart({ name, op, inputShapes, outputShape }: ShapedNode, apart: readonly boolean[]): boolean {
  const isFirst = (axis: number) => resolveAxis(name, axis, inputShapes[0].length) === 0;
  switch (op.type) {
    case "conv":
    case "pool_max":
    case "pool_avg":
    case "pool_global_avg":
    case "relu":
    case "dropout":
    case "identity":
    case "unary":
    case "scale":
    case "lrn":
    case "fully_connected":
    case "reshape":
    case "constant":
      return true;
    case "concat":
      return !isFirst(op.axis) && apart.every(Boolean);
    case "softmax":
    case "gather":
      return !isFirst(op.axis);
    case "reduce":
      return !op.axes.some(isFirst);
    case "slice":
      return !op.ranges.some(({ axis }) => isFirst(axis));
    case "transpose":
      return op.permutation[0] === 0;
    case "pad":
      return op.before[0] === 0 && op.after[0] === 0;
    case "binary":
      return inputShapes.every((shape, input) => leads(shape, apart[input], outputShape.length));
    case "matmul": {
      const [rankA, rankB] = inputShapes.map(({ length }) => length);
      const rank = Math.max(rankA, rankB);
      // A matrix's rows are images where every image is multiplied by the same.
      if (rank <= 2) return rankA === 2 && !op.transposeA && apart[0] && !apart[1];
      return inputShapes.every((shape, input) => leads(shape, apart[input], rank));
    }
    default:
      return op satisfies never;
  }
}

/** Whether an operand's images meet those of a result of `rank` axes, or, having none, it is the same for all. */
function leads(shape: Shape, hasImages: boolean, rank: number): boolean {
  return hasImages ? shape.length === rank : shape.length < rank || shape[0] === 1;
}
