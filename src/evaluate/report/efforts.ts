/** Evaluations as the report arranges them: by how much they look at, the least first, and told apart by how they run. */

import { brightColors } from "../../page/colors.ts";
import { counted } from "../../page/figures.ts";
import { costOf, type Effort, PAPER_TABLE_3 } from "../paper.ts";
import type { Evaluation, EvaluationRun } from "../record.ts";
import type { Summary } from "../statistics.ts";

/** Colours that tell variants apart. Red is left to mistakes, and grey to the paper. */
export const variantColors = [0, 5, 2, 3, 4].map((rank) => brightColors[rank]);

/** An evaluation with its figures. */
export interface Evaluated {
  readonly evaluation: Evaluation;
  readonly summary: Summary;
  /** What tells it from the others, `float16 · short256`; empty where nothing does. */
  readonly variant: string;
  /** The class `v0` and on of its variant's colour. */
  readonly color: string;
}

/** The evaluations of one effort, and whether the paper has it. */
export interface EffortGroup extends Effort {
  readonly evaluated: readonly Evaluated[];
}

/** `1 model, 10 crops`. */
export function effortName({ models, crops }: Effort): string {
  return `${counted(models, "model")}, ${counted(crops, "crop")}`;
}

/** The paper's efforts and those of the evaluations, by models and then by crops. */
export function effortGroups(evaluated: readonly Evaluated[]): EffortGroup[] {
  const groups = new Map<string, Effort & { evaluated: Evaluated[] }>();
  const group = ({ models, crops }: Effort) => {
    const key = `${models}×${crops}`;
    const there = groups.get(key) ?? { models, crops, evaluated: [] };
    groups.set(key, there);
    return there;
  };
  for (const effort of PAPER_TABLE_3) group(effort);
  for (const each of evaluated) group(effortOf(each.evaluation.run)).evaluated.push(each);
  return [...groups.values()].sort((a, b) => a.models - b.models || costOf(a) - costOf(b));
}

export function effortOf({ models, crops }: EvaluationRun): Effort {
  return { models: models.length, crops };
}

/** How an evaluation runs, less what all of them share. */
export function variants(evaluations: readonly Evaluation[]): string[] {
  const properties: ((evaluation: Evaluation) => string)[] = [
    ({ run }) => run.precision,
    ({ run }) => run.backend,
    ({ adapter }) => adapter,
    ({ run }) => `version ${run.engine}`,
    // What is implied by the number of crops tells nobody anything.
    ({ run }) => (run.crops === 1 ? run.protocol : ""),
    ({ run }) => (run.models.length === 1 ? run.models[0].name : ""),
  ];
  const telling = properties.filter((property) => new Set(evaluations.map(property).filter(Boolean)).size > 1);
  return evaluations.map((evaluation) =>
    telling
      .map((property) => property(evaluation))
      .filter(Boolean)
      .join(" · "),
  );
}
