/** Two evaluations of the same pictures (by other precisions, devices, engines or crops), picture by picture. */

import { EngineError } from "../errors.ts";
import { requireFinished } from "./finished.ts";
import { type McNemar, mcnemar } from "./mcnemar.ts";
import type { EvaluatedPicture, Evaluation } from "./record.ts";
import { type ClassifiedPicture, errorRate, type ErrorRate, isClassified } from "./statistics.ts";

/** What became of the pictures that both could read, by one of the two errors. */
export interface ErrorComparison {
  readonly first: ErrorRate;
  readonly second: ErrorRate;
  /** Pictures that only the first has wrong, and that only the second has: the discordant pairs. */
  readonly onlyFirst: number;
  readonly onlySecond: number;
  readonly mcnemar: McNemar;
}

/** A class and its probability. */
export interface Guess {
  readonly class: number;
  readonly probability: number;
}

/** A picture whose most probable class is another. */
export interface ChangedPicture {
  readonly image: string;
  /** The class that it shows. */
  readonly class: number;
  readonly first: Guess;
  readonly second: Guess;
}

/** Where the two differ most over one picture. */
export interface ProbabilityDifference {
  readonly image: string;
  /** The class whose probabilities differ. */
  readonly class: number;
  /** Null where the class is not among the five; then the difference is at least what is said. */
  readonly first: number | null;
  readonly second: number | null;
  readonly difference: number;
}

/** What two evaluations of the same pictures agree and differ in. */
export interface Comparison {
  /** Pictures of both, unreadable ones among them. */
  readonly pictures: number;
  /** Pictures that both could read: all that follows is about them. */
  readonly compared: number;
  /** Pictures that the first, and that the second could not read. */
  readonly unreadable: { readonly first: number; readonly second: number };
  /** Pictures with the same most probable class, and with the same five. */
  readonly sameTop1: number;
  readonly sameTop5: number;
  readonly top1: ErrorComparison;
  readonly top5: ErrorComparison;
  /** In the first's order. */
  readonly changed: readonly ChangedPicture[];
  /** Of each picture the largest difference of probabilities, the largest first; pictures without any are left out. */
  readonly differences: readonly ProbabilityDifference[];
}

/** A picture as both saw it. */
interface Pair {
  readonly first: ClassifiedPicture;
  readonly second: ClassifiedPicture;
}

/**
 * Compares two evaluations of the same pictures, whole or of one shard.
 *
 * @throws EngineError `check` where they are not of the same pictures with the same classes; `evaluation` where one of
 * them is not finished.
 */
export function compareEvaluations(first: Evaluation, second: Evaluation): Comparison {
  requireFinished("the first evaluation", first);
  requireFinished("the second evaluation", second);
  const both = match(first.pictures, second.pictures);
  const pairs = both.flatMap(([one, other]): Pair[] =>
    isClassified(one) && isClassified(other) ? [{ first: one, second: other }] : [],
  );
  const times = (holds: (pair: Pair) => boolean) => pairs.filter(holds).length;
  const unreadable = (pictures: readonly EvaluatedPicture[]) =>
    pictures.filter((picture) => !isClassified(picture)).length;

  return {
    pictures: both.length,
    compared: pairs.length,
    unreadable: { first: unreadable(first.pictures), second: unreadable(second.pictures) },
    sameTop1: times(sameMostProbable),
    sameTop5: times((pair) => pair.first.top5.every((each) => pair.second.top5.includes(each))),
    top1: errors(pairs, ({ top5, class: shown }) => top5[0] !== shown),
    top5: errors(pairs, ({ top5, class: shown }) => !top5.includes(shown)),
    changed: pairs
      .filter((pair) => !sameMostProbable(pair))
      .map((pair) => ({
        image: pair.first.image,
        class: pair.first.class,
        first: mostProbable(pair.first),
        second: mostProbable(pair.second),
      })),
    differences: pairs
      .map(largestDifference)
      .filter(({ difference }) => difference > 0)
      .sort((a, b) => b.difference - a.difference),
  };
}

/** The pictures of both by path and class, in the first's order. */
function match(
  first: readonly EvaluatedPicture[],
  second: readonly EvaluatedPicture[],
): [EvaluatedPicture, EvaluatedPicture][] {
  const ours = byPath(first, "the first evaluation");
  const theirs = byPath(second, "the second evaluation");
  const missing = first.filter(({ image }) => !theirs.has(image));
  const extra = second.filter(({ image }) => !ours.has(image));
  const absences = [
    ...(missing.length > 0 ? [`the second lacks ${naming(missing)}`] : []),
    ...(extra.length > 0 ? [`the first lacks ${naming(extra)}`] : []),
  ];
  if (absences.length > 0) {
    const remedy = "compare evaluations of the same folder, and shards once they are merged";
    throw new EngineError("check", "the two evaluations", absences.join(", and "), remedy);
  }
  const relabelled = first.filter((picture) => theirs.get(picture.image)!.class !== picture.class);
  if (relabelled.length > 0) {
    const [{ image, class: shown }] = relabelled;
    const others = relabelled.length > 1 ? `, and ${relabelled.length - 1} more differ` : "";
    const problem = `shows class ${shown} by the first and ${theirs.get(image)!.class} by the second${others}`;
    throw new EngineError("check", image, problem, "evaluate both by the same labels");
  }
  return first.map((picture) => [picture, theirs.get(picture.image)!]);
}

function byPath(pictures: readonly EvaluatedPicture[], where: string): Map<string, EvaluatedPicture> {
  const paths = new Map<string, EvaluatedPicture>();
  for (const picture of pictures) {
    if (paths.has(picture.image)) {
      throw new EngineError("check", where, `${picture.image} is in it twice`, "evaluate each picture once");
    }
    paths.set(picture.image, picture);
  }
  return paths;
}

/** `cat.jpg`, `cat.jpg and 3 more`. */
function naming(pictures: readonly EvaluatedPicture[]): string {
  return `${pictures[0].image}${pictures.length > 1 ? ` and ${pictures.length - 1} more` : ""}`;
}

function errors(pairs: readonly Pair[], wrong: (picture: ClassifiedPicture) => boolean): ErrorComparison {
  let [inFirst, inSecond, inBoth] = [0, 0, 0];
  for (const { first, second } of pairs) {
    const [one, other] = [wrong(first), wrong(second)];
    if (one) inFirst++;
    if (other) inSecond++;
    if (one && other) inBoth++;
  }
  const onlyFirst = inFirst - inBoth;
  const onlySecond = inSecond - inBoth;
  return {
    first: errorRate(inFirst, pairs.length),
    second: errorRate(inSecond, pairs.length),
    onlyFirst,
    onlySecond,
    mcnemar: mcnemar(onlyFirst, onlySecond),
  };
}

function mostProbable({ top5, probabilities }: ClassifiedPicture): Guess {
  return { class: top5[0], probability: probabilities[0] };
}

function sameMostProbable({ first, second }: Pair): boolean {
  return first.top5[0] === second.top5[0];
}

/**
 * Over the classes that either has among its five, and the one shown. What is not among a picture's five is at most as
 * probable as the last of them.
 */
function largestDifference({ first, second }: Pair): ProbabilityDifference {
  const differences = [...new Set([first.class, ...first.top5, ...second.top5])].map((each) => {
    const [one, other] = [probabilityOf(each, first), probabilityOf(each, second)];
    const difference = Math.max(
      0,
      one !== null && other !== null
        ? Math.abs(one - other)
        : (one ?? other ?? 0) - (one === null ? first : second).probabilities.at(-1)!,
    );
    return { image: first.image, class: each, first: one, second: other, difference };
  });
  return differences.reduce((largest, each) => (each.difference > largest.difference ? each : largest));
}

function probabilityOf(which: number, { top5, probabilities, class: shown, ofClass }: ClassifiedPicture) {
  const place = top5.indexOf(which);
  if (place >= 0) return probabilities[place];
  return which === shown ? ofClass : null;
}
