/** googlenet-wgsl/node: what the engine needs of Node.js (Dawn, files, decoding pictures). */

export { type FoundAdapter, findAdapters, missingForAdapter } from "./adapters.ts";
export { readArray, writeArray } from "./arrays.ts";
export type { Environment } from "./cache-folder.ts";
export { type DawnOptions, openAdapter, openGpu, type OpenGpu } from "./dawn.ts";
export { decodeImage } from "./decode.ts";
export { DecodePool } from "./decode-pool.ts";
export { EvaluationState, readEvaluation, type StateOptions } from "./evaluation-state.ts";
export { fetchWeights, type FetchOptions, type FetchResult } from "./fetch-weights.ts";
export { kernelsOnDisk } from "./kernels.ts";
export { type LabelledFolder, type LabelSource, listLabelledPictures } from "./labelled-folder.ts";
export { type ListedImage, listImages, STANDARD_INPUT } from "./list-images.ts";
export { openModel, type OpenModelOptions } from "./open-model.ts";
export { type KeptTuning, loadTuning, saveTuning, tuningFolder } from "./tuning-file.ts";
export {
  convertWeights,
  describeWeights,
  loadWeights,
  type WeightsDescription,
  type WeightsOrigin,
} from "./weights-file.ts";
export { thumbnailOf } from "./thumbnail.ts";
export type { WeightsFormat } from "../weights/read.ts";
export {
  findWeights,
  type ManifestEntry,
  readManifest,
  type WeightsChoice,
  weightsFolder,
} from "./weights-manifest.ts";
