/** Evaluations that were never run: their pictures are given, or drawn at random. */

import type { EvaluatedPicture, Evaluation, EvaluationRun } from "../../src/evaluate/record.ts";

const run: Omit<EvaluationRun, "total"> = {
  engine: "0.1.0",
  models: [{ name: "bvlc_googlenet.safetensors", sha256: "c1".repeat(32) }],
  protocol: "squash256",
  crops: 1,
  precision: "float32",
  backend: "webgpu",
  pictures: "d5".repeat(32),
};

export interface EvaluationChanges extends Partial<Omit<Evaluation, "run" | "pictures">> {
  readonly run?: Partial<EvaluationRun>;
}

/** A finished evaluation of these pictures by one model and one crop, but for what is changed. */
export function evaluationOf(pictures: readonly EvaluatedPicture[], changes: EvaluationChanges = {}): Evaluation {
  const { shard = { index: 1, of: 1 }, adapter = "A GPU" } = changes;
  const total = pictures.length === 0 ? 0 : (pictures.length - 1) * shard.of + shard.index;
  return {
    shard,
    adapter,
    computedBy: [{ shard, adapter }],
    seconds: 2,
    waitingSeconds: 0,
    skipUnreadable: false,
    ...changes,
    run: { ...run, total, ...changes.run },
    pictures,
  };
}

/** A picture, named by its number, that shows one class and was taken for others, each less probable than the last. */
export function seen(
  number: number,
  shown: number,
  top5: readonly number[],
  probabilities: readonly number[] = [0.5, 0.2, 0.1, 0.05, 0.02],
): EvaluatedPicture {
  const place = top5.indexOf(shown);
  return {
    number,
    image: `${number}.jpg`,
    class: shown,
    top5,
    probabilities,
    ofClass: place < 0 ? 0.01 : probabilities[place],
  };
}

export function unreadable(number: number, shown: number, error = "it is no picture"): EvaluatedPicture {
  return { number, image: `${number}.jpg`, class: shown, error };
}

/** Pictures of a few classes, some of them unreadable, with guesses of which many are wrong. */
export function randomPictures(next: () => number, count: number, classes = 8): EvaluatedPicture[] {
  const below = (limit: number) => Math.floor(limit * next());
  return Array.from({ length: count }, (_, number) => {
    const shown = below(classes);
    if (next() < 0.1) return unreadable(number, shown);
    const others = Array.from({ length: classes }, (_, each) => each)
      .map((each) => ({ each, order: next() - (each === shown ? 0.4 : 0) }))
      .sort((a, b) => a.order - b.order)
      .map(({ each }) => each);
    const probabilities = Array.from({ length: 5 }, () => next() / 5).sort((a, b) => b - a);
    return seen(number, shown, others.slice(0, 5), probabilities);
  });
}
