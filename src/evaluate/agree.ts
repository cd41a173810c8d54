/** Whether two evaluations are parts of one, and where they differ if not. */

import type { EvaluationRun } from "./record.ts";

/**
 * What two runs differ in, each as `SUBJECT A, not B` with A the first one's: none where they are the same. What weights
 * are called does not matter.
 */
export function differences(one: EvaluationRun, other: EvaluationRun): string[] {
  const found: string[] = [];
  const compare = (what: string, a: string, b: string) => {
    if (a !== b) found.push(`${what} ${a}, not ${b}`);
  };
  compare("engine version", one.engine, other.engine);
  const same =
    one.models.length === other.models.length &&
    one.models.every(({ sha256 }, index) => sha256 === other.models[index].sha256);
  if (!same) compare("weights", weightsOf(one), weightsOf(other));
  compare("crops", cropsOf(one), cropsOf(other));
  compare("precision", one.precision, other.precision);
  compare("backend", one.backend, other.backend);
  if (one.total !== other.total) compare("pictures", String(one.total), String(other.total));
  else if (one.pictures !== other.pictures) found.push("other pictures or labels");
  return found;
}

function cropsOf({ crops, protocol }: EvaluationRun): string {
  return `${crops} (${protocol})`;
}

function weightsOf({ models }: EvaluationRun): string {
  return models.map(({ name, sha256 }) => `${name} (${sha256.slice(0, 12)})`).join(" + ");
}
