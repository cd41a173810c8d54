/** `evaluate`: the error over a folder of labelled pictures, in one go or in parts. */

import { join } from "node:path";
import { EngineError } from "../errors.ts";
import { evaluationPage } from "../evaluate/report.ts";
import { mergeShards, type NamedEvaluation } from "../evaluate/merge.ts";
import { digestOfPictures } from "../evaluate/pictures.ts";
import type { Evaluation, Shard } from "../evaluate/record.ts";
import { googLeNet } from "../graph/googlenet.ts";
import { inferShapesForBatch } from "../graph/graph.ts";
import { cropCount, type CropCount, protocolOf } from "../image/crops.ts";
import type { Recipe } from "../image/preprocess.ts";
import { requireWritable, writeFileAtomically } from "../node/atomic-write.ts";
import { readEvaluation } from "../node/evaluation-state.ts";
import { listLabelledPictures } from "../node/labelled-folder.ts";
import { thumbnailOf } from "../node/thumbnail.ts";
import { googlenetVersion } from "../node/package.ts";
import { fingerprint } from "../weights/recognise.ts";
import { checkLook } from "./classify.ts";
import type { Context } from "./context.ts";
import { printComparison } from "./evaluate-compare.ts";
import { printPicture, printSummary } from "./evaluate-results.ts";
import { evaluateWork } from "./evaluate-work.ts";
import { plural } from "./format.ts";
import { openClassifier } from "./open-classifier.ts";
import type { Ensemble, MainHeadOptions } from "./options.ts";
import { exitStatus } from "./report.ts";
import { trainedEnsemble } from "./weights-choice.ts";

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
  readonly html?: string;
  readonly beside?: readonly string[];
}

/**
 * Evaluates a folder, or makes something of evaluations that there are.
 *
 * @param given the names of the options that are on the command line
 */
export async function evaluate(
  folder: string | undefined,
  options: EvaluateOptions,
  given: readonly string[],
  context: Context,
): Promise<number> {
  checkTask(folder, options, given);
  if (options.compare) return await compare(options.compare, context);
  if (options.html !== undefined) await requireWritable(options.html);
  // Before hours of work, too.
  const beside = await Promise.all((options.beside ?? []).map(readEvaluation));
  const evaluation = options.merge
    ? await merge(options.merge, options, context)
    : await evaluateFolder(folder!, options, context);
  // Before what nobody may be reading any more.
  if (options.html !== undefined) {
    await writeFileAtomically(options.html, await page([evaluation, ...beside], folder));
    context.terminal.note(`wrote ${options.html}`);
  }
  const { unreadable } = await printSummary(evaluation, context.terminal);
  return unreadable === 0 || evaluation.skipUnreadable ? exitStatus.done : exitStatus.failed;
}

function page(evaluations: readonly [Evaluation, ...Evaluation[]], folder: string | undefined): Promise<string> {
  return evaluationPage({
    evaluations,
    subject: folder ?? "all shards",
    date: new Date().toISOString(),
    thumbnail: async (image) => (folder === undefined ? null : await thumbnailOf(join(folder, image))),
  });
}

/** What --merge and --compare may be given with; all else is of an evaluation that is made. */
const BESIDES = {
  merge: ["merge", "skipUnreadable", "html", "beside", "json", "quiet"],
  compare: ["compare", "json", "quiet"],
} as const;

function checkTask(folder: string | undefined, options: EvaluateOptions, given: readonly string[]): void {
  const { merge: parts, compare: two, html, beside } = options;
  if (folder === undefined && !parts && !two) {
    throw new EngineError("usage", "evaluate", "there is nothing to do", "name a folder, or give --merge or --compare");
  }
  if (folder !== undefined && (two || (parts && html === undefined))) {
    // A page of merged shards shows pictures, which lie in the folder.
    const problem = `a folder and ${two ? "--compare" : "--merge"} are given`;
    throw new EngineError("usage", "evaluate", problem, "give one of them");
  }
  if (beside && html === undefined) {
    throw new EngineError("usage", "--beside", "there is no --html to draw it in", "give both");
  }
  for (const task of ["merge", "compare"] as const) {
    if (options[task] === undefined) continue;
    const other = given.find((name) => !(BESIDES[task] as readonly string[]).includes(name));
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

/** The whole of which the files hold the shards, its pictures printed as if it had been one. */
async function merge(
  files: readonly string[],
  { skipUnreadable }: EvaluateOptions,
  { terminal }: Context,
): Promise<Evaluation> {
  const parts = await Promise.all(files.map(readNamed));
  const whole = await mergeShards(
    skipUnreadable
      ? parts.map(({ name, evaluation }) => ({ name, evaluation: { ...evaluation, skipUnreadable } }))
      : parts,
  );
  for (const picture of whole.pictures) await printPicture(picture, terminal);
  return whole;
}

async function readNamed(name: string): Promise<NamedEvaluation> {
  return { name, evaluation: await readEvaluation(name) };
}

/** Evaluates a folder, or the part of it that a shard is; goes on where a state says that it was. */
async function evaluateFolder(folder: string, options: EvaluateOptions, context: Context): Promise<Evaluation> {
  const { terminal } = context;
  checkLook(options);
  if (options.synsets !== undefined && options.labels === undefined) {
    throw new EngineError("usage", "--synsets", "there is no --labels whose numbers it explains", "give both");
  }
  const { pictures, passedOver } = await listLabelledPictures(folder, options);
  if (passedOver > 0) terminal.note(`${folder}: ${plural(passedOver, "other file")} passed over`);

  const graph = googLeNet();
  const chosen = await trainedEnsemble(options.weights, inferShapesForBatch(graph, 1).parameters);
  const protocol = protocolOf(options.crops ?? 1, options.resize);
  const backend = options.backend ?? "webgpu";
  const models: { name: string; sha256: string }[] = [];
  for (const { name, weights } of chosen) models.push({ name, sha256: await fingerprint(weights) });
  return await evaluateWork(
    {
      run: {
        engine: googlenetVersion(),
        models,
        protocol,
        crops: cropCount(protocol),
        precision: options.precision,
        backend,
        pictures: await digestOfPictures(pictures),
        total: pictures.length,
      },
      shard: options.shard ?? { index: 1, of: 1 },
      pictures,
      pathOf: (image) => join(folder, image),
      state: options.state,
      skipUnreadable: options.skipUnreadable ?? false,
      open: (count) =>
        openClassifier(
          chosen.map(({ weights }) => ({ graph, weights })),
          {
            protocol,
            backend,
            adapter: options.adapter,
            precision: options.precision,
            batch: options.batch,
            memory: options.memory,
            pictures: count,
            tuning: options.tuning,
          },
          context,
        ),
    },
    context,
  );
}
