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

/** A row in the paper's form, of the paper or of an evaluation. */
export interface ErrorRow extends Effort {
  readonly cost: number;
  /** A fraction, and that of the paper where it has one for this effort. */
  readonly top5Error: number;
  readonly paper: number | null;
  /** Fractions less than one model with one crop has; null for that one, or where there is none. */
  readonly againstBase: number | null;
  readonly paperAgainstBase: number | null;
}

/** What an evaluation adds to the table. */
export interface EvaluatedEffort {
  readonly run: Pick<EvaluationRun, "models" | "crops">;
  readonly top5: Pick<ErrorRate, "rate">;
}

/** Each evaluation's row; the base is the first of them with one model and one crop. */
export function errorRows(evaluated: readonly EvaluatedEffort[]): ErrorRow[] {
  const efforts = evaluated.map(({ run, top5 }) => ({
    models: run.models.length,
    crops: run.crops,
    top5Error: top5.rate,
  }));
  const base = efforts.find(isBase)?.top5Error;
  return efforts.map((effort) => ({
    ...effort,
    cost: costOf(effort),
    paper: paperError(effort),
    againstBase: base === undefined || isBase(effort) ? null : effort.top5Error - base,
    paperAgainstBase: paperAgainstBase(effort),
  }));
}

/** The paper's top-5 error with as many models and crops; null where it has none. */
export function paperError({ models, crops }: Effort): number | null {
  return PAPER_TABLE_3.find((row) => row.models === models && row.crops === crops)?.top5Error ?? null;
}

/**
 * The paper's top-5 error less its base's; null for the base, and where the paper has none. (As printed, the last row
 * says −3.45 %, which is not the difference of its errors.)
 */
export function paperAgainstBase(effort: Effort): number | null {
  const error = paperError(effort);
  return error === null || isBase(effort) ? null : error - PAPER_TABLE_3.find(isBase)!.top5Error;
}

function isBase({ models, crops }: Effort): boolean {
  return models === 1 && crops === 1;
}
