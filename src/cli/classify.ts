/** `classify`: what pictures show. */

import type { Classification, Classifier, Probabilities } from "../classify/classifier.ts";
import { EngineError } from "../errors.ts";
import { googLeNet } from "../graph/googlenet.ts";
import { inferShapesForBatch } from "../graph/graph.ts";
import { type CropCount, protocolOf } from "../image/crops.ts";
import type { Recipe } from "../image/preprocess.ts";
import { labelOf, topK } from "../labels/labels.ts";
import { STANDARD_INPUT } from "../node/list-images.ts";
import type { Context } from "./context.ts";
import { formatTable, formatTime, plural } from "./format.ts";
import { openClassifier, type OpenClassifier } from "./open-classifier.ts";
import type { Ensemble, NetworkOptions } from "./options.ts";
import { type Picture, pictures, type Survey, survey } from "./pictures.ts";
import { asEngineError, errorLine, exitStatus } from "./report.ts";
import type { Terminal } from "./terminal.ts";
import { trainedEnsemble } from "./weights-choice.ts";

export interface ClassifyOptions extends Ensemble<NetworkOptions> {
  readonly top: number;
  readonly resize?: Recipe;
  readonly crops?: CropCount;
  /** Bytes. */
  readonly memory?: number;
}

/** Labels pictures; one that can't be used gets its error, and the others are still done. */
export async function classify(paths: readonly string[], options: ClassifyOptions, context: Context): Promise<number> {
  const { terminal } = context;
  checkOptions(paths, options);
  const found = await survey(paths);
  describeSurvey(found, terminal);
  if (found.pictures === 0) {
    for (const { name, error } of found.unusable) await printFailure(name, error, terminal);
    return exitStatus.failed;
  }
  const graph = googLeNet({ heads: options.heads });
  const chosen = await trainedEnsemble(options.weights, inferShapesForBatch(graph, 1).parameters);
  using engine = await openClassifier(
    chosen.map(({ weights }) => ({ graph, weights })),
    {
      protocol: protocolOf(options.crops ?? 1, options.resize),
      backend: options.backend ?? "webgpu",
      adapter: options.adapter,
      precision: options.precision,
      batch: options.batch,
      memory: options.memory,
      tuning: options.tuning,
      pictures: found.pictures,
    },
    context,
  );
  const { classifier } = engine;
  const source = pictures(paths, (image) => classifier.prepare(image), classifier.picturesUnderWay + 4);
  return await classifyWith(engine, source, {
    total: found.pictures + found.unusable.length,
    top: options.top,
    weights: chosen.map(({ name }) => name),
    context,
  });
}

function checkOptions(paths: readonly string[], options: ClassifyOptions): void {
  if (paths.filter((path) => path === STANDARD_INPUT).length > 1) {
    throw new EngineError("usage", STANDARD_INPUT, "standard input is given twice", "give it once");
  }
  checkLook(options);
}

/** How pictures are looked at, and with how much memory. */
export type LookOptions = Pick<ClassifyOptions, "crops" | "resize" | "backend" | "memory">;

/** @throws EngineError "usage" where options of that conflict */
export function checkLook({ crops, resize, backend, memory }: LookOptions): void {
  if (resize !== undefined && crops !== undefined && crops !== 1) {
    throw new EngineError("usage", "--resize", `it conflicts with --crops ${crops}`, "give one of them");
  }
  if (memory !== undefined && backend === "cpu") {
    throw new EngineError("usage", "--memory", "it conflicts with --backend cpu", "give one of them");
  }
}

export interface Work {
  readonly total: number;
  readonly top: number;
  /** What the models' weights are called, in their order. */
  readonly weights: readonly string[];
  readonly context: Context;
}

export async function classifyWith<Prepared>(
  engine: Pick<OpenClassifier, "backend" | "adapter" | "precision"> & { readonly classifier: Classifier<Prepared> },
  source: AsyncIterable<Picture<Prepared>>,
  work: Work,
): Promise<number> {
  const { terminal, signal } = work.context;
  const { crops } = engine.classifier;
  const bar = terminal.progress(crops === 1 ? "Pictures" : "Crops", work.total * crops);
  let cropsDone = 0;
  const onProgress = (more: number) => {
    cropsDone += more;
    bar.update(cropsDone);
  };
  let done = 0;
  let failed = 0;
  const start = performance.now();
  const preparedOf = (picture: Picture<Prepared>) => ("prepared" in picture ? picture.prepared : undefined);
  for await (const { item, classification } of engine.classifier.classify(source, preparedOf, { signal, onProgress })) {
    done++;
    try {
      if ("error" in item) {
        onProgress(crops);
        throw item.error;
      }
      await printResult(item.name, classification!, engine, work);
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      failed++;
      await printFailure(item.name, error, terminal);
    }
  }
  bar.stop();
  const seconds = (performance.now() - start) / 1000;
  if (done > 1) {
    const counts = failed === 0 ? plural(done, "picture") : `${plural(done - failed, "picture")}, ${failed} unusable,`;
    const rate = `${((done - failed) / seconds).toFixed(1)} a second`;
    terminal.note(`${counts} in ${formatTime(seconds * 1000)} (${rate}) on ${engine.adapter}`);
  }
  return failed === 0 ? exitStatus.done : exitStatus.failed;
}

async function printResult<Prepared>(
  name: string,
  { probabilities, models, milliseconds }: Classification,
  { classifier, backend, adapter, precision }: Parameters<typeof classifyWith<Prepared>>[0],
  { top, weights, context: { terminal } }: Work,
): Promise<void> {
  const together = rankings(probabilities, top);
  // Of one model, its own results are those of all.
  const each =
    models.length > 1 ? models.map((own, index) => ({ weights: weights[index], ...rankings(own, top) })) : [];
  if (terminal.json) {
    await terminal.printJson({
      image: name,
      ...together,
      ...(each.length > 0 ? { models: each } : {}),
      backend,
      adapter,
      precision,
      crops: classifier.crops,
      weights: weights.join(" + "),
      ms: milliseconds,
    });
    return;
  }
  await terminal.print(terminal.colors.bold(name));
  await printRankings(together, terminal);
  for (const { weights: model, ...own } of each) {
    await terminal.print(`  ${model} alone`);
    await printRankings(own, terminal);
  }
}

/** The most probable classes by the main head, and by the others where there are any. */
interface Rankings {
  readonly top: RankedLabel[];
  readonly heads?: Readonly<Record<string, RankedLabel[]>>;
}

function rankings({ prob, ...auxiliary }: Probabilities, top: number): Rankings {
  const heads = Object.entries(auxiliary).map(([blob, probabilities]) => [blob, ranking(probabilities, top)] as const);
  return { top: ranking(prob, top), ...(heads.length > 0 ? { heads: Object.fromEntries(heads) } : {}) };
}

async function printRankings({ top, heads = {} }: Rankings, terminal: Terminal): Promise<void> {
  await terminal.print(rankingTable(top, terminal));
  for (const [blob, classes] of Object.entries(heads)) {
    await terminal.print(`  ${blob}`);
    await terminal.print(rankingTable(classes, terminal));
  }
}
async function printFailure(name: string, error: EngineError, terminal: Terminal): Promise<void> {
  terminal.complain(errorLine(error));
  if (terminal.json) await terminal.printJson({ image: name, error: asEngineError(error).message });
}

/** A class among the most probable ones, as JSON has it. */
export interface RankedLabel {
  readonly class: number;
  readonly id: string;
  readonly label: string;
  readonly probability: number;
}

export function ranking(probabilities: Float32Array, top: number): RankedLabel[] {
  return topK(probabilities, top).map(({ class: index, probability }) => {
    const { id, name } = labelOf(index);
    return { class: index, id, label: name, probability };
  });
}

/** The most probable classes for people, the first one stressed. */
export function rankingTable(classes: readonly RankedLabel[], { colors }: Terminal): string {
  const rows = classes.map(({ class: index, id, label: name, probability }, rank) => [
    ` ${(probability * 100).toFixed(2)} %`,
    index,
    id,
    rank === 0 ? colors.green(name) : name,
  ]);
  return formatTable(rows, { align: ["right", "right"] });
}

function describeSurvey({ folders }: Survey, terminal: Terminal): void {
  for (const { name, passedOver } of folders) {
    if (passedOver > 0) terminal.note(`${name}: ${plural(passedOver, "other file")} passed over`);
  }
}
