/** Models in files: what they are is told by their content, and by their name where that doesn't tell. */

import { extname } from "node:path";
import { EngineError } from "../errors.ts";
import type { ModelFile, ModelOptions } from "../formats/model-file.ts";
import { OnnxFile } from "../formats/onnx/read.ts";
import type { Model } from "../graph/model.ts";
import { filesBeside } from "./external-files.ts";
import { readWholeFile } from "./whole-file.ts";

export interface OpenModelOptions extends ModelOptions {
  /** The weights of a network whose file has none (a .prototxt): a .caffemodel or .safetensors file, or `seed:N`. */
  readonly weights?: string;
}

/**
 * Opens a model: an ONNX file, with data in other files of its folder if it has any; or a network in Caffe's
 * .prototxt, with its weights.
 *
 * Rejects with EngineError "model" for a file that is missing, damaged or uses what is not supported, "weights" for
 * weights that don't fit it, "usage" for extents or outputs that it doesn't have.
 *
 * @example
 * ```ts
 * const model = await openModel("squeezenet.onnx");
 * const session = await Session.create(model, { device, kernels: kernelsOnDisk });
 * ```
 */
export async function openModel(path: string, { weights, ...options }: OpenModelOptions = {}): Promise<Model> {
  return (await openModelFile(path, weights)).model(options);
}

/** Opens a model's file without binding its open extents. */
export async function openModelFile(path: string, weights?: string): Promise<ModelFile> {
  const bytes = await readWholeFile(path, "model");
  if (extname(path).toLowerCase() !== ".prototxt") {
    if (weights !== undefined) {
      throw new EngineError("usage", `weights ${weights}`, `${path} has its own`, "leave them out");
    }
    return new OnnxFile(bytes, path, filesBeside(path));
  }
  throw new EngineError("model", path, "prototxt files can't be read yet", "give an ONNX file");
}
