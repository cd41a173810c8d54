/** Evaluations as the report arranges them: by how much they look at, the least first, and told apart by how they run. */

import { brightColors } from "../../page/colors.ts";
import { counted } from "../../page/figures.ts";
import { type Effort, effortOf } from "../paper.ts";
import type { Evaluation } from "../record.ts";
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

/** `1 model, 10 crops`. */
export function effortName({ models, crops }: Effort): string {
  return `${counted(models, "model")}, ${counted(crops, "crop")}`;
}

/**
 * How an evaluation runs, less what all of them share; with its name where another of the same effort runs so, too.
 *
 * @param names of the evaluations, such as their files
 */
export function variants(evaluations: readonly Evaluation[], names: readonly string[] = []): string[] {
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
  const manners = evaluations.map((evaluation) =>
    telling
      .map((property) => property(evaluation))
      .filter(Boolean)
      .join(" · "),
  );
  const places = evaluations.map(({ run }, index) => `${effortName(effortOf(run))}: ${manners[index]}`);
  return manners.map((manner, index) => {
    const name = names[index] ?? `evaluation ${index + 1}`;
    const isAlone = places.filter((place) => place === places[index]).length === 1;
    return [manner, ...(isAlone ? [] : [name])].filter(Boolean).join(" · ");
  });
}
