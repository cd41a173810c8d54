/** The reference classifier, which others are held against, against averages taken by hand. */

import { expect, test } from "vitest";
import { ReferenceClassifier } from "../../src/classify/reference.ts";
import { CROP_COUNTS, cropsOf, cutCrop, protocolOf } from "../../src/image/crops.ts";
import { difference } from "../support/close.ts";
import { noisePicture } from "../support/pictures.ts";
import { referenceProb, tiny, weightsFor } from "../webgpu/tiny.ts";

test.each(CROP_COUNTS)(
  "%i crops: the mean over crops of each model's probabilities, and over models",
  async (count) => {
    const picture = noisePicture(40, 30);
    const weights = [weightsFor(tiny, 1), weightsFor(tiny, 2)];
    const crops = cropsOf(protocolOf(count), picture, 8);
    const data = new Float32Array(count * 3 * 8 * 8);
    crops.forEach((crop, index) => {
      cutCrop(picture, crop, data, index * 3 * 8 * 8, 8);
    });
    const means = await Promise.all(
      weights.map(async (each) => {
        const prob = await referenceProb(each, { shape: [count, 3, 8, 8], data });
        const sums = Array.from({ length: 10 }, (_, index) =>
          crops.reduce((sum, _crop, crop) => sum + prob.data[crop * 10 + index], 0),
        );
        return Float32Array.from(sums, (sum) => sum / count);
      }),
    );
    const both = means[0].map((value, index) => (value + means[1][index]) / 2);

    const classifier = new ReferenceClassifier(
      weights.map((each) => ({ graph: tiny, weights: each })),
      { protocol: protocolOf(count) },
    );
    expect(classifier.crops).toBe(count);
    let progress = 0;
    const onProgress = (more: number) => (progress += more);
    const items = ["nothing", "picture", "nothing"];
    const seen: string[] = [];
    const stream = classifier.classify(items, (item) => (item === "picture" ? picture : undefined), { onProgress });
    for await (const { item, classification } of stream) {
      seen.push(item);
      expect(classification !== undefined).toBe(item === "picture");
      if (!classification) continue;
      expect(difference(classification.probabilities["prob"], both).maxAbs).toBeLessThan(1e-7);
      classification.models.forEach((model, index) => {
        expect(difference(model["prob"], means[index]).maxAbs).toBeLessThan(1e-7);
      });
    }
    expect(seen).toEqual(items);
    expect(progress).toBe(count);
  },
);

test("it gives up where its signal comes", async () => {
  const abort = new AbortController();
  const classifier = new ReferenceClassifier([{ graph: tiny, weights: weightsFor(tiny, 1) }], { protocol: "crops10" });
  const onProgress = () => {
    abort.abort(new Error("enough"));
  };
  const stream = classifier.classify([noisePicture(9, 9)], (each) => each, { signal: abort.signal, onProgress });
  await expect(stream.next()).rejects.toThrow("enough");
});
