/** Which weights a command runs on. */

import { EngineError } from "../errors.ts";
import type { Parameter } from "../graph/graph.ts";
import type { Weights } from "../graph/weights.ts";
import { loadWeights } from "../node/weights-file.ts";
import { findWeights } from "../node/weights-manifest.ts";
import type { Context } from "./context.ts";

export interface ChosenWeights {
  readonly weights: Weights;
  /** What they are called in results: the trained network's name where they are known, else the file or `seed:N`. */
  readonly name: string;
}

/** What commands run on that don't need trained weights. */
export const STAND_IN = "seed:1";

/** Weights that mean something: named ones or downloaded ones. */
export async function trainedWeights(
  option: string | undefined,
  parameters: readonly Parameter[],
): Promise<ChosenWeights> {
  const choice = await findWeights(option);
  if (!choice) {
    throw new EngineError(
      "weights",
      "trained weights",
      "there are none",
      "get them with `googlenet weights fetch`, or name a file with --weights or GOOGLENET_WEIGHTS (--weights seed:1 runs without meaning)",
    );
  }
  return loadChosen(choice.source, parameters);
}

/** The weights of an ensemble, of each file its own; without any named, those that `trainedWeights` finds. */
export async function trainedEnsemble(
  options: readonly string[] | undefined,
  parameters: readonly Parameter[],
): Promise<ChosenWeights[]> {
  if (options === undefined) return [await trainedWeights(undefined, parameters)];
  const chosen: ChosenWeights[] = [];
  for (const option of options) chosen.push(await trainedWeights(option, parameters));
  return chosen;
}

/** Weights for measuring and checking: where there are no trained ones, made-up ones do, and it is said. */
export async function anyWeights(
  option: string | undefined,
  parameters: readonly Parameter[],
  { terminal }: Context,
): Promise<ChosenWeights> {
  const choice = await findWeights(option);
  if (!choice) terminal.note(`no trained weights: running on ${STAND_IN} (\`googlenet weights fetch\` gets BVLC's)`);
  return loadChosen(choice?.source ?? STAND_IN, parameters);
}

/** Loads what `findWeights` found. */
export async function loadChosen(source: string, parameters: readonly Parameter[]): Promise<ChosenWeights> {
  const { weights, description } = await loadWeights(source, parameters);
  return { weights, name: description.recognised ?? description.source };
}
