/** `evaluate --compare`: what two evaluations of the same pictures agree in, and whether one is the better. */

import { compareEvaluations, type Comparison, type ErrorComparison } from "../evaluate/compare.ts";
import type { NamedEvaluation } from "../evaluate/merge.ts";
import { classNames } from "../evaluate/report/class-names.ts";
import type { ErrorRate } from "../evaluate/statistics.ts";
import { IMAGENET_LABELS } from "../labels/imagenet.ts";
import { percent } from "../page/figures.ts";
import { printComputers } from "./evaluate-results.ts";
import { formatTable, plural, significant } from "./format.ts";
import { exitStatus } from "./report.ts";
import type { Terminal } from "./terminal.ts";

/** How many pictures people are shown; programs get all. */
const SHOWN = 20;
/** How many of the largest differences anybody is shown. */
const LARGEST = 10;

const names = classNames(IMAGENET_LABELS);

/**
 * Compares, and prints: for programs a line a picture that changed, and last the figures.
 * @throws EngineError `check` where they are not of the same pictures.
 */
export async function printComparison(
  first: NamedEvaluation,
  second: NamedEvaluation,
  terminal: Terminal,
): Promise<number> {
  const comparison = compareEvaluations(first.evaluation, second.evaluation);
  if (terminal.json) await printLines(first, second, comparison, terminal);
  else await printTables(first, second, comparison, terminal);
  return exitStatus.done;
}

async function printLines(
  first: NamedEvaluation,
  second: NamedEvaluation,
  { changed, differences, ...figures }: Comparison,
  terminal: Terminal,
): Promise<void> {
  for (const picture of changed) await terminal.printJson(picture);
  const described = ({ name, evaluation: { run, shard, adapter, computedBy } }: NamedEvaluation) => ({
    name,
    adapter,
    computedBy,
    shard,
    ...run,
  });
  await terminal.printJson({
    first: described(first),
    second: described(second),
    ...figures,
    changed: changed.length,
    maxDifference: differences[0]?.difference ?? 0,
    largestDifferences: differences.slice(0, LARGEST),
  });
}

async function printTables(
  first: NamedEvaluation,
  second: NamedEvaluation,
  comparison: Comparison,
  terminal: Terminal,
): Promise<void> {
  const { pictures, compared, unreadable, sameTop1, sameTop5, top1, top5, changed, differences } = comparison;
  const row = ({ name, evaluation: { run, shard, adapter } }: NamedEvaluation, one: ErrorRate, five: ErrorRate) => [
    shard.of === 1 ? name : `${name} (shard ${shard.index}/${shard.of})`,
    run.models.length,
    run.crops,
    run.precision,
    `${adapter} (${run.backend})`,
    error(one),
    error(five),
  ];
  const head = ["evaluation", "models", "crops", "precision", "device", "top-1 error", "top-5 error"];
  await terminal.print(
    formatTable([row(first, top1.first, top5.first), row(second, top1.second, top5.second)], {
      head,
      align: ["left", "right", "right", "left", "left", "left", "left"],
    }),
  );
  for (const { name, evaluation } of [first, second]) {
    await printComputers(evaluation, `what computed ${name}`, terminal);
  }
  const left = pictures - compared;
  const counts =
    left === 0
      ? plural(compared, "picture")
      : `the ${plural(compared, "picture")} that both could read of ${pictures.toLocaleString("en")} ` +
        `(unreadable: ${unreadable.first} and ${unreadable.second})`;
  await terminal.print(`\nover ${counts}; intervals of 95 % (Wilson)\n`);
  if (compared === 0) return;
  await terminal.print(
    formatTable([
      ["the same most probable class", share(sameTop1, compared)],
      ["the same five classes", share(sameTop5, compared)],
      ["top-1: wrong in one alone", discordant(top1)],
      ["top-5: wrong in one alone", discordant(top5)],
    ]),
  );
  if (differences.length > 0) {
    await terminal.print("\nlargest differences of probabilities");
    await terminal.print(
      formatTable(
        differences
          .slice(0, LARGEST)
          .map(({ image, class: which, first: one, second: other, difference }) => [
            `${one === null || other === null ? "≥ " : ""}${significant(difference, 3)}`,
            one === null ? "–" : significant(one, 3),
            other === null ? "–" : significant(other, 3),
            names.text(which),
            image,
          ]),
        { head: ["difference", "first", "second", "class", "picture"], align: ["right", "right", "right"] },
      ),
    );
  }
  if (changed.length > 0) {
    await terminal.print(`\n${plural(changed.length, "picture")} changed`);
    await terminal.print(
      formatTable(
        changed
          .slice(0, SHOWN)
          .map(({ image, class: shown, first: one, second: other }) => [
            image,
            names.text(shown),
            guess(one, shown),
            guess(other, shown),
          ]),
        { head: ["picture", "shows", "first", "second"] },
      ),
    );
    if (changed.length > SHOWN) await terminal.print(`… and ${changed.length - SHOWN} more: --json lists all`);
  }
}

/** `10.07 % (9.81 to 10.34), 5035 of 50,000`. */
function error({ errors, of, rate, interval }: ErrorRate): string {
  if (of === 0) return "–";
  const range = [interval.low, interval.high].map((end) => (100 * end).toFixed(2)).join(" to ");
  return `${percent(rate, 2)} (${range}), ${errors.toLocaleString("en")} of ${of.toLocaleString("en")}`;
}

function share(count: number, of: number): string {
  return `${percent(count / of, 2)}, ${count.toLocaleString("en")} of ${of.toLocaleString("en")}`;
}

function discordant({ onlyFirst, onlySecond, mcnemar: { test, statistic, p } }: ErrorComparison): string {
  const chiSquare = statistic === null ? "" : `, χ² = ${significant(statistic, 3)}`;
  const probability = p < 1e-4 ? p.toExponential(1) : significant(p, 3);
  const verdict = p < 0.05 ? "more than chance" : "within chance";
  return `${onlyFirst} in the first, ${onlySecond} in the second: ${verdict}, p = ${probability} (McNemar, ${test}${chiSquare})`;
}

/** A class as it was taken, marked where it is right. */
function guess({ class: taken, probability }: { class: number; probability: number }, shown: number): string {
  return `${percent(probability)} ${names.text(taken)}${taken === shown ? " ✓" : ""}`;
}
