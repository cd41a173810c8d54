/** A network of a dozen layers that compiles in no time, with every op that GoogLeNet has. */

import { runReference } from "../../src/cpu/reference.ts";
import { type Graph, inferShapesForBatch } from "../../src/graph/graph.ts";
import { squareWindow } from "../../src/graph/ops/window.ts";
import { elementCount, type Tensor } from "../../src/graph/tensor.ts";
import type { Weights } from "../../src/graph/weights.ts";
import { randomTensor, uniform } from "../support/random.ts";

/** Its output for one image is `prob` (1, 10). */
export const tiny: Graph = {
  name: "tiny",
  inputs: [{ name: "data", shape: ["N", 3, 8, 8] }],
  nodes: [
    conv("stem", "data", 8, 3),
    { name: "stem/relu", op: { type: "relu" }, inputs: ["stem.linear"], output: "stem" },
    { name: "norm", op: { type: "lrn", size: 5, alpha: 1e-2, beta: 0.75, k: 1 }, inputs: ["stem"], output: "norm" },
    {
      name: "pool",
      op: { type: "pool_max", ...squareWindow(3, 2), rounding: "ceil" },
      inputs: ["norm"],
      output: "pool",
    },
    conv("left", "pool", 6, 1),
    { name: "left/relu", op: { type: "relu" }, inputs: ["left.linear"], output: "left" },
    conv("right", "pool", 5, 3),
    { name: "right/relu", op: { type: "relu" }, inputs: ["right.linear"], output: "right" },
    { name: "join", op: { type: "concat", axis: 1 }, inputs: ["left", "right"], output: "join" },
    { name: "mean", op: { type: "pool_global_avg" }, inputs: ["join"], output: "mean" },
    { name: "drop", op: { type: "dropout", ratio: 0.4 }, inputs: ["mean"], output: "drop" },
    { name: "fc", op: { type: "fully_connected", outFeatures: 10, bias: true }, inputs: ["drop"], output: "fc" },
    { name: "prob", op: { type: "softmax", axis: 1 }, inputs: ["fc"], output: "prob" },
  ],
  outputs: ["prob"],
};

function conv(name: string, input: string, outChannels: number, kernel: number): Graph["nodes"][number] {
  const op = { type: "conv", ...squareWindow(kernel, 1, kernel >> 1), outChannels, groups: 1, bias: true } as const;
  return { name, op, inputs: [input], output: `${name}.linear` };
}

/** Random weights for a graph. */
export function weightsFor(graph: Graph, seed: number): Weights {
  const next = uniform(seed);
  const { parameters } = inferShapesForBatch(graph, 1);
  return new Map(
    parameters.map(({ name, shape }) => [
      name,
      randomTensor(shape, next, Math.sqrt(6 / Math.max(elementCount(shape.slice(1)), 6))),
    ]),
  );
}

/** A random batch for `tiny`. */
export function batchOf(images: number, seed: number): Tensor {
  return randomTensor([images, 3, 8, 8], uniform(seed), 3);
}

/** What the reference makes of a batch for `tiny`. */
export async function referenceProb(weights: Weights, data: Tensor): Promise<Tensor> {
  const results = await runReference(inferShapesForBatch(tiny, data.shape[0]), weights, new Map([["data", data]]));
  return results.get("prob")!;
}
