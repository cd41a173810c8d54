/** The names that the package exports: whole files are passed on, and nothing of theirs should come along unmeant. */

import { expect, test } from "vitest";
import * as engine from "../src/index.ts";

/** What goes wrong. */
const errors = [
  ...["AdapterError", "ArrayError", "BufferError", "CheckError", "DeviceLostError", "DownloadError", "EngineError"],
  ...["EvaluationError", "GpuError", "GraphError", "ModelError", "OutOfMemoryError", "PictureError", "UsageError"],
  ...["WeightsError", "WriteError"],
];
/** Graphs, plans, devices, and what runs on them. */
const running = [
  ...["googLeNet", "inferShapes", "inferShapesForBatch", "subgraphFor"],
  ...["defaultLimits", "largestBatch", "planGraph", "PRECISIONS", "weightBytes"],
  ...["adapterName", "limitsOf", "limitsOfAdapter", "openDevice", "Session"],
  ...["choicesOf", "readVerdict", "tune"],
];
/** Classifying, evaluating and checking. */
const judging = [
  ...["GpuClassifier", "ReferenceClassifier"],
  ...["compareEvaluations", "digestOfPictures", "evaluate", "evaluationPage", "mergeShards", "numbered"],
  ...["parseEvaluation", "picturesOf", "summarise"],
  ...["compareBlob", "runReference", "tolerancesOf", "verifyBlobs", "webgpuBlobs"],
];
/** Files and weights, pictures and labels. */
const reading = [
  ...["readCaffemodel", "readCaffeNet", "readNpy", "readOnnx", "readSafetensors"],
  ...["writeCaffemodel", "writeNpy", "writeSafetensors"],
  ...["checkWeights", "googLeNetModel", "recogniseWeights", "seededWeights"],
  ...["CHANNEL_MEANS", "CROP_COUNTS", "cropCount", "cropsOf", "cutCrop", "INPUT_SIDE", "prepareBy", "preprocess"],
  ...["PROTOCOLS", "protocolOf", "RECIPES", "sampleCrops"],
  ...["IMAGENET_LABELS", "labelOf", "parseLabels", "topK"],
];

test("are these", () => {
  expect(Object.keys(engine).sort()).toEqual([...errors, ...running, ...judging, ...reading].sort());
});
