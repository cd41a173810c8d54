/** Weights files of every format, ONNX files, which hold the network too, among them. */

import { OnnxFile, type ExternalFiles } from "../formats/onnx/read.ts";
import { googLeNetWeights } from "./other-names.ts";
import { formatOf, readWeights, type WeightsContents } from "./read.ts";

/**
 * Reads a weights file; of an ONNX file whose network is GoogLeNet, by that one's names.
 *
 * @param bytes the whole file; the tensors may share its memory
 * @param name what to call it in errors; its extension tells the format where damage hides it
 * @param external where an ONNX file's data in other files come from; without it one that has some is refused
 *
 * Rejects with EngineError "weights", or "model" for a damaged ONNX file.
 */
export async function readAnyWeights(
  bytes: Uint8Array,
  name: string,
  external?: ExternalFiles,
): Promise<WeightsContents> {
  if (formatOf(bytes, name) !== "onnx") return readWeights(bytes, name);
  const file = new OnnxFile(bytes, name, external);
  const model = await file.model();
  const tensors = googLeNetWeights(model) ?? model.weights;
  return { format: "onnx", network: model.graph.name, tensors, types: file.types };
}
