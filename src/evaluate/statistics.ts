/** What an evaluation comes to: errors with their confidence intervals, by class, and what is taken for what. */

import type { EvaluatedPicture, Evaluation } from "./record.ts";

/** Where the true value lies with 95 % confidence; fractions. */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** Errors among pictures. */
export interface ErrorRate {
  readonly errors: number;
  /** Pictures that count. */
  readonly of: number;
  /** Errors over pictures that count; NaN where none does. */
  readonly rate: number;
  readonly interval: Interval;
}

/** The pictures that show one class. */
export interface ClassErrors {
  readonly class: number;
  readonly top1: ErrorRate;
  readonly top5: ErrorRate;
  readonly unreadable: number;
}

/** Pictures of one class whose most probable class is another. */
export interface Confusion {
  readonly class: number;
  readonly predicted: number;
  readonly count: number;
  /** Pictures of the class that count. */
  readonly of: number;
}

/** The figures of an evaluation. */
export interface Summary {
  /** Pictures, unreadable ones among them. */
  readonly images: number;
  readonly unreadable: number;
  readonly top1: ErrorRate;
  readonly top5: ErrorRate;
  /** Of each class that some picture shows, by class. */
  readonly classes: readonly ClassErrors[];
  /** All that occur, the most frequent ones first; equally frequent ones by class. */
  readonly confusions: readonly Confusion[];
  /**
   * Of an ensemble, each model's errors by itself, in the models' order; empty of one model, and where a picture's
   * results don't have them.
   */
  readonly models: readonly { readonly top1: ErrorRate; readonly top5: ErrorRate }[];
  readonly seconds: number;
  /** The share of these seconds in which whatever computes waited for pictures; null where that is not known. */
  readonly waitingShare: number | null;
  /** Pictures classified in a second of one machine: the seconds of merged shards are added up. 0 where none was. */
  readonly imagesPerSecond: number;
}

/** A picture of which there is a result. */
export type ClassifiedPicture = Extract<EvaluatedPicture, { readonly top5: readonly number[] }>;

/** Whether the picture could be read. */
export function isClassified(picture: EvaluatedPicture): picture is ClassifiedPicture {
  return !("error" in picture);
}

/** The quantile of the normal distribution that leaves 2.5 % at either end. */
const Z = 1.959963984540054;

/**
 * The score interval of a proportion, 95 % (Wilson, "Probable inference, the law of succession, and statistical
 * inference", Journal of the American Statistical Association 22, 1927). Unlike the usual rate ± z·√(rate·(1−rate)/n)
 * it holds for few pictures and for rates near 0 and 1, and never leaves 0 to 1. Of no picture nothing is known: 0 to 1.
 */
export function wilson(errors: number, n: number): Interval {
  if (n === 0) return { low: 0, high: 1 };
  const rate = errors / n;
  const centre = rate + Z ** 2 / (2 * n);
  const half = Z * Math.sqrt((rate * (1 - rate)) / n + Z ** 2 / (4 * n ** 2));
  const scale = 1 + Z ** 2 / n;
  return {
    // Exact at the ends, where centre and half are equal but for rounding.
    low: errors === 0 ? 0 : (centre - half) / scale,
    high: errors === n ? 1 : (centre + half) / scale,
  };
}

/** Errors among pictures, with their interval. */
export function errorRate(errors: number, of: number): ErrorRate {
  return { errors, of, rate: errors / of, interval: wilson(errors, of) };
}

/** Sums of one class. */
interface ClassCounts {
  readable: number;
  unreadable: number;
  top1Errors: number;
  top5Errors: number;
  /** Pictures by the class that they were taken for. */
  readonly taken: Map<number, number>;
}

/**
 * An evaluation's figures. All of them are made of counts, so that those of merged shards equal those of the whole.
 * Unreadable pictures are errors, unless the evaluation leaves them out.
 */
export function summarise({ run, pictures, seconds, waitingSeconds, skipUnreadable }: Evaluation): Summary {
  const counts = new Map<number, ClassCounts>();
  for (const picture of pictures) count(picture, counts);

  const classes = [...counts].sort(([a], [b]) => a - b);
  const rates = (all: readonly ClassCounts[]) => {
    const sum = (part: (each: ClassCounts) => number) => all.reduce((total, each) => total + part(each), 0);
    const unreadable = sum((each) => each.unreadable);
    const alsoWrong = skipUnreadable ? 0 : unreadable;
    const of = sum((each) => each.readable) + alsoWrong;
    const top1 = errorRate(sum((each) => each.top1Errors) + alsoWrong, of);
    const top5 = errorRate(sum((each) => each.top5Errors) + alsoWrong, of);
    return { top1, top5, unreadable };
  };
  const total = rates(classes.map(([, each]) => each));
  const byClass = classes.map(([shown, each]) => ({ class: shown, ...rates([each]) }));
  const confusions = classes.flatMap(([shown, { taken }], index) =>
    [...taken].map(([predicted, times]) => ({
      class: shown,
      predicted,
      count: times,
      of: byClass[index].top1.of,
    })),
  );
  const readable = pictures.length - total.unreadable;
  return {
    images: pictures.length,
    ...total,
    classes: byClass,
    models: modelErrors(pictures.filter(isClassified), run.models.length, total),
    confusions: confusions.sort((a, b) => b.count - a.count || a.class - b.class || a.predicted - b.predicted),
    seconds,
    waitingShare: waitingSeconds !== null && seconds > 0 ? waitingSeconds / seconds : null,
    imagesPerSecond: seconds > 0 ? readable / seconds : 0,
  };
}

/** @param total of all models together: who could not be read is wrong, or left out, by each alone as well */
function modelErrors(
  classified: readonly ClassifiedPicture[],
  models: number,
  { unreadable, top1: { of } }: { readonly unreadable: number; readonly top1: ErrorRate },
): Summary["models"] {
  if (models < 2 || classified.some((picture) => picture.models?.length !== models)) return [];
  const alsoWrong = of > classified.length ? unreadable : 0;
  const wrong = (isRight: (top5: readonly number[], shown: number) => boolean, model: number) =>
    classified.filter((picture) => !isRight(picture.models![model], picture.class)).length + alsoWrong;
  return Array.from({ length: models }, (_, model) => ({
    top1: errorRate(
      wrong((top5, shown) => top5[0] === shown, model),
      of,
    ),
    top5: errorRate(
      wrong((top5, shown) => top5.includes(shown), model),
      of,
    ),
  }));
}

function count(picture: EvaluatedPicture, counts: Map<number, ClassCounts>): void {
  const shown = picture.class;
  let sums = counts.get(shown);
  if (!sums) {
    sums = { readable: 0, unreadable: 0, top1Errors: 0, top5Errors: 0, taken: new Map() };
    counts.set(shown, sums);
  }
  if (!isClassified(picture)) {
    sums.unreadable++;
    return;
  }
  sums.readable++;
  const [first] = picture.top5;
  if (!picture.top5.includes(shown)) sums.top5Errors++;
  if (first !== shown) {
    sums.top1Errors++;
    sums.taken.set(first, (sums.taken.get(first) ?? 0) + 1);
  }
}

/** What becomes of so many unreadable pictures in the figures, in words. */
export function unreadableCount({ skipUnreadable }: Pick<Evaluation, "skipUnreadable">, unreadable: number): string {
  if (skipUnreadable) return "left out";
  return unreadable === 1 ? "counted as an error" : "counted as errors";
}
