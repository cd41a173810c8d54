/** An evaluation, or several of the same pictures, as one HTML page: errors, confusions, and mistakes to look at. */

import { EngineError } from "../errors.ts";
import { IMAGENET_LABELS, type Label } from "../labels/imagenet.ts";
import { documentOf } from "../page/document.ts";
import { count, counted, figure, percent } from "../page/figures.ts";
import { facts, type NamedValue, tiles } from "../page/lists.ts";
import { html, type Markup } from "../page/markup.ts";
import { byComputer } from "./computed-by.ts";
import { requireFinished } from "./finished.ts";
import { effortOf, PAPER_PICTURES } from "./paper.ts";
import type { Evaluation } from "./record.ts";
import { classNames } from "./report/class-names.ts";
import { classTable, confusionTable, worstClasses } from "./report/classes.ts";
import { effortName, type Evaluated, variantColors, variants } from "./report/efforts.ts";
import { errorBars, range } from "./report/error-bars.ts";
import { gallery, mistakes, type Thumbnail } from "./report/gallery.ts";
import { ensembles, modelTable } from "./report/models.ts";
import { paperTable } from "./report/paper-table.ts";
import { reportStyle } from "./report/style.ts";
import { isClassified, summarise, unreadableCount } from "./statistics.ts";

/** What the page is made of. */
export interface ReportOptions {
  /** Of the same pictures. The first is what classes, confusions and mistakes are shown of. */
  readonly evaluations: readonly [Evaluation, ...Evaluation[]];
  /** What the evaluations are called where nothing else tells them apart, such as their files. */
  readonly names?: readonly string[];
  /** What was evaluated: the folder. */
  readonly subject: string;
  /** Of the report, in ISO 8601. */
  readonly date: string;
  /** Small copies for the gallery, asked for one after another. */
  readonly thumbnail: Thumbnail;
  /** The names of the classes; ImageNet's unless they are others. */
  readonly labels?: readonly Label[];
}

/** How many of what there may be thousands of are shown. */
const CLASSES = 20;
const CONFUSIONS = 20;
const MISTAKES = 24;
const UNREADABLE = 1000;

/**
 * The page whole, to be written as UTF-8. Of a shard alone it says so.
 *
 * Rejects with EngineError `check` where the evaluations are not of the same pictures, and `evaluation` where one of them
 * is not finished.
 */
export async function evaluationPage(options: ReportOptions): Promise<string> {
  const { evaluations, subject, date, thumbnail } = options;
  const names = classNames(options.labels ?? IMAGENET_LABELS);
  evaluations.forEach((each, index) => {
    requireFinished(evaluations.length === 1 ? "the evaluation" : `evaluation ${index + 1}`, each);
  });
  requireSamePictures(evaluations);
  const evaluated = evaluatedOf(options);
  const [{ evaluation, summary }] = evaluated;
  const { run, adapter } = evaluation;
  const headline = `${percent(summary.top5.rate, 2)} top-5 error`;
  const shard = evaluation.shard.of === 1 ? "" : ` · shard ${evaluation.shard.index} of ${evaluation.shard.of}`;
  return documentOf({
    title: `${headline} on ${subject}`,
    style: reportStyle,
    body: html`<h1>${headline}</h1>
      <p class="soft subtitle">
        ${[`${subject}${shard}`, effortName(effortOf(run)), run.precision, adapter, date.slice(0, 10)].filter(Boolean).join(" · ")}
      </p>
      ${summaryTiles(evaluated[0])}
      <h2>Error by how much is looked at</h2>
      <p class="soft">
        A bar an evaluation; the line on it is where the true error lies with 95 % confidence. Grey is the paper's own,
        by its own models on its own pictures.
      </p>
      ${errorBars(evaluated, "top5")} ${errorBars(evaluated, "top1")}
      <h2>As the paper's Table 3 has it</h2>
      <p class="soft">
        The cost is how often the network looks at a picture.
        ${evaluations.length > 1 ? "Bold is what was evaluated here." : ""}
      </p>
      ${paperTable(evaluated)} ${modelSection()} ${classSection()} ${confusionSection()} ${await mistakeSection()}
      ${unreadableSection()}
      <h2>How to read it</h2>
      <p>
        A picture is a top-1 error where its most probable class is not the one that it shows, and a top-5 error where
        that is not among its five most probable. Intervals are Wilson's, of 95 %.
        ${evaluation.skipUnreadable ? "Unreadable pictures are left out of all denominators." : "Unreadable pictures count as errors."}
      </p>
      <p>
        The paper ("Going Deeper with Convolutions", CVPR 2015) measured on the ${count(PAPER_PICTURES)} pictures of
        ILSVRC 2014's validation set. The weights that BVLC published are another training of nearly the same network:
        their authors give 31.3 % top-1 and 11.1 % top-5 error for the centre crop.
      </p>
      <h2>What was run</h2>
      ${evaluated.map((each) => runFacts(each, evaluated.length > 1))}`,
  });

  function modelSection(): Markup {
    const several = ensembles(evaluated);
    if (several.length === 0) return html``;
    return html`<h2>Each model alone</h2>
      <p class="soft">
        What an ensemble's models come to by themselves, on the same crops of the same pictures, beside the average of
        their probabilities.
      </p>
      ${modelTable(several)}`;
  }

  function classSection(): Markup {
    const worst = worstClasses(summary, CLASSES);
    if (worst.length === 0) return html``;
    return html`<h2>The worst classes</h2>
      <p class="soft">
        ${shownOf(worst.length, summary.classes.filter(({ top1 }) => top1.errors > 0).length, "class with errors", "classes with errors")},
        by what is certain of their top-1 error. Pale is the top-1 error, full the top-5 error.
      </p>
      ${classTable(worst, summary, names)}`;
  }

  function confusionSection(): Markup {
    const { confusions } = summary;
    if (confusions.length === 0) return html``;
    return html`<h2>What is taken for what</h2>
      <p class="soft">
        ${shownOf(Math.min(CONFUSIONS, confusions.length), confusions.length, "pair", "pairs")} of the class shown and
        the most probable one.
      </p>
      ${confusionTable(confusions.slice(0, CONFUSIONS), summary, names)}`;
  }

  async function mistakeSection(): Promise<Markup> {
    const wrong = mistakes(evaluation.pictures, MISTAKES);
    if (wrong.length === 0) return html``;
    const all = summary.confusions.reduce((sum, { count: pictures }) => sum + pictures, 0);
    return html`<h2>The most confident mistakes</h2>
      <p class="soft">
        ${shownOf(wrong.length, all, "picture", "pictures")} whose most probable class is wrong, the most probable
        first. Labels may be wrong too.
      </p>
      ${await gallery(wrong, names, thumbnail)}`;
  }

  function unreadableSection(): Markup {
    const unreadable = evaluation.pictures.flatMap((picture) => (isClassified(picture) ? [] : [picture]));
    if (unreadable.length === 0) return html``;
    const left = unreadable.length - UNREADABLE;
    return html`<h2>Unreadable</h2>
      <p class="soft">
        ${counted(unreadable.length, "picture")},
        ${evaluation.skipUnreadable ? "left out of all figures." : `${unreadableCount(evaluation, unreadable.length)}.`}
      </p>
      <ul class="unreadable">
        ${unreadable
          .slice(0, UNREADABLE)
          .map(
            ({ image, error }) => html`<li>${image} <span class="soft">${withoutSubject(error, image)}</span></li> `,
          )}
        ${left > 0 ? html`<li>… and ${count(left)} more</li>` : html``}
      </ul>`;
  }
}

/** All with their figures, told apart by name and colour where they run differently. */
function evaluatedOf({ evaluations, names: given }: Pick<ReportOptions, "evaluations" | "names">): Evaluated[] {
  const names = variants(evaluations, given);
  const distinct = [...new Set(names)];
  return evaluations.map((evaluation, index) => ({
    evaluation,
    summary: summarise(evaluation),
    variant: names[index],
    color: `v${distinct.indexOf(names[index]) % variantColors.length}`,
  }));
}

/** @throws EngineError `check` where what was evaluated is not the same. */
export function requireSamePictures([first, ...others]: readonly Pick<Evaluation, "run" | "shard">[]): void {
  for (const { run, shard } of others) {
    if (run.pictures === first.run.pictures && shard.index === first.shard.index && shard.of === first.shard.of)
      continue;
    const problem = "they are not of the same pictures with the same labels";
    throw new EngineError(
      "check",
      "the evaluations",
      problem,
      "give evaluations of one folder, and merge shards first",
    );
  }
}

function summaryTiles({ evaluation, summary }: Evaluated): Markup {
  const { images, unreadable, top1, top5, imagesPerSecond } = summary;
  const rate: NamedValue = ["pictures a second", figure(imagesPerSecond)];
  return tiles([
    ["top-5 error", percent(top5.rate, 2)],
    ["95 % interval", top5.of > 0 ? range(top5.interval, 1) : "–"],
    ["top-1 error", percent(top1.rate, 2)],
    ["pictures", count(images)],
    ...(unreadable > 0 ? [["unreadable", count(unreadable)] as const] : []),
    ...(evaluation.seconds > 0 ? [rate] : []),
  ]);
}

function runFacts({ evaluation, summary }: Evaluated, several: boolean): Markup {
  const { run, shard, adapter, computedBy } = evaluation;
  const computers = byComputer(computedBy);
  const shown: NamedValue[] = [
    ...run.models.map(({ name, sha256 }, index): NamedValue => [
      run.models.length > 1 ? `Model ${index + 1}` : "Model",
      `${name}, SHA-256 ${sha256}`,
    ]),
    ["Looked at by", `${counted(run.crops, "crop")} (${run.protocol})`],
    ["Precision", run.precision],
    ["Backend", run.backend],
    ["Device", adapter || "none"],
    ...(computers.length < 2 ? [] : computers).map(({ shards, name }): NamedValue => [
      shards === "" ? "Computed by" : `${shards[0].toUpperCase()}${shards.slice(1)}`,
      name,
    ]),
    ["Engine", `googlenet-wgsl ${run.engine}`],
    ["Part", shard.of === 1 ? "whole" : `shard ${shard.index} of ${shard.of}`],
    [
      "Pictures",
      `${count(summary.images)} of ${count(summary.classes.length)} classes, ${count(summary.unreadable)} of them unreadable and ${unreadableCount(evaluation, summary.unreadable)}; list's SHA-256 ${run.pictures}`,
    ],
    [
      "Time",
      `${figure(summary.seconds)} s of classifying, ${figure(summary.imagesPerSecond)} pictures a second of a machine`,
    ],
    ...(summary.waitingShare === null
      ? []
      : [["Waited for pictures", `${percent(summary.waitingShare)} of the time`] as const]),
    [
      "Top-1",
      `${counted(summary.top1.errors, "error")} among ${count(summary.top1.of)}, ${range(summary.top1.interval)}`,
    ],
    [
      "Top-5",
      `${counted(summary.top5.errors, "error")} among ${count(summary.top5.of)}, ${range(summary.top5.interval)}`,
    ],
  ];
  return html`${several ? html`<h3>${effortName(effortOf(run))}, ${run.precision}, ${adapter}</h3>` : html``}${facts(shown)}`;
}

/** `The 12 pairs`, `20 of the 3,120 pairs`. */
function shownOf(shown: number, all: number, one: string, many: string): string {
  if (shown < all) return `${count(shown)} of the ${count(all)} ${many}`;
  return all === 1 ? `The one ${one}` : `The ${count(all)} ${many}`;
}

/** An error's text behind the name of what it is about, where that stands already. */
function withoutSubject(error: string, subject: string): string {
  return error.startsWith(`${subject}: `) ? error.slice(subject.length + 2) : error;
}
