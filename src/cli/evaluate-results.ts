/** How an evaluation is printed: for programs a line a picture and one with the figures, for people tables. */

import { byComputer } from "../evaluate/computed-by.ts";
import { errorRows } from "../evaluate/paper.ts";
import type { EvaluatedPicture, Evaluation } from "../evaluate/record.ts";
import { type ErrorRate, summarise, type Summary, unreadableCount } from "../evaluate/statistics.ts";
import { classNames } from "../evaluate/report/class-names.ts";
import { variants } from "../evaluate/report/efforts.ts";
import { IMAGENET_LABELS } from "../labels/imagenet.ts";
import { labelOf } from "../labels/labels.ts";
import { percent, signedPercent } from "../page/figures.ts";
import { formatTable, formatTime, plural, significant } from "./format.ts";
import { plainText } from "./report.ts";
import type { Terminal } from "./terminal.ts";

/** How many classes, confusions and unreadable pictures people are shown. */
const SHOWN = 10;

const names = classNames(IMAGENET_LABELS);

/** Says what became of a picture; to people only that it could not be read, when that is news. */
export async function printPicture(
  picture: EvaluatedPicture,
  terminal: Terminal,
  { isNew = false } = {},
): Promise<void> {
  if (isNew && "error" in picture) terminal.complain(`googlenet: ${plainText(picture.error)}`);
  if (!terminal.json) return;
  const { number, image, class: shown, ...rest } = picture;
  await terminal.printJson({ image, class: shown, ...rest, number });
}

/** An evaluation and its figures. */
interface Summarised {
  readonly evaluation: Evaluation;
  readonly summary: Summary;
  /** What tells it from those beside it; empty where nothing does. */
  readonly variant: string;
}

/**
 * Prints the figures of an evaluation, whose pictures were printed before.
 *
 * @param beside others of the same pictures, which stand in the paper's table too
 * @param names of all of them, the evaluation's first
 */
export async function printSummary(
  evaluation: Evaluation,
  terminal: Terminal,
  beside: readonly Evaluation[] = [],
  names: readonly string[] = [],
): Promise<Summary> {
  const evaluations = [evaluation, ...beside];
  const telling = variants(evaluations, names);
  const all = evaluations.map((each, index) => ({
    evaluation: each,
    summary: summarise(each),
    variant: telling[index],
  }));
  const [own] = all;
  if (terminal.json) await printFigures(own, all, terminal);
  else await printTables(own, all, terminal);
  return own.summary;
}

async function printFigures(
  { evaluation, summary }: Summarised,
  all: readonly Summarised[],
  terminal: Terminal,
): Promise<void> {
  const { run, shard, adapter, computedBy, skipUnreadable, seconds, waitingSeconds } = evaluation;
  const { images, unreadable, top1, top5, classes, confusions, imagesPerSecond, waitingShare } = summary;
  const interval = ({ interval: { low, high } }: ErrorRate) => [low, high];
  await terminal.printJson({
    images,
    unreadable,
    top1Error: top1.rate,
    top5Error: top5.rate,
    top1Interval: interval(top1),
    top5Interval: interval(top5),
    crops: run.crops,
    models: run.models.length,
    imagesPerSecond,
    weights: run.models.map(({ name }) => name).join(" + "),
    precision: run.precision,
    adapter,
    skipUnreadable,
    seconds,
    waitingSeconds,
    waitingShare,
    computedBy,
    shard,
    run,
    classes: classes.map(({ class: shown, top1: one, top5: five, unreadable: broken }) => ({
      class: shown,
      images: one.of + (skipUnreadable ? broken : 0),
      unreadable: broken,
      top1Errors: one.errors,
      top5Errors: five.errors,
    })),
    confusions,
    ...(summary.models.length === 0
      ? {}
      : {
          modelErrors: summary.models.map((each, index) => ({
            model: run.models[index].name,
            top1Error: each.top1.rate,
            top5Error: each.top5.rate,
          })),
        }),
    table: errorRows(all).map(({ models, crops, cost, top5Error, againstBase, paper, paperAgainstBase }) => ({
      models,
      crops,
      cost,
      top5Error,
      againstBase,
      paper,
      paperAgainstBase,
    })),
  });
}

async function printTables(own: Summarised, all: readonly Summarised[], terminal: Terminal): Promise<void> {
  const { evaluation, summary } = own;
  const { run, shard, adapter, seconds } = evaluation;
  const { images, unreadable, top1, imagesPerSecond, waitingShare } = summary;
  const part = shard.of === 1 ? "" : ` (shard ${shard.index}/${shard.of} of ${plural(run.total, "picture")})`;
  await terminal.print(
    formatTable([
      [
        "Pictures",
        `${images.toLocaleString("en")}${part}${unreadable === 0 ? "" : `, ${unreadable} unreadable, ${unreadableCount(evaluation, unreadable)}`}`,
      ],
      ["Weights", run.models.map(({ name }) => name).join(" + ")],
      ["Looked at", `${run.crops === 1 ? run.protocol : plural(run.crops, "crop")}, ${run.precision}`],
      // Where no picture is a shard's, nothing ran.
      ...(adapter === ""
        ? []
        : [["Runs on", `${adapter} (${run.backend === "cpu" ? "the CPU reference" : "WebGPU"})`]]),
      ["Throughput", `${significant(imagesPerSecond, 3)} pictures a second, ${formatTime(1000 * seconds)} in all`],
      ...(waitingShare === null
        ? []
        : [
            [
              "Waiting",
              `the ${run.backend === "cpu" ? "CPU" : "GPU"} waited for pictures ${percent(waitingShare)} of the time`,
            ],
          ]),
    ]),
  );
  await printComputers(evaluation, "What computed it", terminal);
  if (top1.of > 0) await printErrors(own, all, terminal);
  const broken = evaluation.pictures.filter((picture) => "error" in picture);
  await section(
    terminal.colors.bold("Unreadable"),
    terminal,
    broken.slice(0, SHOWN).map(({ error }) => [plainText(error)]),
  );
  await more(broken.length, "picture", "pictures", terminal);
}

async function printErrors(
  { evaluation, summary }: Summarised,
  all: readonly Summarised[],
  terminal: Terminal,
): Promise<void> {
  const { top1, top5 } = summary;
  const { bold } = terminal.colors;
  await section(
    "",
    terminal,
    [
      ["top-1", ...rate(top1)],
      ["top-5", ...rate(top5)],
    ],
    {
      head: ["", "error", "95 % interval", "pictures"],
      align: ["left", "right", "right", "right"],
    },
  );
  await section(
    bold("Each model alone"),
    terminal,
    summary.models.map((each, index) => [
      percent(each.top1.rate, 2),
      percent(each.top5.rate, 2),
      plainText(evaluation.run.models[index].name),
    ]),
    { head: ["top-1", "top-5", "model"], align: ["right", "right"] },
  );
  await section(bold("As in the paper's Table 3"), terminal, paperTable(all), {
    head: [
      ...["models", "crops", "cost", "top-5 error", "against base", "paper", "against base"],
      ...(all.some(({ variant }) => variant !== "") ? ["evaluation"] : []),
    ],
    align: ["right", "right", "right", "right", "right", "right", "right"],
  });
  const worst = summary.classes
    .filter(({ top1: { errors } }) => errors > 0)
    .sort(
      (a, b) => b.top5.rate - a.top5.rate || b.top1.rate - a.top1.rate || b.top1.of - a.top1.of || a.class - b.class,
    );
  await section(
    bold("Classes with most errors"),
    terminal,
    worst
      .slice(0, SHOWN)
      .map(({ class: index, top1: one, top5: five }) => [
        percent(one.rate, 2),
        percent(five.rate, 2),
        one.of,
        ...named(index),
      ]),
    { head: ["top-1", "top-5", "pictures", "class"], align: ["right", "right", "right"] },
  );
  await more(worst.length, "class with errors", "classes with errors", terminal);
  await section(
    bold("What is taken for what most often"),
    terminal,
    summary.confusions
      .slice(0, SHOWN)
      .map(({ class: shown, predicted, count, of }) => [
        `${count} of ${of}`,
        names.text(shown),
        "for",
        names.text(predicted),
      ]),
    { align: ["right"] },
  );
}

/** Where several attempts or shards were computed by several devices, or in other ways, which by which. */
export async function printComputers({ computedBy }: Evaluation, title: string, terminal: Terminal): Promise<void> {
  const computers = byComputer(computedBy);
  if (computers.length < 2) return;
  await section(
    terminal.colors.bold(title),
    terminal,
    computers.map(({ shards, name }) => [...(shards === "" ? [] : [shards]), plainText(name)]),
  );
}

async function section(
  title: string,
  terminal: Terminal,
  rows: readonly (readonly (string | number)[])[],
  options: Parameters<typeof formatTable>[1] = {},
): Promise<void> {
  if (rows.length === 0) return;
  await terminal.print(title === "" ? "" : `\n${title}`);
  await terminal.print(formatTable(rows, options));
}

async function more(count: number, one: string, several: string, terminal: Terminal): Promise<void> {
  const rest = count - SHOWN;
  if (rest > 0)
    await terminal.print(`… and ${rest.toLocaleString("en")} more ${rest === 1 ? one : several}: see --json`);
}

/** The paper's table, with the evaluations' figures in it; of several that run differently, with what tells them apart. */
function paperTable(all: readonly Summarised[]): Parameters<typeof section>[2] {
  return errorRows(all).map(({ isBase, evaluated, paper, top5Error, againstBase, paperAgainstBase, ...row }) => [
    row.models,
    row.crops,
    row.cost,
    top5Error === null ? "" : percent(top5Error, 2),
    top5Error !== null && isBase ? "base" : signedPercent(againstBase),
    paper === null ? "–" : percent(paper, 2),
    isBase ? "base" : signedPercent(paperAgainstBase),
    ...(evaluated?.variant ? [plainText(evaluated.variant)] : []),
  ]);
}

function rate({ errors, of, rate: fraction, interval: { low, high } }: ErrorRate): string[] {
  const wrong = `${errors.toLocaleString("en")} of ${of.toLocaleString("en")}`;
  return [percent(fraction, 2), `${percent(low, 2)} to ${percent(high, 2)}`, wrong];
}

function named(index: number): string[] {
  return [`${labelOf(index).id}  ${names.text(index)}`];
}
