/** How the crops of a stream of pictures are put into batches: plain numbers. */

import { EngineError } from "../errors.ts";
import { inferShapesForBatch, type Graph } from "../graph/graph.ts";
import { elementCount } from "../graph/tensor.ts";
import type { PlanLimits } from "../plan/limits.ts";
import { bytesPerElement } from "../plan/plan.ts";
import { elementBytes } from "../plan/precision.ts";
import { largestBatch, splitBatch } from "../plan/batches.ts";
import { planGraph, type PlanOptions } from "../plan/planner.ts";

/** Bytes that activations and crops may take unless told otherwise: some fifty crops in float32. */
export const DEFAULT_MEMORY = 256_000_000;

/** The crops of a picture in one batch: `count` of them from `first` on. */
export interface Part {
  readonly first: number;
  readonly count: number;
}

/** Batches of one size: either of several whole pictures, or of an equal part of one. */
export interface Batching {
  /** Pictures that are taken together. */
  readonly pictures: number;
  /** The parts in which each one's crops are computed: one, or a batch each. */
  readonly parts: readonly Part[];
}

/**
 * The batches for pictures of `crops` crops each where at most `most` crops are computed at once.
 *
 * @param pictures - how many pictures there are, if that is known
 */
export function batching(crops: number, most: number, pictures = Infinity): Batching {
  let first = 0;
  const parts = splitBatch(crops, most).map((count) => {
    first += count;
    return { first: first - count, count };
  });
  return { pictures: parts.length > 1 ? 1 : Math.max(1, Math.min(Math.floor(most / crops), pictures)), parts };
}

export interface Room {
  /** Bytes for activations and crops. */
  readonly memory: number;
  readonly limits: PlanLimits;
  readonly options: PlanOptions;
}

/**
 * How many crops at once keep all models' activations, the crops and the results within the memory, and each buffer
 * within the device's limits; at most `wanted`.
 * @throws EngineError `out-of-memory` where not even one crop fits.
 */
export function cropsAtOnce(graphs: readonly Graph[], wanted: number, { memory, limits, options }: Room): number {
  const { precision = "f32" } = options;
  const singles = graphs.map((graph) => inferShapesForBatch(graph, 1));
  const bytes = singles.reduce(
    (sum, single) => {
      const { shapes, graph } = single;
      const results = graph.outputs.reduce((elements, id) => elements + elementCount(shapes.get(id)!), 0);
      // In float16, results are widened in a buffer of their own first.
      const copies = precision === "f32" ? 1 : 2;
      return sum + planGraph(single, limits, options).arenaBytes + copies * results * bytesPerElement;
    },
    elementCount(singles[0].shapes.get(graphs[0].inputs[0].name)!) * elementBytes[precision],
  );
  if (bytes > memory) {
    const what = graphs.length === 1 ? "one crop takes" : `one crop through ${graphs.length} models takes`;
    throw new EngineError("out-of-memory", "memory", `${what} ${bytes} bytes, and it may take ${memory}`, "allow more");
  }
  const byMemory = Math.min(wanted, Math.floor(memory / bytes));
  // Where the device can't hold even one, making its session says which value is too large.
  return singles.reduce((most, single) => Math.max(1, largestBatch(single, limits, most, options)), byMemory);
}
