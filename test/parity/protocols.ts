/** What the tests of crops on the whole network share. */

import { onTestFinished } from "vitest";
import type { Classification } from "../../src/classify/classifier.ts";
import { GpuClassifier } from "../../src/classify/gpu.ts";
import { googLeNet } from "../../src/graph/googlenet.ts";
import { inferShapesForBatch } from "../../src/graph/graph.ts";
import type { Model } from "../../src/graph/model.ts";
import type { Protocol } from "../../src/image/crops.ts";
import { decodeImage } from "../../src/node/decode.ts";
import { kernelsOnDisk } from "../../src/node/kernels.ts";
import { loadWeights } from "../../src/node/weights-file.ts";
import { photoPath, trainedPath } from "../support/labelled_photos.ts";

export async function trainedModel(): Promise<Model> {
  const graph = googLeNet();
  return { graph, weights: (await loadWeights(trainedPath!, inferShapesForBatch(graph, 1).parameters)).weights };
}

/** What a classifier on the device makes of photographs. */
export async function classifyPhotos(
  device: GPUDevice,
  model: Model,
  protocol: Protocol,
  files: readonly string[],
): Promise<Classification[]> {
  const classifier = await GpuClassifier.create([model], {
    device,
    kernels: kernelsOnDisk,
    protocol,
    pictures: files.length,
  });
  onTestFinished(() => {
    classifier.dispose();
  });
  const pictures = await Promise.all(files.map(async (file) => classifier.prepare(await decodeImage(photoPath(file)))));
  const results: Classification[] = [];
  for await (const { classification } of classifier.classify(pictures, (each) => each)) results.push(classification!);
  return results;
}

/** The most probable class. */
export function best({ probabilities: { prob } }: Classification): number {
  return prob.indexOf(Math.max(...prob));
}
