/**
 * googlenet-wgsl: GoogLeNet on WebGPU, with hand-written WGSL kernels. Nothing here needs Node.js; what does (Dawn,
 * files, decoding pictures) is in `googlenet-wgsl/node`.
 *
 * @example
 * ```ts
 * import { googLeNet, inferShapesForBatch, labelOf, preprocess, Session, topK } from "googlenet-wgsl";
 * import { decodeImage, kernelsOnDisk, loadWeights, openGpu } from "googlenet-wgsl/node";
 *
 * const graph = googLeNet();
 * const { parameters } = inferShapesForBatch(graph, 1);
 * const { weights } = await loadWeights("bvlc_googlenet.caffemodel", parameters);
 * const { device } = await openGpu();
 * using session = await Session.create(graph, weights, { device, kernels: kernelsOnDisk });
 *
 * const data = new Float32Array(3 * 224 * 224);
 * preprocess(await decodeImage("cat.jpg"), "squash256", data);
 * const { prob } = await session.run({ data: { shape: [1, 3, 224, 224], data } });
 * for (const { class: index, probability } of topK(prob.data, 5)) console.log(probability, labelOf(index).name);
 * device.destroy();
 * ```
 */

// What goes wrong: every failure is an EngineError with a code, a subject and a remedy.
export { type Concern, EngineError, type ErrorCode } from "./errors.ts";

// What is computed: the network as a graph, or a graph of one's own.
export { googLeNet, type GoogLeNetOptions } from "./graph/googlenet.ts";
export {
  type Graph,
  type GraphInput,
  inferShapes,
  inferShapesForBatch,
  type Node,
  type Parameter,
  type ShapedGraph,
  type ShapedNode,
  subgraphFor,
  type ValueId,
} from "./graph/graph.ts";
export type { Op } from "./graph/ops.ts";
export type { Shape, Tensor } from "./graph/tensor.ts";

// How: the plan, which is plain data and needs no GPU.
export { defaultLimits, type PlanLimits } from "./plan/limits.ts";
export { type Plan, type PlannedValue, type Step, weightBytes } from "./plan/plan.ts";
export { largestBatch, planGraph, type PlanOptions } from "./plan/planner.ts";

// Where: a session runs the graph on a device, the caller's or one that openDevice opens.
export { adapterName, limitsOf, limitsOfAdapter, openDevice } from "./webgpu/device.ts";
export type { KernelSource } from "./webgpu/kernel_source.ts";
export type { CompileProgress } from "./webgpu/program.ts";
export type { Inputs } from "./webgpu/batches.ts";
export type { Buffers, IoBinding } from "./webgpu/binding.ts";
export type { BufferRange } from "./webgpu/caller_buffers.ts";
export {
  type EncodeOptions,
  type Outputs,
  type RunOptions,
  Session,
  type SessionOptions,
  type StreamOptions,
} from "./webgpu/session.ts";

// Pictures to probabilities: crops, ensembles, streams.
export { DEFAULT_MEMORY } from "./classify/batches.ts";
export type { Classification, Classified, Classifier, ClassifyOptions, Probabilities } from "./classify/classifier.ts";
export { GpuClassifier, type GpuClassifierOptions } from "./classify/gpu.ts";
export { ReferenceClassifier, type ReferenceClassifierOptions } from "./classify/reference.ts";
export type { Model } from "./graph/model.ts";

// The error over labelled pictures: evaluated, in shards that are joined, summed up, compared, drawn.
export { compareEvaluations, type Comparison } from "./evaluate/compare.ts";
export { evaluate, type TimedPicture } from "./evaluate/evaluate.ts";
export { parseEvaluation } from "./evaluate/lines.ts";
export { mergeShards, type NamedEvaluation } from "./evaluate/merge.ts";
export {
  digestOfPictures,
  type LabelledPicture,
  numbered,
  picturesOf,
  type PreparedPicture,
} from "./evaluate/pictures.ts";
export type { EvaluatedPicture, Evaluation, EvaluationRun, Shard } from "./evaluate/record.ts";
export { evaluationPage, type ReportOptions } from "./evaluate/report.ts";
export { type ErrorRate, type Interval, summarise, type Summary, wilson } from "./evaluate/statistics.ts";

// Whether it is right: the reference on the CPU, and comparing with it.
export { type ReferenceOptions, runReference } from "./cpu/reference.ts";
export {
  type BlobKind,
  type BlobVerdict,
  compareBlob,
  type Tolerances,
  tolerances,
  tolerancesOf,
  widestTolerances,
} from "./verify/compare.ts";
export { type Blobs, type Verification, verifyBlobs, webgpuBlobs, type WebgpuBlobsOptions } from "./verify/verify.ts";

// Weights, and the files that hold them and other arrays: bytes in, tensors out.
export { type Caffemodel, readCaffemodel } from "./formats/caffemodel.ts";
export { writeCaffemodel } from "./formats/caffemodel-write.ts";
export { readNpy, writeNpy } from "./formats/npy.ts";
export { readSafetensors, type Safetensors, writeSafetensors } from "./formats/safetensors.ts";
export type { Weights } from "./graph/weights.ts";
export { checkWeights } from "./weights/check.ts";
export { fingerprint, recogniseWeights } from "./weights/recognise.ts";
export { seededWeights } from "./weights/seed.ts";

// From a picture to the network's input, and from its output to names.
export {
  type Crop,
  CROP_COUNTS,
  type CropCount,
  cropCount,
  cropsOf,
  cutCrop,
  PROTOCOLS,
  type Protocol,
  protocolOf,
} from "./image/crops.ts";
export { CHANNEL_MEANS, INPUT_SIDE, preprocess, type Recipe, RECIPES } from "./image/preprocess.ts";
export { type Preparation, prepareBy, type PreparedBy } from "./image/preparation.ts";
export type { Rectangle, RgbImage, Size } from "./image/resize.ts";
export { sampleCrops, type Sampling } from "./image/sampling.ts";
export { IMAGENET_LABELS, type Label } from "./labels/imagenet.ts";
export { labelOf, parseLabels, type Ranked, topK } from "./labels/labels.ts";
