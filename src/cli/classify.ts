/** `classify`: what pictures show. */

import { EngineError } from "../errors.ts";
import { googLeNet } from "../graph/googlenet.ts";
import { inferShapesForBatch } from "../graph/graph.ts";
import type { Tensor } from "../graph/tensor.ts";
import { INPUT_SIDE, type Recipe } from "../image/preprocess.ts";
import { labelOf, topK } from "../labels/labels.ts";
import { STANDARD_INPUT } from "../node/list-images.ts";
import { batches } from "./ahead.ts";
import type { Context } from "./context.ts";
import { type Engine, openEngine } from "./engine.ts";
import { formatTable, formatTime, plural } from "./format.ts";
import type { NetworkOptions } from "./options.ts";
import { type Picture, PICTURE_ELEMENTS, pictures, type Survey, survey } from "./pictures.ts";
import { asEngineError, errorLine, exitStatus } from "./report.ts";
import type { Terminal } from "./terminal.ts";
import { trainedWeights } from "./weights-choice.ts";

export interface ClassifyOptions extends NetworkOptions {
  readonly top: number;
  readonly resize: Recipe;
}

/** Pictures in a batch unless asked otherwise, where there are as many. */
const USUAL_BATCH = 8;

/** Labels pictures; one that can't be used gets its error, and the others are still done. */
export async function classify(paths: readonly string[], options: ClassifyOptions, context: Context): Promise<number> {
  const { terminal } = context;
  if (paths.filter((path) => path === STANDARD_INPUT).length > 1) {
    throw new EngineError("usage", STANDARD_INPUT, "standard input is given twice", "give it once");
  }
  const found = await survey(paths);
  const nothing = found.pictures === 0 && found.unusable === 0;
  describeSurvey(found, nothing, terminal);
  if (nothing) {
    for (const { name } of found.folders) {
      const error = new EngineError("picture", name, "no picture in it", "name pictures, or folders that hold some");
      await printFailure(name, error, terminal);
    }
    return exitStatus.failed;
  }
  const graph = googLeNet({ heads: options.heads });
  const { weights, name: weightsName } = await trainedWeights(
    options.weights,
    inferShapesForBatch(graph, 1).parameters,
  );
  const backend = options.backend ?? "webgpu";
  const size = options.batch ?? (backend === "cpu" ? 1 : USUAL_BATCH);
  const batch = Math.min(size, Math.max(found.pictures, 1));
  using engine = await openEngine(graph, weights, { backend, adapter: options.adapter, batch }, context);
  return await classifyWith(engine, pictures(paths, options.resize, batch + 4), {
    batch,
    total: found.pictures + found.unusable,
    top: options.top,
    weightsName,
    context,
  });
}

export interface Work {
  readonly batch: number;
  readonly total: number;
  readonly top: number;
  readonly weightsName: string;
  readonly context: Context;
}

export async function classifyWith(engine: Engine, source: AsyncIterable<Picture>, work: Work): Promise<number> {
  const { terminal, signal } = work.context;
  const bar = terminal.progress("Pictures", work.total);
  let done = 0;
  let failed = 0;
  const start = performance.now();
  for await (const batch of batches(source, work.batch)) {
    signal.throwIfAborted();
    const { results, milliseconds } = await label(engine, batch);
    for (const [index, { name }] of batch.entries()) {
      const outcome = results[index];
      try {
        if (outcome instanceof EngineError) throw outcome;
        await printResult(name, outcome, milliseconds, engine, work);
      } catch (error) {
        if (!(error instanceof EngineError)) throw error;
        failed++;
        await printFailure(name, error, terminal);
      }
    }
    done += batch.length;
    bar.update(done);
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

/** The outputs for a picture, by blob. */
type Outputs = Readonly<Record<string, Float32Array>>;

/** Runs those pictures of a batch that can be used. */
async function label(
  engine: Engine,
  batch: readonly Picture[],
): Promise<{ results: (Outputs | EngineError)[]; milliseconds: number }> {
  const usable = batch.flatMap((picture) => ("data" in picture ? [picture.data] : []));
  if (usable.length === 0) return { results: batch.map((picture) => errorOf(picture)), milliseconds: 0 };
  const data = new Float32Array(usable.length * PICTURE_ELEMENTS);
  usable.forEach((picture, index) => data.set(picture, index * PICTURE_ELEMENTS));
  await engine.prepare(usable.length);
  const start = performance.now();
  const outputs = await engine.run({ data: { shape: [usable.length, 3, INPUT_SIDE, INPUT_SIDE], data } });
  const milliseconds = (performance.now() - start) / usable.length;
  let next = 0;
  const results = batch.map((picture) => ("data" in picture ? imageOf(outputs, next++) : errorOf(picture)));
  return { results, milliseconds };
}

function errorOf(picture: Picture): EngineError {
  return "error" in picture ? picture.error : new EngineError("picture", picture.name, "no result", "try it again");
}

function imageOf(outputs: Readonly<Record<string, Tensor>>, index: number): Outputs {
  return Object.fromEntries(
    Object.entries(outputs).map(([blob, { shape, data }]) => {
      const classes = shape[1];
      return [blob, data.subarray(index * classes, (index + 1) * classes)];
    }),
  );
}

async function printResult(
  name: string,
  { prob, ...auxiliary }: Outputs,
  milliseconds: number,
  engine: Engine,
  { top, weightsName, context: { terminal } }: Work,
): Promise<void> {
  const best = ranking(prob, top);
  const others = Object.entries(auxiliary).map(([blob, probabilities]) => [blob, ranking(probabilities, top)] as const);
  if (terminal.json) {
    await terminal.printJson({
      image: name,
      top: best,
      ...(others.length > 0 ? { heads: Object.fromEntries(others) } : {}),
      backend: engine.backend,
      adapter: engine.adapter,
      precision: "f32",
      weights: weightsName,
      ms: milliseconds,
    });
    return;
  }
  await terminal.print(terminal.colors.bold(name));
  await terminal.print(rankingTable(best, terminal));
  for (const [blob, classes] of others) {
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

/** @param nothing whether that they are empty is said as an error */
function describeSurvey({ folders }: Survey, nothing: boolean, terminal: Terminal): void {
  for (const { name, pictures: count, passedOver } of folders) {
    if (count === 0 && !nothing) terminal.note(`${name}: no picture in it`);
    if (passedOver > 0) terminal.note(`${name}: ${plural(passedOver, "other file")} passed over`);
  }
}
