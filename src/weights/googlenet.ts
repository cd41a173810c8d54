/** GoogLeNet with trained tensors: the built-in model that a session is made of. */

import { googLeNet, type GoogLeNetOptions } from "../graph/googlenet.ts";
import { inferShapesForBatch } from "../graph/graph.ts";
import type { Model } from "../graph/model.ts";
import type { Weights } from "../graph/weights.ts";
import { checkWeights } from "./check.ts";

/**
 * The built-in network with the tensors of a weights file.
 *
 * @param tensors - by Caffe's names: `conv1/7x7_s2.weight` (O, I, H, W), `conv1/7x7_s2.bias` (O), …; those of heads that
 * are not asked for are left alone
 * @throws EngineError "weights" where one is missing, unknown, of another shape or not finite; "usage" as `googLeNet`
 *
 * @example
 * ```ts
 * import { googLeNetModel, readSafetensors } from "googlenet-wgsl";
 *
 * const name = "bvlc_googlenet.safetensors";
 * const bytes = new Uint8Array(await (await fetch(new URL(name, "http://localhost:8080"))).arrayBuffer());
 * const model = googLeNetModel(readSafetensors(bytes, name).tensors);
 * ```
 */
export function googLeNetModel(tensors: Weights, options: GoogLeNetOptions = {}): Model {
  const graph = googLeNet(options);
  checkWeights(tensors, inferShapesForBatch(graph, 1).parameters, "weights");
  return { graph, weights: tensors };
}
