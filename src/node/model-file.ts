/** Models in files: what they are is told by their content, and by their name where that doesn't tell. */

import { extname } from "node:path";
import { EngineError } from "../errors.ts";
import { CaffeNet, type LearnedBlobs } from "../formats/caffe/net.ts";
import type { ModelFile } from "../formats/model-file.ts";
import { OnnxFile } from "../formats/onnx/read.ts";
import { isSeedSource, parseSeed, seededWeights } from "../weights/seed.ts";
import { filesBeside } from "./external-files.ts";
import { readWeightsFile } from "./weights-file.ts";
import { readWholeFile } from "./whole-file.ts";

/** What a network's layers have learned, or a way to make it up. */
async function learnedBlobs(source: string): Promise<LearnedBlobs> {
  if (!isSeedSource(source)) return (await readWeightsFile(source)).tensors;
  const seed = parseSeed(source);
  return (parameters) => seededWeights(parameters, seed);
}

/**
 * Opens a model's file without binding its open extents: an ONNX file, with data in other files of its folder if it has
 * any; or a network in Caffe's .prototxt, with its weights.
 *
 * Rejects with EngineError "model" for a file that is missing, damaged or uses what is not supported, "weights" for
 * weights that don't fit it, "usage" where weights are missing or too many.
 */
export async function openModelFile(path: string, weights?: string): Promise<ModelFile> {
  const bytes = await readWholeFile(path, "model");
  if (extname(path).toLowerCase() !== ".prototxt") {
    if (weights !== undefined) {
      throw new EngineError("usage", `weights ${weights}`, `${path} has its own`, "leave them out");
    }
    return new OnnxFile(bytes, path, filesBeside(path));
  }
  if (weights === undefined) {
    throw new EngineError("usage", path, "a .prototxt has no weights", "add --weights FILE (the option weights)");
  }
  return new CaffeNet(new TextDecoder().decode(bytes), await learnedBlobs(weights), path);
}
