/** `evaluate`: the error over a folder of labelled pictures, in one go or in parts. */

import { join } from "node:path";
import type { Classifier } from "../classify/classifier.ts";
import { EngineError } from "../errors.ts";
import { evaluate as evaluatePictures } from "../evaluate/evaluate.ts";
import { mergeShards, type NamedEvaluation } from "../evaluate/merge.ts";
import { digestOfPictures, type LabelledPicture, picturesOf } from "../evaluate/pictures.ts";
import type { EvaluatedPicture, Evaluation, EvaluationRun, Shard } from "../evaluate/record.ts";
import { googLeNet } from "../graph/googlenet.ts";
import { inferShapesForBatch } from "../graph/graph.ts";
import { cropCount, type CropCount, protocolOf } from "../image/crops.ts";
import type { Recipe } from "../image/preprocess.ts";
import { DecodePool } from "../node/decode-pool.ts";
import { EvaluationState, readEvaluation } from "../node/evaluation-state.ts";
import { listLabelledPictures } from "../node/labelled-folder.ts";
import { googlenetVersion } from "../node/package.ts";
import { fingerprint } from "../weights/recognise.ts";
import { checkLook } from "./classify.ts";
import type { Context } from "./context.ts";
import { printComparison } from "./evaluate-compare.ts";
import { printPicture, printSummary } from "./evaluate-results.ts";
import { plural } from "./format.ts";
import { openClassifier } from "./open-classifier.ts";
import type { Ensemble, MainHeadOptions } from "./options.ts";
import { exitStatus, Interrupted } from "./report.ts";
import { type ChosenWeights, trainedEnsemble } from "./weights-choice.ts";

export interface EvaluateOptions extends Ensemble<MainHeadOptions> {
  readonly labels?: string;
  readonly synsets?: string;
  readonly crops?: CropCount;
  readonly resize?: Recipe;
  /** Bytes. */
  readonly memory?: number;
  readonly state?: string;
  readonly shard?: Shard;
  readonly skipUnreadable?: true;
  readonly merge?: readonly string[];
  readonly compare?: readonly string[];
}

/** The whole: the one part of one. */
const WHOLE: Shard = { index: 1, of: 1 };

/** Evaluates a folder, or makes something of evaluations that there are. */
export async function evaluate(
  folder: string | undefined,
  options: EvaluateOptions,
  context: Context,
): Promise<number> {
  checkTask(folder, options);
  if (options.compare) return await compare(options.compare, context);
  return await finish(
    options.merge ? await merge(options.merge, options) : await evaluateFolder(folder!, options, context),
    context,
  );
}

/** What --merge and --compare may be given with; all else is of an evaluation that is made. */
const BESIDES = {
  merge: ["merge", "skipUnreadable", "json", "quiet"],
  compare: ["compare", "json", "quiet"],
} as const;

function checkTask(folder: string | undefined, options: EvaluateOptions): void {
  const tasks = [...(folder === undefined ? [] : ["FOLDER"]), ...(options.merge ? ["--merge"] : [])].concat(
    options.compare ? ["--compare"] : [],
  );
  if (tasks.length === 0) {
    throw new EngineError("usage", "evaluate", "there is nothing to do", "name a folder, or give --merge or --compare");
  }
  if (tasks.length > 1) {
    throw new EngineError("usage", "evaluate", `${tasks.join(" and ")} are given`, "give one of them");
  }
  for (const task of ["merge", "compare"] as const) {
    if (options[task] === undefined) continue;
    const other = Object.keys(options).find((name) => !(BESIDES[task] as readonly string[]).includes(name));
    if (other === undefined) continue;
    const flag = `--${other.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    throw new EngineError("usage", flag, `it conflicts with --${task}`, "give one of them");
  }
  if (options.compare && options.compare.length !== 2) {
    const problem = `it is given ${plural(options.compare.length, "result")}`;
    throw new EngineError("usage", "--compare", problem, "give two: --compare A.json B.json");
  }
}

async function compare([first, second]: readonly string[], { terminal }: Context): Promise<number> {
  return await printComparison(await readNamed(first), await readNamed(second), terminal);
}

/** The whole of which the files hold the shards. */
async function merge(files: readonly string[], { skipUnreadable }: EvaluateOptions): Promise<Evaluation> {
  const parts = await Promise.all(files.map(readNamed));
  if (!skipUnreadable) return await mergeShards(parts);
  return await mergeShards(
    parts.map(({ name, evaluation }) => ({ name, evaluation: { ...evaluation, skipUnreadable } })),
  );
}

async function readNamed(name: string): Promise<NamedEvaluation> {
  return { name, evaluation: await readEvaluation(name) };
}

/** Evaluates a folder, or the part of it that a shard is; goes on where a state says that it was. */
async function evaluateFolder(folder: string, options: EvaluateOptions, context: Context): Promise<Evaluation> {
  const { terminal, signal } = context;
  checkLook(options);
  if (options.synsets !== undefined && options.labels === undefined) {
    throw new EngineError("usage", "--synsets", "there is no --labels whose numbers it explains", "give both");
  }
  const { pictures, passedOver } = await listLabelledPictures(folder, options);
  if (passedOver > 0) terminal.note(`${folder}: ${plural(passedOver, "other file")} passed over`);

  const graph = googLeNet();
  const chosen = await trainedEnsemble(options.weights, inferShapesForBatch(graph, 1).parameters);
  const work: Work = {
    folder,
    chosen,
    pictures,
    run: await describeRun(chosen, pictures, options),
    shard: options.shard ?? WHOLE,
    options,
  };
  if (options.state === undefined) return await evaluateRest(work, undefined, context);

  const state = await EvaluationState.open(options.state, {
    run: work.run,
    shard: work.shard,
    skipUnreadable: options.skipUnreadable ?? false,
    signal,
    onWait: (machine) => terminal.note(`${options.state}: waiting for a sign of life from ${machine}`),
  });
  try {
    return await evaluateRest(work, state, context);
  } finally {
    await state.close();
  }
}

/** All that is known before anything is classified. */
interface Work {
  readonly folder: string;
  readonly chosen: readonly ChosenWeights[];
  /** Of all shards. */
  readonly pictures: readonly LabelledPicture[];
  readonly run: EvaluationRun;
  readonly shard: Shard;
  readonly options: EvaluateOptions;
}

async function describeRun(
  chosen: readonly ChosenWeights[],
  pictures: readonly LabelledPicture[],
  { crops, resize, backend }: EvaluateOptions,
): Promise<EvaluationRun> {
  const protocol = protocolOf(crops ?? 1, resize);
  const models: { name: string; sha256: string }[] = [];
  for (const { name, weights } of chosen) models.push({ name, sha256: await fingerprint(weights) });
  return {
    engine: googlenetVersion(),
    models,
    protocol,
    crops: cropCount(protocol),
    precision: "f32",
    backend: backend ?? "webgpu",
    pictures: await digestOfPictures(pictures),
    total: pictures.length,
  };
}

/** Evaluates what a state does not have yet, and gives the whole. */
async function evaluateRest(work: Work, state: EvaluationState | undefined, context: Context): Promise<Evaluation> {
  const { run, shard } = work;
  const { terminal } = context;
  const before = state?.before.pictures ?? [];
  if (terminal.json) for (const picture of before) await printPicture(picture, terminal);
  const own = picturesOf(shard, work.pictures);
  const kept = {
    run,
    shard,
    adapter: state?.before.adapter ?? "",
    skipUnreadable: work.options.skipUnreadable ?? false,
    seconds: state?.before.seconds ?? 0,
  };
  if (before.length === own.length) return { ...kept, pictures: before };
  if (before.length > 0) {
    terminal.note(
      `${state!.path}: going on after ${before.length.toLocaleString("en")} of ${plural(own.length, "picture")}`,
    );
  }
  const { pictures, seconds, adapter } = await classifyRest(work, own, state, context);
  const adapters = new Set([...kept.adapter.split(" + "), adapter]);
  adapters.delete("");
  return {
    ...kept,
    adapter: [...adapters].join(" + "),
    pictures: [...before, ...pictures].sort((a, b) => a.number - b.number),
    seconds: kept.seconds + seconds,
  };
}

async function classifyRest(
  { chosen, folder, run, options }: Work,
  own: readonly LabelledPicture[],
  state: EvaluationState | undefined,
  context: Context,
): Promise<Pick<Evaluation, "seconds" | "adapter"> & { readonly pictures: EvaluatedPicture[] }> {
  const { terminal, signal } = context;
  const graph = googLeNet();
  const models = chosen.map(({ weights }) => ({ graph, weights }));
  using engine = await openClassifier(
    models,
    {
      protocol: protocolOf(options.crops ?? 1, options.resize),
      backend: options.backend ?? "webgpu",
      adapter: options.adapter,
      batch: options.batch,
      memory: options.memory,
      pictures: own.length,
      tuning: options.tuning,
    },
    context,
  );
  const { classifier, adapter } = engine;
  await state?.begin(adapter);
  await using pool = new DecodePool(classifier.preparation);
  const before = state?.before.pictures ?? [];
  const known = new Set(before.map(({ number }) => number));
  const rest = own.slice(startOfGroup(own, before, classifier));
  const depth = classifier.picturesUnderWay + 2 * pool.threads;
  const decoded = pool.decodeAhead(rest, ({ image }) => join(folder, image), depth, signal);

  const bar = terminal.progress(run.crops === 1 ? "Pictures" : "Crops", (own.length - before.length) * run.crops);
  let crops = 0;
  const onProgress = (more: number) => {
    crops += more;
    bar.update(crops);
  };
  const pictures: EvaluatedPicture[] = [];
  let seconds = 0;
  try {
    for await (const timed of evaluatePictures(classifier, decoded, { signal, onProgress })) {
      if ("error" in timed) onProgress(run.crops);
      if (known.has(timed.number)) continue;
      await state?.add(timed);
      const { seconds: its, ...picture } = timed;
      seconds += its;
      pictures.push(picture);
      await printPicture(picture, terminal, { isNew: true });
    }
  } catch (error) {
    if (error instanceof Interrupted && state) {
      const done = before.length + pictures.length;
      terminal.note(
        `${state.path}: keeps ${done.toLocaleString("en")} of ${plural(own.length, "picture")}; the same command goes on`,
      );
    }
    throw error;
  } finally {
    bar.stop();
  }
  return { pictures, seconds, adapter };
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

async function finish(evaluation: Evaluation, context: Context): Promise<number> {
  const { unreadable } = await printSummary(evaluation, context.terminal);
  return unreadable === 0 || evaluation.skipUnreadable ? exitStatus.done : exitStatus.failed;
}
