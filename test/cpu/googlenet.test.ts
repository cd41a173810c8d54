/** The whole network, all blobs, against ONNX Runtime's CPU provider; and the photograph that OpenCV tests with. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { runReference } from "../../src/cpu/reference.ts";
import { readSafetensors } from "../../src/formats/safetensors.ts";
import { googLeNet } from "../../src/graph/googlenet.ts";
import { inferShapesForBatch, type ShapedGraph } from "../../src/graph/graph.ts";
import { elementCount, type Shape, type Tensor } from "../../src/graph/tensor.ts";
import type { Weights } from "../../src/graph/weights.ts";
import { CHANNEL_MEANS, preprocess } from "../../src/image/preprocess.ts";
import { decodeImage } from "../../src/node/decode.ts";
import { seededWeights } from "../../src/weights/seed.ts";
import { difference } from "../support/close.ts";
import { runOnnxRuntime } from "../support/onnx_runtime.ts";
import { freshSeed, uniform } from "../support/random.ts";

const trainedPath = process.env.GOOGLENET_WEIGHTS;
const photos = process.env.GOOGLENET_PHOTOS;

/**
 * Bounds on the largest difference over a blob's largest magnitude, and on that of a probability. Most blobs keep to
 * 1.3e-6; the shuttle's conv2/norm2 is at 2.3e-6, because LRN shrinks the largest values but not, among small ones,
 * the rounding of ONNX Runtime's float32 sums.
 */
const blobTolerance = 5e-6;
const probabilityTolerance = 2e-6;

describe("every blob agrees with ONNX Runtime", () => {
  test("seeded weights, all heads, batch 1", async () => {
    await expectAgreement(inferShapesForBatch(googLeNet({ heads: "all" }), 1), seeded, picture);
  });

  test("seeded weights, an input of 97 × 63, batch 2", async () => {
    await expectAgreement(inferShapesForBatch(googLeNet({ height: 97, width: 63 }), 2), seeded, picture);
  });

  test.skipIf(trainedPath === undefined)("trained weights (GOOGLENET_WEIGHTS)", async () => {
    await expectAgreement(inferShapesForBatch(googLeNet(), 1), () => trained(), picture);
  });
});

test.skipIf(trainedPath === undefined || photos === undefined)(
  "the space shuttle, squashed to 224 × 224, with trained weights (GOOGLENET_WEIGHTS and GOOGLENET_PHOTOS)",
  async () => {
    const path = join(photos!, "opencv_space_shuttle.jpg");
    const input = { shape: [1, 3, 224, 224], data: new Float32Array(3 * 224 * 224) };
    preprocess(await decodeImage(path, path), "squash224", input.data);
    const results = await expectAgreement(
      inferShapesForBatch(googLeNet(), 1),
      () => trained(),
      () => input,
    );
    const { data } = results.get("prob")!;
    expect(data.indexOf(Math.max(...data))).toBe(812);
    expect(data[812]).toBeGreaterThan(0.9999);
  },
);

type WeightsSource = (shaped: ShapedGraph, seed: number) => Weights;

/** Runs both, compares every blob and the probabilities, and returns the reference's. */
async function expectAgreement(
  shaped: ShapedGraph,
  weightsFor: WeightsSource,
  inputFor: (shape: Shape, seed: number) => Tensor,
): Promise<ReadonlyMap<string, Tensor>> {
  const seed = freshSeed();
  const weights = weightsFor(shaped, seed);
  const inputs = new Map([["data", inputFor(shaped.shapes.get("data")!, seed)]]);
  const actual = await runReference(shaped, weights, inputs, { keep: "all" });
  const expected = await runOnnxRuntime(shaped, weights, inputs, { spellLrn: true });
  expect([...expected.keys()].sort()).toEqual(shaped.nodes.map(({ output }) => output).sort());
  const apart = [...expected].flatMap(([blob, { shape, data }]) => {
    expect(actual.get(blob)!.shape, blob).toEqual(shape);
    const { maxAbs, maxRel } = difference(actual.get(blob)!.data, data);
    const isProbability = shaped.graph.outputs.includes(blob);
    const close = isProbability ? maxAbs <= probabilityTolerance : maxRel <= blobTolerance;
    return close ? [] : [{ blob, maxAbs, maxRel }];
  });
  expect(apart, `seed ${seed}`).toEqual([]);
  for (const blob of shaped.graph.outputs) {
    const [batch] = actual.get(blob)!.shape;
    const sum = actual.get(blob)!.data.reduce((total, probability) => total + probability, 0);
    expect(sum / batch, `${blob}, seed ${seed}`).toBeCloseTo(1, 5);
  }
  return actual;
}

function seeded({ parameters }: ShapedGraph, seed: number): Weights {
  return seededWeights(parameters, seed);
}

function trained(): Weights {
  return readSafetensors(readFileSync(trainedPath!), trainedPath!).tensors;
}

/** Like a picture less its means: smooth gradients and edges across 0–255 with some noise. */
function picture(shape: Shape, seed: number): Tensor {
  const next = uniform(seed);
  const [batch, , height, width] = shape;
  const data = new Float32Array(elementCount(shape));
  let at = 0;
  for (let plane = 0; plane < 3 * batch; plane++) {
    const [across, down, phase] = [0.15 * next(), 0.15 * next(), 6 * next()];
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const wave = Math.sin(across * x + phase) * Math.cos(down * y);
        const edge = (x >> 5) % 2 === (y >> 5) % 2 ? 20 : -20;
        const value = Math.round(127 + 90 * wave + edge + 16 * (next() - 0.5));
        data[at++] = Math.min(Math.max(value, 0), 255) - CHANNEL_MEANS[plane % 3];
      }
    }
  }
  return { shape, data };
}
