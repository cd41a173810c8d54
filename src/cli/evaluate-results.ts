/** How an evaluation is printed: for programs a line a picture and one with the figures, for people tables. */

import { errorRows, PAPER_TABLE_3, paperError } from "../evaluate/paper.ts";
import type { EvaluatedPicture, Evaluation } from "../evaluate/record.ts";
import { type ErrorRate, summarise, type Summary } from "../evaluate/statistics.ts";
import { labelOf } from "../labels/labels.ts";
import { formatTable, formatTime, plural, significant } from "./format.ts";
import type { Terminal } from "./terminal.ts";

/** How many classes, confusions and unreadable pictures people are shown. */
const SHOWN = 10;

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

/** File names may hold anything, a terminal's control sequences too. */
function plainText(text: string): string {
  // eslint-disable-next-line no-control-regex -- these very characters
  return text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, " ");
}

/** Prints the figures of an evaluation, whose pictures were printed before. */
export async function printSummary(evaluation: Evaluation, terminal: Terminal): Promise<Summary> {
  const summary = summarise(evaluation);
  if (terminal.json) await printFigures(evaluation, summary, terminal);
  else await printTables(evaluation, summary, terminal);
  return summary;
}

async function printFigures(
  { run, shard, adapter, skipUnreadable, seconds }: Evaluation,
  { images, unreadable, top1, top5, imagesPerSecond }: Summary,
  terminal: Terminal,
): Promise<void> {
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
    shard,
    run,
  });
}

async function printTables(evaluation: Evaluation, summary: Summary, terminal: Terminal): Promise<void> {
  const { run, shard, adapter, seconds, skipUnreadable } = evaluation;
  const { images, unreadable, top1, top5, imagesPerSecond } = summary;
  const treated = skipUnreadable ? "left out" : "counted as errors";
  const part = shard.of === 1 ? "" : ` (shard ${shard.index}/${shard.of} of ${plural(run.total, "picture")})`;
  await terminal.print(
    formatTable([
      [
        "Pictures",
        `${images.toLocaleString("en")}${part}${unreadable === 0 ? "" : `, ${unreadable} unreadable, ${treated}`}`,
      ],
      ["Weights", run.models.map(({ name }) => name).join(" + ")],
      ["Looked at", `${run.crops === 1 ? run.protocol : plural(run.crops, "crop")}, ${run.precision}`],
      ["Runs on", `${adapter} (${run.backend === "cpu" ? "the CPU reference" : "WebGPU"})`],
      ["Throughput", `${significant(imagesPerSecond, 3)} pictures a second, ${formatTime(1000 * seconds)} in all`],
    ]),
  );
  if (top1.of === 0) return;
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
  await section(bold("As in the paper's Table 3"), terminal, paperRows(evaluation, top5), {
    head: ["models", "crops", "cost", "top-5 error", "against base", "paper", "against base"],
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
        percent(one.rate),
        percent(five.rate),
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
      .map(({ class: shown, predicted, count, of }) => [`${count} of ${of}`, nameOf(shown), "for", nameOf(predicted)]),
    { align: ["right"] },
  );
  const broken = evaluation.pictures.filter((picture) => "error" in picture);
  await section(
    bold("Unreadable"),
    terminal,
    broken.slice(0, SHOWN).map(({ error }) => [plainText(error)]),
  );
  await more(broken.length, "picture", "pictures", terminal);
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

/** The paper's rows, with this evaluation's figures in its own. */
function paperRows(evaluation: Evaluation, top5: ErrorRate): string[][] {
  const [own] = errorRows([{ run: evaluation.run, top5 }]);
  const isOwn = ({ models, crops }: { models: number; crops: number }) => models === own.models && crops === own.crops;
  const others = PAPER_TABLE_3.filter((row) => !isOwn(row));
  const base = PAPER_TABLE_3[0].top5Error;
  const rows = [
    { models: own.models, crops: own.crops, own: own.top5Error, paper: paperError(own) },
    ...others.map(({ models, crops, top5Error }) => ({ models, crops, own: null, paper: top5Error })),
  ].sort((a, b) => a.models - b.models || a.crops - b.crops);
  const isBase = (row: { models: number; crops: number }) => row.models === 1 && row.crops === 1;
  return rows.map((row) => [
    String(row.models),
    String(row.crops),
    String(row.models * row.crops),
    row.own === null ? "" : percent(row.own),
    row.own === null || own.againstBase === null ? "" : points(own.againstBase),
    row.paper === null ? "–" : percent(row.paper),
    row.paper === null ? "" : isBase(row) ? "base" : points(row.paper - base),
  ]);
}

function rate({ errors, of, rate: fraction, interval: { low, high } }: ErrorRate): string[] {
  const wrong = `${errors.toLocaleString("en")} of ${of.toLocaleString("en")}`;
  return [percent(fraction), `${percent(low)} to ${percent(high)}`, wrong];
}

function percent(fraction: number): string {
  return `${(100 * fraction).toFixed(2)} %`;
}

/** A difference of two errors, in percentage points. */
function points(difference: number): string {
  return `${difference > 0 ? "+" : "−"}${Math.abs(100 * difference).toFixed(2)} %`;
}

function named(index: number): string[] {
  const { id } = labelOf(index);
  return [`${id}  ${nameOf(index)}`];
}

/** A class's first name: the rest would make a table too wide. */
function nameOf(index: number): string {
  return labelOf(index).name.split(",")[0];
}
