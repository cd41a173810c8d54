/** Opens a model with its weights from files: what a session is made of. */

import { EngineError } from "../errors.ts";
import { googLeNet, type GoogLeNetOptions } from "../graph/googlenet.ts";
import { inferShapesForBatch } from "../graph/graph.ts";
import type { Model } from "../graph/model.ts";
import { loadWeights } from "./weights-file.ts";
import { findWeights } from "./weights-manifest.ts";

/** Which weights, and what of the network. */
export interface OpenModelOptions extends GoogLeNetOptions {
  /**
   * A .safetensors or .caffemodel file, or `seed:N` for made-up weights. Unless given, what `findWeights` finds: the
   * variable GOOGLENET_WEIGHTS, or what `googlenet weights fetch` downloaded.
   */
  readonly weights?: string;
}

/** What the built-in network is called. */
const BUILT_IN = "googlenet";

/**
 * Opens the built-in network, `googlenet`.
 *
 * Rejects with EngineError "weights" where weights are missing, damaged or of another network, "usage" for a model that
 * there is not.
 *
 * @example
 * ```ts
 * import { openModel } from "googlenet-wgsl/node";
 *
 * const model = await openModel("googlenet", { weights: "bvlc_googlenet.caffemodel", heads: "all" });
 * console.log(model.graph.outputs);
 * ```
 */
export async function openModel(model: string, { weights: named, ...options }: OpenModelOptions = {}): Promise<Model> {
  if (model !== BUILT_IN) {
    throw new EngineError("usage", `model "${model}"`, "there is none of this name", `name ${BUILT_IN}`);
  }
  // A program's own paths are resolved where it runs, not where npm was typed.
  const source = named ?? (await findWeights())?.source;
  if (source === undefined) {
    const remedy = "get them with `googlenet weights fetch`, or name a file";
    throw new EngineError("weights", "trained weights", "there are none", remedy);
  }
  const graph = googLeNet(options);
  const { weights } = await loadWeights(source, inferShapesForBatch(graph, 1).parameters);
  return { graph, weights };
}
