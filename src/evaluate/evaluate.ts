/** Evaluation: labelled pictures in, and for each what a classifier says of it. */

import { EngineError } from "../errors.ts";
import type { Classification, Classifier, ClassifyOptions } from "../classify/classifier.ts";
import { type Ranked, topK } from "../labels/labels.ts";
import type { LabelledPicture, PreparedPicture } from "./pictures.ts";
import type { EvaluatedPicture } from "./record.ts";
import type { ClassifiedPicture } from "./statistics.ts";

/** What became of a picture, and the time since the one before it. */
export type TimedPicture = EvaluatedPicture & {
  readonly seconds: number;
  /** Of these, how long there was nothing to compute because the next picture was not there. */
  readonly waitingSeconds: number;
};

/** Classes that are kept of each picture: an error is one of the most probable class, or of the five. */
const KEPT = 5;

/**
 * Classifies labelled pictures and gives for each, in their order, its most probable classes, or why it could not be
 * read. `summarise` makes figures of them. While some are computed, the next ones are taken: whoever gives them should
 * decode ahead.
 *
 * Throws EngineError "usage" for a class that the network does not have, "check" for a probability that is no number,
 * and what the classifier throws.
 *
 * @example
 * ```ts
 * import { evaluate, GpuClassifier } from "googlenet-wgsl";
 * import { kernels } from "googlenet-wgsl/kernels";
 * import { DecodePool, listLabelledPictures, openGpu, openModel } from "googlenet-wgsl/node";
 *
 * const { device } = await openGpu();
 * using classifier = await GpuClassifier.create([await openModel("googlenet")], { device, kernels });
 * const { pictures } = await listLabelledPictures("val/", { labels: "val.txt" });
 * await using pool = new DecodePool(classifier.preparation);
 * const decoded = pool.decodeAhead(pictures, ({ image }) => `val/${image}`, classifier.picturesUnderWay + 8);
 * let errors = 0;
 * for await (const picture of evaluate(classifier, decoded)) {
 *   if ("error" in picture || !picture.top5.includes(picture.class)) errors++;
 * }
 * console.log("top-5 error:", errors / pictures.length);
 * ```
 */
export async function* evaluate<Prepared>(
  classifier: Classifier<Prepared>,
  pictures: AsyncIterable<PreparedPicture<Prepared>> | Iterable<PreparedPicture<Prepared>>,
  options: ClassifyOptions = {},
): AsyncGenerator<TimedPicture, void, undefined> {
  let last = performance.now();
  let idle = 0;
  const onIdle = (milliseconds: number) => {
    idle += milliseconds;
    options.onIdle?.(milliseconds);
  };
  const preparedOf = (picture: PreparedPicture<Prepared>) => ("prepared" in picture ? picture.prepared : undefined);
  for await (const { item, classification } of classifier.classify(pictures, preparedOf, { ...options, onIdle })) {
    const now = performance.now();
    const times = { seconds: inSeconds(now - last), waitingSeconds: inSeconds(idle) };
    [last, idle] = [now, 0];
    const { number, image, class: shown } = item;
    const picture: LabelledPicture = { number, image, class: shown };
    if ("error" in item) {
      yield { ...picture, error: item.error.message, ...times };
    } else {
      yield { ...picture, ...judge(picture, classification!), ...times };
    }
  }
}

/** To the microsecond. */
function inSeconds(milliseconds: number): number {
  return Math.round(milliseconds * 1000) / 1e6;
}

function judge(
  { image, class: shown }: LabelledPicture,
  { probabilities, models }: Classification,
): Omit<ClassifiedPicture, keyof LabelledPicture> {
  const { prob } = probabilities;
  if (prob === undefined) {
    throw new EngineError("usage", "network", "it has no output prob", "evaluate a classifier of such networks");
  }
  if (shown >= prob.length) {
    const remedy = `give classes from 0 to ${prob.length - 1}`;
    throw new EngineError("usage", image, `it is of class ${shown}, and the network has ${prob.length}`, remedy);
  }
  const best = topK(prob, KEPT);
  const each = models.flatMap(({ prob: own }) => (own === undefined ? [] : [classesOf(topK(own, KEPT))]));
  return {
    top5: classesOf(best),
    probabilities: best.map(({ probability }) => probability),
    ofClass: prob[shown],
    ...(each.length > 1 && each.length === models.length ? { models: each } : {}),
  };
}

function classesOf(ranked: readonly Ranked[]): number[] {
  return ranked.map(({ class: index }) => index);
}
