/**
 * googlenet-wgsl: GoogLeNet on WebGPU, with hand-written WGSL kernels. Nothing here needs Node.js; what does (Dawn,
 * files, decoding pictures) is in `googlenet-wgsl/node`, and the kernels' text is in `googlenet-wgsl/kernels`.
 *
 * @example
 * ```ts
 * import { labelOf, preprocess, Session, topK } from "googlenet-wgsl";
 * import { kernels } from "googlenet-wgsl/kernels";
 * import { decodeImage, openGpu, openModel } from "googlenet-wgsl/node";
 * const model = await openModel("googlenet", { weights: "bvlc_googlenet.caffemodel" });
 * const { device } = await openGpu();
 * using session = await Session.create(model, { device, ownsDevice: true, kernels });
 * const data = new Float32Array(3 * 224 * 224);
 * preprocess(await decodeImage("photo.jpg"), "squash256", data);
 * const { prob } = await session.run({ data });
 * for (const { class: index, probability } of topK(prob.data, 5)) console.log(probability, labelOf(index).name);
 * ```
 */

// What goes wrong: every failure is an EngineError with a code, a subject and a remedy, and of its code's class.
export * from "./errors.ts";

// What is computed: the network as a graph, or a graph of one's own.
export { googLeNet, type GoogLeNetOptions } from "./graph/googlenet.ts";
export type { Graph, GraphInput, Node, Parameter, ShapedGraph, ShapedNode, ValueId } from "./graph/graph.ts";
export { inferShapes, inferShapesForBatch, subgraphFor } from "./graph/graph.ts";
export type { Op } from "./graph/ops.ts";
export type * from "./graph/ops/attributes.ts";
export type { Model } from "./graph/model.ts";
export type { Shape, Tensor } from "./graph/tensor.ts";

// How: the plan, plain data that needs no GPU; and which algorithms are fastest on a device, as choices for one.
export { planGraph, type PlanOptions } from "./plan/planner.ts";
export { largestBatch } from "./plan/batches.ts";
export type { Binding, PackedParameter, PackedTensors, ParameterLayout, Plan, PlannedValue } from "./plan/plan.ts";
export { type Step, type Vec3, weightBytes, type WinogradSize } from "./plan/plan.ts";
export type { AlgorithmChoices, Choices, Decision, PlanChoice } from "./plan/choices.ts";
export { defaultLimits, type PlanLimits, type SubgroupMatrix } from "./plan/limits.ts";
export { type Precision, PRECISIONS } from "./plan/precision.ts";
export type { Range } from "./plan/arena.ts";
export * from "./tune/tune.ts";
export type { CandidateVerdict, PlanVariant, PlanVerdict, ProblemVerdict, Verdict } from "./tune/verdict.ts";
export { choicesOf, readVerdict } from "./tune/verdict.ts";

// Where: a session runs the graph on a device, the caller's or one that openDevice opens.
export * from "./webgpu/session.ts";
export * from "./webgpu/device.ts";
export type { Inputs } from "./webgpu/batches.ts";
export type { Buffers, IoBinding } from "./webgpu/binding.ts";
export type { BufferRange } from "./webgpu/caller_buffers.ts";
export type { CompileProgress } from "./webgpu/program.ts";
export type { KernelSource } from "./webgpu/kernel_source.ts";

// Pictures to probabilities: crops, ensembles, streams.
export * from "./classify/classifier.ts";
export * from "./classify/gpu.ts";
export * from "./classify/reference.ts";

// The error over labelled pictures: evaluated, in shards that are joined, summed up, compared, drawn.
export * from "./evaluate/evaluate.ts";
export * from "./evaluate/record.ts";
export * from "./evaluate/lines.ts";
export * from "./evaluate/compare.ts";
export { digestOfPictures, numbered, picturesOf } from "./evaluate/pictures.ts";
export type { LabelledPicture, PreparedPicture } from "./evaluate/pictures.ts";
export { mergeShards, type NamedEvaluation } from "./evaluate/merge.ts";
export type { ClassErrors, Confusion, ErrorRate, Interval, Summary } from "./evaluate/statistics.ts";
export { summarise } from "./evaluate/statistics.ts";
export type { McNemar } from "./evaluate/mcnemar.ts";
export { evaluationPage, type ReportOptions } from "./evaluate/report.ts";
export type { Thumbnail } from "./evaluate/report/gallery.ts";

// Whether it is right: the reference on the CPU, and comparing with it.
export { type ReferenceOptions, runReference } from "./cpu/reference.ts";
export * from "./verify/verify.ts";
export { type BlobKind, type BlobVerdict, compareBlob, type Tolerances, tolerancesOf } from "./verify/compare.ts";

// Models in files that other tools made, and weights and other arrays: bytes in, models or tensors out.
export { type ExternalFiles, type OnnxOptions, readOnnx } from "./formats/onnx/read.ts";
export { type LearnedBlobs, readCaffeNet } from "./formats/caffe/net.ts";
export type { ModelOptions } from "./formats/model-file.ts";
export * from "./weights/googlenet.ts";
export { type Caffemodel, readCaffemodel } from "./formats/caffemodel.ts";
export * from "./formats/caffemodel-write.ts";
export { readSafetensors, type Safetensors, writeSafetensors } from "./formats/safetensors.ts";
export type { FloatType } from "./formats/floats.ts";
export * from "./formats/npy.ts";
export type { Weights } from "./graph/weights.ts";
export { checkWeights } from "./weights/check.ts";
export { recogniseWeights } from "./weights/recognise.ts";
export { seededWeights } from "./weights/seed.ts";

// From a picture to the network's input, and from its output to names.
export { CHANNEL_MEANS, INPUT_SIDE, preprocess, type Recipe, RECIPES } from "./image/preprocess.ts";
export * from "./image/crops.ts";
export * from "./image/preparation.ts";
export { sampleCrops, type Sampling } from "./image/sampling.ts";
export type { Rectangle, RgbImage, Size } from "./image/resize.ts";
export * from "./labels/imagenet.ts";
export * from "./labels/labels.ts";
