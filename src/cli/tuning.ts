/** What was tuned for the device at hand: loaded for every command that runs the network there, and said. */

import { type Graph, inferShapesForBatch } from "../graph/graph.ts";
import { loadTuning, tuningFolder } from "../node/tuning-file.ts";
import { type Choices, planKey } from "../plan/choices.ts";
import type { PlanLimits } from "../plan/limits.ts";
import { partsOf } from "../plan/batches.ts";
import type { Precision } from "../plan/precision.ts";
import { choicesOf, type Verdict } from "../tune/verdict.ts";
import type { NetworkOptions } from "./options.ts";
import type { Terminal } from "./terminal.ts";

export interface Tuned {
  readonly verdict: Verdict;
  readonly choices: Choices;
  /** When each plan was tuned, by `planKey`: ISO 8601. */
  readonly dates: Readonly<Record<string, string>>;
}

/**
 * The verdict for a device, unless there is none, or none is wanted; one that does not fit is ignored with a note.
 *
 * @param tuning - the option of this name
 */
export async function findTuned(
  info: GPUAdapterInfo,
  tuning: NetworkOptions["tuning"] | undefined,
  terminal: Pick<Terminal, "note">,
): Promise<Tuned | undefined> {
  if (tuning === false) return undefined;
  const kept = await loadTuning(info, tuningFolder(tuning));
  if (!kept) return undefined;
  if ("ignored" in kept) {
    terminal.note(`${kept.file}: ignored, ${kept.ignored} (\`googlenet tune\` makes another)`);
    return undefined;
  }
  return { verdict: kept.verdict, choices: choicesOf(kept.verdict), dates: kept.dates };
}

/**
 * Whether the network was tuned for this batch size, which is said.
 *
 * @param limits - of the device: a batch that it can't hold runs as parts, which are what was tuned
 */
export function sayTuned(
  tuned: Tuned | undefined,
  graph: Graph,
  batch: number,
  precision: Precision,
  limits: PlanLimits,
  terminal: Pick<Terminal, "note">,
): boolean {
  if (!tuned) return false;
  const [part] = partsOf(inferShapesForBatch(graph, 1), limits, batch, { precision, ...choicesOption(tuned) });
  const key = planKey(inferShapesForBatch(graph, part), precision);
  if (!Object.hasOwn(tuned.verdict.plans, key)) return false;
  terminal.note(
    `batch ${batch} runs as it was tuned for this device on ${tuned.dates[key].slice(0, 10)} (--no-tuning: as by default)`,
  );
  return true;
}

/** The option that hands choices to whatever plans. */
export function choicesOption(tuned: Tuned | undefined): { choices?: Choices } {
  return tuned ? { choices: tuned.choices } : {};
}
