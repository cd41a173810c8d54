/**
 * The paper's Table 3 ("Going Deeper with Convolutions", CVPR 2015, section 7) as data, and an evaluation's figures in
 * its form: models, crops, cost, top-5 error, and what that is compared to one model that looks once.
 */

import type { EvaluationRun } from "./record.ts";
import type { ErrorRate } from "./statistics.ts";

/** How much is looked at: what names a row of the table. */
export interface Effort {
  readonly models: number;
  readonly crops: number;
}

export interface PaperRow extends Effort {
  /** A fraction. */
  readonly top5Error: number;
}

/** ILSVRC 2014's validation set, on which the table's errors are. */
export const PAPER_PICTURES = 50_000;

export const PAPER_TABLE_3: readonly PaperRow[] = [
  { models: 1, crops: 1, top5Error: 0.1007 },
  { models: 1, crops: 10, top5Error: 0.0915 },
  { models: 1, crops: 144, top5Error: 0.0789 },
  { models: 7, crops: 1, top5Error: 0.0809 },
  { models: 7, crops: 10, top5Error: 0.0762 },
  { models: 7, crops: 144, top5Error: 0.0667 },
];

/** What the paper calls cost: how often the network, of one model or another, looks at a picture. */
export function costOf({ models, crops }: Effort): number {
  return models * crops;
}

/** What is needed of an evaluation to stand in the table. */
export interface EvaluatedEffort {
  readonly evaluation: { readonly run: Pick<EvaluationRun, "models" | "crops"> };
  readonly summary: { readonly top5: Pick<ErrorRate, "rate"> };
}

/** The evaluations of one effort, and whether the paper has it. */
export interface EffortGroup<Each> extends Effort {
  readonly evaluated: readonly Each[];
}

/** A row in the paper's form: of an evaluation, or of the paper alone where none has this effort. */
export interface ErrorRow<Each> extends Effort {
  readonly evaluated: Each | null;
  readonly cost: number;
  readonly isBase: boolean;
  /** Fractions: the evaluation's error, and that of the paper; null where there is none. */
  readonly top5Error: number | null;
  readonly paper: number | null;
  /** Fractions less one model with one crop has; null for that one, or where there is none. */
  readonly againstBase: number | null;
  readonly paperAgainstBase: number | null;
}

export function effortOf({ models, crops }: Pick<EvaluationRun, "models" | "crops">): Effort {
  return { models: models.length, crops };
}

/** The paper's efforts and those of the evaluations, by models and then by crops. */
export function effortGroups<Each extends EvaluatedEffort>(evaluated: readonly Each[]): EffortGroup<Each>[] {
  const groups = new Map<string, Effort & { evaluated: Each[] }>();
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

/**
 * The whole table: a row an evaluation, and one of the paper's for what none did, by models and then by crops. The base
 * is the first evaluation with one model and one crop.
 */
export function errorRows<Each extends EvaluatedEffort>(evaluated: readonly Each[]): ErrorRow<Each>[] {
  const base = evaluated.find(({ evaluation: { run } }) => isBase(effortOf(run)))?.summary.top5.rate;
  return effortGroups(evaluated).flatMap(({ evaluated: own, ...effort }) =>
    (own.length > 0 ? own : [null]).map((each) => {
      const top5Error = each?.summary.top5.rate ?? null;
      return {
        ...effort,
        evaluated: each,
        cost: costOf(effort),
        isBase: isBase(effort),
        top5Error,
        paper: paperError(effort),
        againstBase: base === undefined || top5Error === null || isBase(effort) ? null : top5Error - base,
        paperAgainstBase: paperAgainstBase(effort),
      };
    }),
  );
}

/** The paper's top-5 error with as many models and crops; null where it has none. */
export function paperError({ models, crops }: Effort): number | null {
  return PAPER_TABLE_3.find((row) => row.models === models && row.crops === crops)?.top5Error ?? null;
}

/**
 * The paper's top-5 error less its base's; null for the base, and where the paper has none. (As printed, the last row
 * says −3.45 %, which is not the difference of its errors.)
 */
function paperAgainstBase(effort: Effort): number | null {
  const error = paperError(effort);
  return error === null || isBase(effort) ? null : error - PAPER_TABLE_3.find(isBase)!.top5Error;
}

function isBase({ models, crops }: Effort): boolean {
  return models === 1 && crops === 1;
}
