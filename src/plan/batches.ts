/** Batches that a device has room for, and larger ones in parts. */

import { EngineError } from "../errors.ts";
import { type Graph, inferShapesForBatch, type ShapedGraph, type ValueId } from "../graph/graph.ts";
import { imageValues } from "./images.ts";
import { largestBuffer, type PlanLimits } from "./limits.ts";
import { roundUp } from "./memories.ts";
import { edgesOf, planGraph, type PlanOptions } from "./planner.ts";
import { byteLength, checkPrecision, type Precision } from "./precision.ts";

/**
 * How many images at once keep every buffer within the limits, at most `batch`. 0 where not even one does, or where
 * the graph mixes images (an op along the batch axis) and its batch cannot be split.
 *
 * @param single - the graph's shapes for one image
 */
export function largestBatch(
  single: ShapedGraph,
  limits: PlanLimits,
  batch: number,
  options: PlanOptions = {},
): number {
  checkPrecision(options.precision, limits);
  const images = imageValues(single.graph, batch);
  if (!images) return fits(single.graph, batch, limits, options) ? batch : 0;
  const bytesOf = (id: ValueId, precision?: Precision) => roundUp(byteLength(single.shapes.get(id)!, precision));
  const imageBytes = Math.max(
    ...[...images].map((id) => bytesOf(id, options.precision)),
    ...edgesOf(single.graph).map((id) => bytesOf(id)),
  );
  let most = Math.min(batch, Math.floor(largestBuffer(limits) / imageBytes));
  while (most > 0) {
    const arena = planGraph(inferShapesForBatch(single.graph, most), { ...limits, maxBufferSize: Infinity }, options);
    if (arena.arenaBytes <= limits.maxBufferSize) break;
    most = Math.min(most - 1, Math.floor((most * limits.maxBufferSize) / arena.arenaBytes));
  }
  return most;
}

function fits(graph: Graph, batch: number, limits: PlanLimits, options: PlanOptions): boolean {
  const shaped = inferShapesForBatch(graph, batch);
  try {
    planGraph(shaped, limits, options);
    return true;
  } catch (error) {
    if (error instanceof EngineError && error.code === "out-of-memory") return false;
    throw error;
  }
}

/**
 * The sizes in which a session runs a batch.
 *
 * @param single - the graph's shapes for one image
 */
export function partsOf(single: ShapedGraph, limits: PlanLimits, batch: number, options: PlanOptions = {}): number[] {
  return splitBatch(batch, largestBatch(single, limits, batch, options));
}

/**
 * `batch` images as parts of nearly equal size, none larger than `most`: whole where not even one fits, of which
 * planning says which value is too large.
 */
export function splitBatch(batch: number, most: number): number[] {
  if (most === 0) return [batch];
  const parts = Math.ceil(batch / most);
  const size = Math.ceil(batch / parts);
  return Array.from({ length: parts }, (_, part) => Math.min(size, batch - part * size));
}
