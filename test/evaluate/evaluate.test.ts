/** Evaluating by a classifier: what is kept of each picture, against the reference's own probabilities. */

import { describe, expect, test } from "vitest";
import { ReferenceClassifier } from "../../src/classify/reference.ts";
import { EngineError } from "../../src/errors.ts";
import { evaluate, type TimedPicture } from "../../src/evaluate/evaluate.ts";
import { digestOfPictures, numbered, picturesOf, shardSize } from "../../src/evaluate/pictures.ts";
import { cropsOf, cutCrop } from "../../src/image/crops.ts";
import { noisePicture } from "../support/pictures.ts";
import { referenceProb, tiny, weightsFor } from "../webgpu/tiny.ts";

const weights = weightsFor(tiny, 1);
const album = [noisePicture(40, 30), noisePicture(21, 33), noisePicture(8, 8)];

async function collect(stream: AsyncIterable<TimedPicture>): Promise<TimedPicture[]> {
  const all: TimedPicture[] = [];
  for await (const each of stream) all.push(each);
  return all;
}

test("gives the five most probable classes, and the probability of the one shown; errors keep their place", async () => {
  const classifier = new ReferenceClassifier([{ graph: tiny, weights }], { protocol: "crops10" });
  const error = new EngineError("picture", "b.jpg", "it is torn", "mend it");
  const pictures = [
    { number: 0, image: "a.jpg", class: 3, prepared: album[0] },
    { number: 2, image: "b.jpg", class: 1, error },
    { number: 4, image: "c.jpg", class: 9, prepared: album[1] },
  ];
  const results = await collect(evaluate(classifier, pictures));
  expect(results.map(({ number, image, class: shown }) => [number, image, shown])).toEqual([
    [0, "a.jpg", 3],
    [2, "b.jpg", 1],
    [4, "c.jpg", 9],
  ]);
  expect(results[1]).toMatchObject({ error: "b.jpg: it is torn; mend it" });
  for (const [index, picture] of [0, 2].map((at, place) => [at, album[place]] as const)) {
    const crops = cropsOf("crops10", picture, 8);
    const data = new Float32Array(crops.length * 3 * 8 * 8);
    crops.forEach((crop, at) => {
      cutCrop(picture, crop, data, at * 3 * 8 * 8, 8);
    });
    const prob = await referenceProb(weights, { shape: [crops.length, 3, 8, 8], data });
    const mean = Array.from({ length: 10 }, (_, each) => {
      const sum = crops.reduce((total, _crop, crop) => total + prob.data[crop * 10 + each], 0);
      return { each, probability: sum / crops.length };
    });
    const best = mean.toSorted((a, b) => b.probability - a.probability).slice(0, 5);
    const result = results[index];
    if ("error" in result) throw new Error("it was read");
    expect(result.top5).toEqual(best.map(({ each }) => each));
    result.probabilities.forEach((value, rank) => {
      expect(value).toBeCloseTo(best[rank].probability, 6);
    });
    expect(result.ofClass).toBeCloseTo(mean[result.class].probability, 6);
    expect(result.seconds).toBeGreaterThan(0);
  }
});

test("keeps what each model of an ensemble says by itself", async () => {
  const models = [weights, weightsFor(tiny, 2)].map((each) => ({ graph: tiny, weights: each }));
  const picture = { number: 0, image: "a.jpg", class: 3, prepared: album[0] };
  const alone = [];
  for (const model of models) {
    const [result] = await collect(evaluate(new ReferenceClassifier([model]), [picture]));
    expect(result).not.toHaveProperty("models");
    alone.push("top5" in result ? result.top5 : []);
  }
  expect(alone[0]).not.toEqual(alone[1]);
  expect(await collect(evaluate(new ReferenceClassifier(models), [picture]))).toMatchObject([{ models: alone }]);
});

test("refuses a class that the network does not have, and a network without probabilities", async () => {
  const classifier = new ReferenceClassifier([{ graph: tiny, weights }]);
  const picture = { number: 0, image: "a.jpg", class: 10, prepared: album[2] };
  await expect(collect(evaluate(classifier, [picture]))).rejects.toMatchObject({
    code: "usage",
    message: "a.jpg: it is of class 10, and the network has 10; give classes from 0 to 9",
  });
  const other = { ...tiny, nodes: tiny.nodes.slice(0, -1), outputs: ["fc"] };
  const logits = new ReferenceClassifier([{ graph: other, weights }]);
  await expect(collect(evaluate(logits, [{ ...picture, class: 1 }]))).rejects.toThrow(/it has no output prob/);
});

test("stops where the weights give no numbers, rather than count what they give", async () => {
  const broken = new Map(weights);
  const { shape, data } = weights.get("fc.bias") ?? [...weights.values()].at(-1)!;
  const name = [...weights.keys()].find((each) => weights.get(each)!.data === data)!;
  broken.set(name, { shape, data: data.map(() => NaN) });
  const classifier = new ReferenceClassifier([{ graph: tiny, weights: broken }]);
  const pictures = [{ number: 0, image: "a.jpg", class: 1, prepared: album[2] }];
  await expect(collect(evaluate(classifier, pictures))).rejects.toMatchObject({ code: "check" });
});

describe("pictures", () => {
  test("are numbered in the order of their paths, and shards take them in turns", () => {
    const pictures = numbered(["b", "a/1", "B", "a 1", "ä"].map((image, index) => ({ image, class: index })));
    expect(pictures.map(({ image, number, class: shown }) => [number, image, shown])).toEqual([
      [0, "B", 2],
      [1, "a 1", 3],
      [2, "a/1", 1],
      [3, "b", 0],
      [4, "ä", 4],
    ]);
    for (let of = 1; of <= 7; of++) {
      const parts = Array.from({ length: of }, (_, part) => picturesOf({ index: part + 1, of }, pictures));
      expect(parts.flat().sort((a, b) => a.number - b.number)).toEqual(pictures);
      parts.forEach((part, at) => {
        expect(shardSize({ index: at + 1, of }, pictures.length)).toBe(part.length);
      });
    }
  });

  test("have a digest by paths and classes in order", async () => {
    const list = [
      { image: "a", class: 1 },
      { image: "b", class: 2 },
    ];
    const digests = await Promise.all(
      [
        list,
        list.toReversed(),
        [{ image: "a", class: 2 }, list[1]],
        [{ image: "a\n", class: 1 }, list[1]],
        [{ image: 'a",1]\n["b', class: 2 }],
        [],
      ].map(digestOfPictures),
    );
    expect(new Set(digests).size).toBe(digests.length);
    expect(digests[0]).toMatch(/^[0-9a-f]{64}$/);
    expect(await digestOfPictures(list)).toBe(digests[0]);
  });
});
