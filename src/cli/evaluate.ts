/** `evaluate`: the error over a folder of labelled pictures, in one go or in parts. */

import { realpath } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { EngineError } from "../errors.ts";
import { requireFinished } from "../evaluate/finished.ts";
import { evaluationPage, requireSamePictures } from "../evaluate/report.ts";
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
  const { html, merge: parts } = options;
  if (html !== undefined) await requireOwnFile(html, options);
  // Before hours of work, too.
  if (html !== undefined) await requireWritable(html);
  const beside = await Promise.all((options.beside ?? []).map(readFinished));
  const evaluation = parts
    ? await merge(parts, beside, options)
    : await evaluateFolder(folder!, beside, options, context);
  const names = [options.state ?? (parts ? "the merged shards" : "this one"), ...(options.beside ?? [])];
  // Before what nobody may be reading any more; where it fails, the figures of hours are still worth printing.
  const drawn = html === undefined ? undefined : await draw(html, [evaluation, ...beside], names, folder, context);
  // Of a folder they were printed as they were done.
  if (parts) for (const picture of evaluation.pictures) await printPicture(picture, context.terminal);
  const { unreadable } = await printSummary(evaluation, context.terminal, beside, names);
  if (drawn) throw drawn.error;
  if (unreadable === 0 || evaluation.skipUnreadable) return exitStatus.done;
  throw new EngineError(
    "picture",
    plural(unreadable, "picture"),
    "could not be read",
    `--skip-unreadable leaves ${unreadable === 1 ? "it" : "them"} out`,
  );
}

/** Writes the page. Gives what went wrong, if anything did. */
async function draw(
  html: string,
  evaluations: readonly [Evaluation, ...Evaluation[]],
  names: readonly string[],
  folder: string | undefined,
  { terminal }: Context,
): Promise<{ readonly error: unknown } | undefined> {
  try {
    await writeFileAtomically(html, await page(evaluations, names, folder));
    terminal.note(`wrote ${html}`);
    return undefined;
  } catch (error) {
    return { error };
  }
}

function page(
  evaluations: readonly [Evaluation, ...Evaluation[]],
  names: readonly string[],
  folder: string | undefined,
): Promise<string> {
  return evaluationPage({
    evaluations,
    names,
    subject: folder ?? "all shards",
    date: new Date().toISOString(),
    thumbnail: async (image) => (folder === undefined ? null : await thumbnailOf(join(folder, image))),
  });
}

/** @throws EngineError "usage" where the page would take the place of a file that it is made of. */
async function requireOwnFile(html: string, options: EvaluateOptions): Promise<void> {
  const others: [flag: string, files: readonly (string | undefined)[]][] = [
    ["--state", [options.state]],
    ["--beside", options.beside ?? []],
    ["--merge", options.merge ?? []],
    ["--labels", [options.labels]],
    ["--synsets", [options.synsets]],
  ];
  const own = await place(html);
  for (const [flag, files] of others) {
    for (const file of files) {
      if (file === undefined || (await place(file)) !== own) continue;
      throw new EngineError("usage", "--html", `${html} is the file of ${flag}`, "name another file for the page");
    }
  }
}

/** Where a file is, or would be, links followed. */
async function place(file: string): Promise<string> {
  const folder = await realpath(dirname(file)).catch(() => resolve(dirname(file)));
  return await realpath(file).catch(() => join(folder, basename(file)));
}

/** What --merge and --compare may be given with; all else is of an evaluation that is made. */
const BESIDES = {
  merge: ["merge", "skipUnreadable", "html", "beside", "json", "quiet"],
  compare: ["compare", "json", "quiet"],
} as const;

function checkTask(folder: string | undefined, options: EvaluateOptions, given: readonly string[]): void {
  const { merge: parts, compare: two, html } = options;
  if (folder === undefined && !parts && !two) {
    throw new EngineError("usage", "evaluate", "there is nothing to do", "name a folder, or give --merge or --compare");
  }
  if (folder !== undefined && (two || (parts && html === undefined))) {
    // A page of merged shards shows pictures, which lie in the folder.
    const problem = `a folder and ${two ? "--compare" : "--merge"} are given`;
    throw new EngineError("usage", "evaluate", problem, "give one of them");
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
  const both = [await readNamed(first), await readNamed(second)] as const;
  for (const { name, evaluation } of both) requireFinished(name, evaluation);
  return await printComparison(...both, terminal);
}

/** The whole of which the files hold the shards. */
async function merge(
  files: readonly string[],
  beside: readonly Evaluation[],
  { skipUnreadable }: EvaluateOptions,
): Promise<Evaluation> {
  const parts = await Promise.all(files.map(readNamed));
  const whole = await mergeShards(
    skipUnreadable
      ? parts.map(({ name, evaluation }) => ({ name, evaluation: { ...evaluation, skipUnreadable } }))
      : parts,
  );
  requireSamePictures([whole, ...beside]);
  return whole;
}

async function readNamed(name: string): Promise<NamedEvaluation> {
  return { name, evaluation: await readEvaluation(name) };
}

/** An evaluation to be shown beside another. */
async function readFinished(name: string): Promise<Evaluation> {
  const evaluation = await readEvaluation(name);
  requireFinished(name, evaluation);
  return evaluation;
}

/** Evaluates a folder, or the part of it that a shard is; goes on where a state says that it was. */
async function evaluateFolder(
  folder: string,
  beside: readonly Evaluation[],
  options: EvaluateOptions,
  context: Context,
): Promise<Evaluation> {
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
  const run = {
    engine: googlenetVersion(),
    models,
    protocol,
    crops: cropCount(protocol),
    precision: options.precision,
    backend,
    pictures: await digestOfPictures(pictures),
    total: pictures.length,
  };
  const shard = options.shard ?? { index: 1, of: 1 };
  requireSamePictures([{ run, shard }, ...beside]);
  return await evaluateWork(
    {
      run,
      shard,
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
