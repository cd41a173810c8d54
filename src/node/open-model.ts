/** Opens a model with its weights from files: what a session is made of. */

import { EngineError } from "../errors.ts";
import type { ModelOptions } from "../formats/model-file.ts";
import { googLeNet, type GoogLeNetOptions } from "../graph/googlenet.ts";
import { inferShapesForBatch } from "../graph/graph.ts";
import type { Model } from "../graph/model.ts";
import { openModelFile } from "./model-file.ts";
import { loadWeights } from "./weights-file.ts";
import { findWeights } from "./weights-manifest.ts";

/**
 * Which weights, and what of the network: `heads`, `height` and `width` are for the built-in one,
 * `freeDimensionOverrides` and `outputs` for files.
 */
export interface OpenModelOptions extends GoogLeNetOptions, ModelOptions {
  /**
   * A .safetensors or .caffemodel file, or `seed:N` for made-up weights: of a .prototxt, whose file has none, or of the
   * built-in network. For this, unless given, what `findWeights` finds: the variable GOOGLENET_WEIGHTS, or what
   * `googlenet weights fetch` downloaded.
   */
  readonly weights?: string;
}

/** What the built-in network is called. */
const BUILT_IN = "googlenet";

/**
 * Opens a model: the built-in network, `googlenet`; an ONNX file, with data in other files of its folder if it has any;
 * or a network in Caffe's .prototxt, with its weights.
 *
 * Rejects with EngineError "model" for a file that is missing, damaged or uses what is not supported, "weights" where
 * weights are missing, damaged or of another network, "usage" for options that the model has no use for, and for
 * free dimensions or outputs that it doesn't have, or whose sizes are not given.
 *
 * @example
 * ```ts
 * import { openModel } from "googlenet-wgsl/node";
 *
 * const model = await openModel("googlenet", { weights: "bvlc_googlenet.caffemodel", heads: "all" });
 * const freeDimensionOverrides = { height: 320, width: 480 }; // by the names that the file has for them
 * const other = await openModel("fully_convolutional.onnx", { freeDimensionOverrides });
 * console.log(model.graph.outputs, other.graph.inputs);
 * ```
 */
export async function openModel(model: string, options: OpenModelOptions = {}): Promise<Model> {
  return model === BUILT_IN ? openBuiltIn(options) : openFile(model, options);
}

async function openBuiltIn(options: OpenModelOptions): Promise<Model> {
  const { weights: named, freeDimensionOverrides, outputs, ...network } = options;
  refuse(BUILT_IN, { freeDimensionOverrides, outputs });
  // A program's own paths are resolved where it runs, not where npm was typed.
  const source = named ?? (await findWeights())?.source;
  if (source === undefined) {
    const remedy = "get them with `googlenet weights fetch`, or name a file";
    throw new EngineError("weights", "trained weights", "there are none", remedy);
  }
  const graph = googLeNet(network);
  const { weights } = await loadWeights(source, inferShapesForBatch(graph, 1).parameters);
  return { graph, weights };
}

async function openFile(path: string, options: OpenModelOptions): Promise<Model> {
  const { weights, freeDimensionOverrides, outputs, ...builtIn } = options;
  refuse(path, builtIn);
  const file = await openModelFile(path, weights);
  return file.model({ ...(freeDimensionOverrides && { freeDimensionOverrides }), ...(outputs && { outputs }) });
}

function refuse(model: string, options: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(options)) {
    if (value !== undefined) {
      throw new EngineError("usage", `option ${name}`, `${model} has no use for it`, "leave it out");
    }
  }
}
