/**
 * googlenet-wgsl: GoogLeNet on WebGPU, with hand-written WGSL kernels. Nothing here needs Node.js; what does (Dawn,
 * files, decoding pictures) is in `googlenet-wgsl/node`, and the kernels' text is in `googlenet-wgsl/kernels`.
 *
 * @example
 * ```ts
 * import { labelOf, preprocess, Session, topK } from "googlenet-wgsl";
 * import { kernels } from "googlenet-wgsl/kernels";
 * import { decodeImage, openGpu, openModel } from "googlenet-wgsl/node";
 *
 * const model = await openModel("googlenet", { weights: "bvlc_googlenet.caffemodel" });
 * const { device } = await openGpu();
 * using session = await Session.create(model, { device, ownsDevice: true, kernels });
 *
 * const data = new Float32Array(3 * 224 * 224);
 * preprocess(await decodeImage("photo.jpg"), "squash256", data);
 * const { prob } = await session.run({ data });
 * for (const { class: index, probability } of topK(prob.data, 5)) console.log(probability, labelOf(index).name);
 * ```
 */

// What goes wrong: every failure is an EngineError with a code, a subject and a remedy, and of its code's class.
export {
  AdapterError,
  ArrayError,
  BufferError,
  CheckError,
  type Concern,
  DeviceLostError,
  DownloadError,
  EngineError,
  type ErrorCode,
  EvaluationError,
  GpuError,
  GraphError,
  ModelError,
  OutOfMemoryError,
  PictureError,
  UsageError,
  WeightsError,
  WriteError,
} from "./errors.ts";

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
export type * from "./graph/ops/attributes.ts";
export type { Model } from "./graph/model.ts";
export type { Shape, Tensor } from "./graph/tensor.ts";

// How: the plan, which is plain data and needs no GPU.
export { defaultLimits, type PlanLimits, type SubgroupMatrix } from "./plan/limits.ts";
export type { Range } from "./plan/arena.ts";
export { elementBytes, type Precision, PRECISIONS } from "./plan/precision.ts";
export {
  type Binding,
  type PackedParameter,
  type PackedTensors,
  type ParameterLayout,
  type Plan,
  type PlannedValue,
  type Step,
  type Vec3,
  type WinogradSize,
  weightBytes,
} from "./plan/plan.ts";
export { largestBatch, planGraph, type PlanOptions } from "./plan/planner.ts";
export { type Choices, type Decision, type PlanChoice, planKey } from "./plan/choices.ts";

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

// Which algorithms are fastest on a device: choices for a session's options.
export { tune, type TunedNetwork, type TuneOptions, type Tuning } from "./tune/tune.ts";
export {
  type CandidateVerdict,
  choicesOf,
  type PlanVariant,
  type PlanVerdict,
  type ProblemVerdict,
  readVerdict,
  type Verdict,
} from "./tune/verdict.ts";

// Pictures to probabilities: crops, ensembles, streams.
export { DEFAULT_MEMORY } from "./classify/batches.ts";
export type { Classification, Classified, Classifier, ClassifyOptions, Probabilities } from "./classify/classifier.ts";
export { GpuClassifier, type GpuClassifierOptions } from "./classify/gpu.ts";
export { ReferenceClassifier, type ReferenceClassifierOptions } from "./classify/reference.ts";

// The error over labelled pictures: evaluated, in shards that are joined, summed up, compared, drawn.
export {
  type ChangedPicture,
  compareEvaluations,
  type Comparison,
  type ErrorComparison,
  type Guess,
  type ProbabilityDifference,
} from "./evaluate/compare.ts";
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
export type { ComputedBy, EvaluatedPicture, Evaluation, EvaluationRun, Shard } from "./evaluate/record.ts";
export type { McNemar } from "./evaluate/mcnemar.ts";
export { evaluationPage, type ReportOptions } from "./evaluate/report.ts";
export type { Thumbnail } from "./evaluate/report/gallery.ts";
export {
  type ClassErrors,
  type Confusion,
  type ErrorRate,
  type Interval,
  summarise,
  type Summary,
  wilson,
} from "./evaluate/statistics.ts";

// Whether it is right: the reference on the CPU, and comparing with it.
export { type ReferenceOptions, runReference } from "./cpu/reference.ts";
export {
  type BlobKind,
  type BlobVerdict,
  compareBlob,
  float16Tolerances,
  type Tolerances,
  tolerances,
  tolerancesOf,
  widestTolerances,
  widestTolerancesIn,
} from "./verify/compare.ts";
export { type Blobs, type Verification, verifyBlobs, webgpuBlobs, type WebgpuBlobsOptions } from "./verify/verify.ts";

// Weights, and the files that hold them and other arrays: bytes in, tensors out.
export { type Caffemodel, readCaffemodel } from "./formats/caffemodel.ts";
export { type CaffemodelWriteOptions, writeCaffemodel } from "./formats/caffemodel-write.ts";
export type { FloatType } from "./formats/floats.ts";
export { readNpy, writeNpy } from "./formats/npy.ts";
export { readSafetensors, type Safetensors, writeSafetensors } from "./formats/safetensors.ts";
export type { Weights } from "./graph/weights.ts";
export { checkWeights } from "./weights/check.ts";
export { googLeNetModel } from "./weights/googlenet.ts";
export { fingerprint, recogniseWeights } from "./weights/recognise.ts";
export { seededWeights } from "./weights/seed.ts";

// Models in files that other tools made.
export { type LearnedBlobs, readCaffeNet } from "./formats/caffe/net.ts";
export type { ModelOptions } from "./formats/model-file.ts";
export { type ExternalFiles, type OnnxOptions, readOnnx } from "./formats/onnx/read.ts";

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
export {
  type PicturePreparation,
  type Preparation,
  prepareBy,
  type PreparedBy,
  type SamplingPreparation,
} from "./image/preparation.ts";
export type { Rectangle, RgbImage, Size } from "./image/resize.ts";
export { sampleCrops, type Sampling } from "./image/sampling.ts";
export { IMAGENET_LABELS, type Label } from "./labels/imagenet.ts";
export { labelOf, parseLabels, type Ranked, topK } from "./labels/labels.ts";
