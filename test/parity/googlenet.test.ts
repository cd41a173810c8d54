/** The whole network on the GPU: every blob against the CPU reference, and photographs against their labels. */

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, onTestFinished, test } from "vitest";
import { runReference } from "../../src/cpu/reference.ts";
import { googLeNet } from "../../src/graph/googlenet.ts";
import { type Graph, inferShapesForBatch } from "../../src/graph/graph.ts";
import { elementCount, type Shape, type Tensor } from "../../src/graph/tensor.ts";
import type { Weights } from "../../src/graph/weights.ts";
import { CHANNEL_MEANS, preprocess, type Recipe } from "../../src/image/preprocess.ts";
import { decodeImage } from "../../src/node/decode.ts";
import { kernelsOnDisk } from "../../src/node/kernels.ts";
import { loadWeights } from "../../src/node/weights-file.ts";
import { plainTolerance } from "../../src/plan/plan.ts";
import { tolerancesOf } from "../../src/verify/compare.ts";
import { Session, type SessionOptions } from "../../src/webgpu/session.ts";
import { seededWeights } from "../../src/weights/seed.ts";
import { difference } from "../support/close.ts";
import { describeGpu, useGpu } from "../support/gpu.ts";
import { labelledPhotos } from "../support/labelled_photos.ts";
import { freshSeed, uniform } from "../support/random.ts";

const trainedPath = process.env.GOOGLENET_WEIGHTS;
const photos = process.env.GOOGLENET_PHOTOS;

const probabilityTolerance = 1e-6;

describeGpu("GoogLeNet on the GPU", () => {
  const gpu = useGpu();
  const create = async (graph: Graph, weights: Weights, options: Partial<SessionOptions> = {}) => {
    const session = await Session.create(graph, weights, { device: gpu.device, kernels: kernelsOnDisk, ...options });
    onTestFinished(() => {
      session.dispose();
    });
    return session;
  };

  describe("every blob as the reference has it", () => {
    test("seeded weights, both auxiliary heads, fused and not, and as on a GPU with wide subgroups", async () => {
      const seed = freshSeed();
      const graph = googLeNet({ heads: "all" });
      const weights = seeded(graph, seed);
      const data = pictures([1, 3, 224, 224], seed);
      const expected = await referenceOf(graph, weights, data);
      const wide = { limits: { ...gpu.limits, subgroup: { min: 32, max: 32 } } };
      for (const options of [{}, { fuse: false }, wide, { precision: "f16" }, { precision: "f16", ...wide }] as const) {
        await expectBlobs(await create(graph, weights, options), data, expected, seed);
      }
    });

    test("seeded weights, within the tolerance of plain sums where it is asked for", async () => {
      const seed = freshSeed();
      const graph = googLeNet();
      const weights = seeded(graph, seed);
      const data = pictures([1, 3, 224, 224], seed);
      const session = await create(graph, weights, { tolerance: plainTolerance });
      expect((await session.plan()).tolerance).toBe(plainTolerance);
      await expectBlobs(session, data, await referenceOf(graph, weights, data), seed);
    });

    // 31 × 31 is the smallest square that has an output at every layer.
    test.each([
      [3, 31, 31],
      [2, 97, 131],
      [1, 225, 224],
    ])("seeded weights, %i of %i × %i", async (images, height, width) => {
      const seed = freshSeed();
      const graph = googLeNet({ height, width });
      const weights = seeded(graph, seed);
      const data = pictures([images, 3, height, width], seed);
      await expectBlobs(await create(graph, weights), data, await referenceOf(graph, weights, data), seed);
    });

    test.skipIf(trainedPath === undefined)("trained weights (GOOGLENET_WEIGHTS), fused and not", async () => {
      const seed = freshSeed();
      const graph = googLeNet();
      const weights = await trained(graph);
      const data = pictures([1, 3, 224, 224], seed);
      const expected = await referenceOf(graph, weights, data);
      for (const fuse of [true, false]) await expectBlobs(await create(graph, weights, { fuse }), data, expected, seed);
    });

    test.skipIf(trainedPath === undefined || photos === undefined)(
      "the space shuttle, trained weights (GOOGLENET_WEIGHTS and GOOGLENET_PHOTOS): class 812 at 0.9999",
      async () => {
        const graph = googLeNet();
        const weights = await trained(graph);
        const data = await picture(join(photos!, "opencv_space_shuttle.jpg"), "squash224");
        const session = await create(graph, weights);
        await expectBlobs(session, data, await referenceOf(graph, weights, data), 0);
        const { prob } = await session.run({ data });
        expect(best(prob.data)).toBe(812);
        expect(prob.data[812]).toBeGreaterThan(0.9999);
      },
    );
  });

  test.skipIf(trainedPath === undefined || photos === undefined)(
    "photographs in float16, trained weights (GOOGLENET_WEIGHTS and GOOGLENET_PHOTOS): float32's classes, within 5e-3",
    async () => {
      const graph = googLeNet();
      const weights = await trained(graph);
      const [single, half] = [await create(graph, weights), await create(graph, weights, { precision: "f16" })];
      for (const [file] of labelledPhotos) {
        const data = await picture(join(photos!, file), "squash256");
        const [expected, actual] = [(await single.run({ data })).prob.data, (await half.run({ data })).prob.data];
        expect(best(actual), file).toBe(best(expected));
        // Of the reference, float32 is off by 5e-6.
        expect(difference(actual, expected).maxAbs, file).toBeLessThanOrEqual(5e-3 - 5e-6);
      }
    },
  );

  test("eight pictures in one batch, and each alone or beside one other, have the same probabilities", async () => {
    const seed = freshSeed();
    const graph = googLeNet();
    const weights = seeded(graph, seed);
    const session = await create(graph, weights);
    const data = pictures([8, 3, 224, 224], seed);
    const { prob } = await session.run({ data });
    expect((await session.run({ data })).prob.data, "run after run, bit by bit").toEqual(prob.data);
    for (const [start, images] of [
      [0, 1],
      [6, 2],
    ]) {
      const part = slice(data, start, images);
      const alone = (await session.run({ data: part })).prob;
      const { maxAbs } = difference(alone.data, slice(prob, start, images).data);
      expect(maxAbs, `${images} from ${start}, seed ${seed}`).toBeLessThanOrEqual(probabilityTolerance);
    }
    const last = slice(data, 7, 1);
    const expected = (await referenceOf(graph, weights, last)).get("prob")!;
    expect(difference(slice(prob, 7, 1).data, expected.data).maxAbs, `seed ${seed}`).toBeLessThanOrEqual(
      probabilityTolerance,
    );
  });

  test("64 small pictures in one batch have the probabilities that each has alone", async () => {
    const seed = freshSeed();
    const graph = googLeNet({ height: 33, width: 47 });
    const session = await create(graph, seeded(graph, seed));
    const data = pictures([64, 3, 33, 47], seed);
    const { prob } = await session.run({ data });
    for (const [start, images] of [
      [0, 1],
      [63, 1],
      [30, 2],
      [8, 8],
    ]) {
      const alone = (await session.run({ data: slice(data, start, images) })).prob;
      const { maxAbs } = difference(alone.data, slice(prob, start, images).data);
      expect(maxAbs, `${images} from ${start}, seed ${seed}`).toBeLessThanOrEqual(probabilityTolerance);
    }
  });

  describe("pictures get their labels, all in one batch", () => {
    test.skipIf(trainedPath === undefined || photos === undefined)(
      "photographs, trained weights (GOOGLENET_WEIGHTS and GOOGLENET_PHOTOS)",
      async () => {
        const labels: [file: string, classes: number[]][] = [
          ["skimage_chelsea.png", [281, 282, 285]],
          ["skimage_coffee.png", [967]],
          ["coral_parrot.jpg", [88]],
          ["coral_hot_dog.jpg", [934]],
          ["opencv_space_shuttle.jpg", [812]],
        ];
        const graph = googLeNet();
        const session = await create(graph, await trained(graph));
        const each = await Promise.all(labels.map(([file]) => picture(join(photos!, file), "squash256")));
        const { prob } = await session.run({ data: joined(each) });
        labels.forEach(([file, classes], image) => {
          expect(classes, file).toContain(best(slice(prob, image, 1).data));
        });
      },
    );

    test.skipIf(trainedPath === undefined)("the sample clock, trained weights (GOOGLENET_WEIGHTS)", async () => {
      const graph = googLeNet();
      const session = await create(graph, await trained(graph));
      const clock = fileURLToPath(new URL("../../assets/clock.svg", import.meta.url));
      const { prob } = await session.run({ data: await picture(clock, "squash256") });
      expect(best(prob.data)).toBe(409);
    });
  });
});

/** Reads every blob that the session's plan leaves and compares it. */
async function expectBlobs(
  session: Session,
  data: Tensor,
  expected: ReadonlyMap<string, Tensor>,
  seed: number,
): Promise<void> {
  const plan = await session.plan(data.shape[0]);
  const { values, outputs } = plan;
  const { activation, probability } = tolerancesOf(plan);
  const actual = await session.run({ data }, { outputs: Object.keys(values) });
  const apart = Object.entries(actual).flatMap(([blob, { shape, data: got }]) => {
    const reference = expected.get(blob)!;
    expect(shape, blob).toEqual(reference.shape);
    const { maxAbs, maxRel } = difference(got, reference.data);
    const close = maxRel <= activation && (!outputs.includes(blob) || maxAbs <= probability);
    return close ? [] : [{ blob, maxAbs, maxRel }];
  });
  expect(apart, `GOOGLENET_TEST_SEED=${seed}`).toEqual([]);
}

function referenceOf(graph: Graph, weights: Weights, data: Tensor): Promise<Map<string, Tensor>> {
  return runReference(inferShapesForBatch(graph, data.shape[0]), weights, new Map([["data", data]]), { keep: "all" });
}

function seeded(graph: Graph, seed: number): Weights {
  return seededWeights(inferShapesForBatch(graph, 1).parameters, seed);
}

async function trained(graph: Graph): Promise<Weights> {
  return (await loadWeights(trainedPath!, inferShapesForBatch(graph, 1).parameters)).weights;
}

async function picture(path: string, recipe: Recipe): Promise<Tensor> {
  const data = new Float32Array(3 * 224 * 224);
  preprocess(await decodeImage(path, path), recipe, data);
  return { shape: [1, 3, 224, 224], data };
}

/** Gradients, edges and some noise across 0–255, less the means. */
function pictures(shape: Shape, seed: number): Tensor {
  const next = uniform(seed);
  const [images, , height, width] = shape;
  const data = new Float32Array(elementCount(shape));
  let at = 0;
  for (let plane = 0; plane < 3 * images; plane++) {
    const [across, down, phase] = [0.15 * next(), 0.15 * next(), 6 * next()];
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const wave = 90 * Math.sin(across * x + phase) * Math.cos(down * y);
        const edge = (x >> 5) % 2 === (y >> 5) % 2 ? 20 : -20;
        const value = Math.round(127 + wave + edge + 16 * (next() - 0.5));
        data[at++] = Math.min(Math.max(value, 0), 255) - CHANNEL_MEANS[plane % 3];
      }
    }
  }
  return { shape, data };
}

function slice({ shape, data }: Tensor, start: number, images: number): Tensor {
  const image = elementCount(shape.slice(1));
  return { shape: [images, ...shape.slice(1)], data: data.slice(start * image, (start + images) * image) };
}

function joined(each: readonly Tensor[]): Tensor {
  const image = each[0].data.length;
  const data = new Float32Array(each.length * image);
  each.forEach((one, index) => {
    data.set(one.data, index * image);
  });
  return { shape: [each.length, ...each[0].shape.slice(1)], data };
}

function best(probabilities: Float32Array): number {
  return probabilities.indexOf(Math.max(...probabilities));
}
