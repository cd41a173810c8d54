/** Evaluates what a state does not have yet: pictures are decoded ahead, and each is kept and printed as it is done. */

import type { Classifier } from "../classify/classifier.ts";
import { EngineError } from "../errors.ts";
import { adapterOf, allOf, changes } from "../evaluate/computed-by.ts";
import { evaluate } from "../evaluate/evaluate.ts";
import { type LabelledPicture, picturesOf } from "../evaluate/pictures.ts";
import type { ComputedBy, EvaluatedPicture, Evaluation, EvaluationRun, Shard } from "../evaluate/record.ts";
import { DecodePool } from "../node/decode-pool.ts";
import { EvaluationState } from "../node/evaluation-state.ts";
import type { Context } from "./context.ts";
import { printPicture } from "./evaluate-results.ts";
import { plural } from "./format.ts";
import type { OpenClassifier } from "./open-classifier.ts";
import { Interrupted } from "./report.ts";

/** All that is known before anything is classified. */
export interface Work {
  readonly run: EvaluationRun;
  readonly shard: Shard;
  /** Of all shards. */
  readonly pictures: readonly LabelledPicture[];
  readonly pathOf: (image: string) => string;
  /** The file where progress is kept, if any. */
  readonly state: string | undefined;
  readonly skipUnreadable: boolean;
  /** Makes a classifier ready for so many pictures; not asked for one where a state has all of them. */
  readonly open: (pictures: number) => Promise<OpenClassifier>;
}

/** Evaluates the shard's pictures, and prints each with `--json`. */
export async function evaluateWork(work: Work, context: Context): Promise<Evaluation> {
  const { run, shard, skipUnreadable, state: path } = work;
  if (path === undefined) return await evaluateRest(work, undefined, context);
  const state = await EvaluationState.open(path, {
    run,
    shard,
    skipUnreadable,
    signal: context.signal,
    onWait: (machine) => context.terminal.note(`${path}: waiting for a sign of life from ${machine}`),
  });
  try {
    return await evaluateRest(work, state, context);
  } finally {
    await state.close();
  }
}

/** What one process adds to an evaluation. */
interface Attempt {
  readonly computedBy: ComputedBy;
  /** Pictures that are new, and those that an earlier attempt could not read. */
  readonly pictures: readonly EvaluatedPicture[];
  readonly seconds: number;
  readonly waitingSeconds: number;
}

/** Evaluates what the state does not have, and gives the whole. */
async function evaluateRest(work: Work, state: EvaluationState | undefined, context: Context): Promise<Evaluation> {
  const { run, shard, skipUnreadable } = work;
  const { terminal } = context;
  const nothing = { pictures: [], adapter: "", computedBy: [], seconds: 0, waitingSeconds: 0 };
  const before: Pick<Evaluation, keyof typeof nothing> = state?.before ?? nothing;
  const own = picturesOf(shard, work.pictures);
  const known = { run, shard, skipUnreadable };
  const unreadable = before.pictures.filter(isUnreadable).length;
  if (before.pictures.length === own.length) {
    if (terminal.json) for (const picture of before.pictures) await printPicture(picture, terminal);
    if (unreadable > 0) {
      const kept = `is finished, and keeps ${plural(unreadable, "picture")} that could not be read as such`;
      terminal.note(`${work.state}: ${kept}; remove it, or name another --state, to look at all pictures anew`);
    }
    return { ...before, ...known };
  }
  // Those that could not be read are looked at again first: what is printed of them is what becomes of them now.
  if (terminal.json) {
    for (const picture of before.pictures) if (!isUnreadable(picture)) await printPicture(picture, terminal);
  }
  if (before.pictures.length > 0) {
    const done = `${before.pictures.length.toLocaleString("en")} of ${plural(own.length, "picture")}`;
    const again = unreadable > 0 ? `, and looking again at ${unreadable} that could not be read` : "";
    terminal.note(`${work.state}: going on after ${done}${again}`);
  }
  const attempt = await classifyRest(work, own, state, context);
  const computedBy = allOf(before.computedBy, [attempt.computedBy]);
  return {
    ...known,
    adapter: adapterOf(computedBy),
    computedBy,
    pictures: updated(before.pictures, attempt.pictures),
    seconds: before.seconds + attempt.seconds,
    waitingSeconds: before.waitingSeconds === null ? null : before.waitingSeconds + attempt.waitingSeconds,
  };
}

function isUnreadable(picture: EvaluatedPicture): boolean {
  return "error" in picture;
}

/** All pictures in their order, of those that are in both what is newer. */
function updated(older: readonly EvaluatedPicture[], newer: readonly EvaluatedPicture[]): EvaluatedPicture[] {
  const all = new Map([...older, ...newer].map((picture) => [picture.number, picture]));
  return [...all.values()].sort((a, b) => a.number - b.number);
}

async function classifyRest(
  { run, shard, pathOf, open }: Work,
  own: readonly LabelledPicture[],
  state: EvaluationState | undefined,
  { terminal, signal }: Context,
): Promise<Attempt> {
  using engine = await open(own.length);
  const { classifier, adapter, tuning, batch } = engine;
  const computedBy = { shard, adapter, tuning, batch };
  const last = state?.before.computedBy.at(-1);
  const changed = last ? changes(last, computedBy) : [];
  if (changed.length > 0) {
    terminal.note(`${state!.path}: goes on with ${changed.join("; ")}: last bits of probabilities may differ`);
  }
  await state?.begin(computedBy);
  await using pool = new DecodePool(classifier.preparation);
  const before = state?.before.pictures ?? [];
  const depth = classifier.picturesUnderWay + 2 * pool.threads;
  const pictures: EvaluatedPicture[] = [];
  let [seconds, waitingSeconds] = [0, 0];

  /** Keeps and prints what becomes of pictures, but for those that are only computed again. */
  const classify = async (some: readonly LabelledPicture[], isKept: (picture: LabelledPicture) => boolean) => {
    if (some.length === 0) return;
    const decoded = pool.decodeAhead(some, ({ image }) => pathOf(image), depth, signal);
    const bar = terminal.progress(run.crops === 1 ? "Pictures" : "Crops", some.length * run.crops);
    let crops = 0;
    const onProgress = (more: number) => {
      crops += more;
      bar.update(crops);
    };
    try {
      for await (const timed of evaluate(classifier, decoded, { signal, onProgress })) {
        if ("error" in timed) onProgress(run.crops);
        if (!isKept(timed)) continue;
        await state?.add(timed);
        const { seconds: its, waitingSeconds: waited, ...picture } = timed;
        seconds += its;
        waitingSeconds += waited;
        pictures.push(picture);
        await printPicture(picture, terminal, { isNew: true });
      }
    } finally {
      bar.stop();
    }
  };

  try {
    const unreadable = new Set(before.filter(isUnreadable).map(({ number }) => number));
    await classify(
      own.filter(({ number }) => unreadable.has(number)),
      () => true,
    );
    // Groups are counted by what can be read, so that they are known only now.
    const known = updated(before, pictures);
    const numbers = new Set(known.map(({ number }) => number));
    await classify(own.slice(startOfGroup(own, known, classifier)), ({ number }) => !numbers.has(number));
  } catch (error) {
    // A picture's error that comes to here is the machine's: its file is gone, or there is no memory.
    const goesOn = error instanceof Interrupted || (error instanceof EngineError && error.code === "picture");
    if (goesOn && state) {
      const done = updated(before, pictures).length.toLocaleString("en");
      terminal.note(`${state.path}: keeps ${done} of ${plural(own.length, "picture")}; the same command goes on`);
    }
    throw error;
  }
  return { computedBy, pictures, seconds, waitingSeconds };
}

/**
 * Where to begin: at the last whole group of pictures that are computed together. The few that are known already are
 * computed again, so that each is in the same batch as in a run that nobody interrupted: sums of other batch sizes differ
 * in their last bits.
 */
function startOfGroup(
  own: readonly LabelledPicture[],
  before: readonly EvaluatedPicture[],
  { picturesTogether }: Classifier<unknown>,
): number {
  const known = new Map(before.map((picture) => [picture.number, picture]));
  let start = 0;
  let readable = 0;
  for (const [index, { number }] of own.entries()) {
    const picture = known.get(number);
    if (!picture) break;
    if (!("error" in picture)) readable++;
    if (readable === picturesTogether) {
      start = index + 1;
      readable = 0;
    }
  }
  return start;
}
