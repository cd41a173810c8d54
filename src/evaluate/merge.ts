/** Joining the shards of an evaluation into the whole, exactly as if it had been one. */

import { EngineError } from "../errors.ts";
import { differences } from "./agree.ts";
import { adapterOf, allOf } from "./computed-by.ts";
import { requireFinished } from "./finished.ts";
import { digestOfPictures } from "./pictures.ts";
import type { Evaluation } from "./record.ts";

/** A shard's results, and what errors call them: their file. */
export interface NamedEvaluation {
  readonly name: string;
  readonly evaluation: Evaluation;
}

/** How many an error lists before it only counts. */
const LISTED = 10;

/**
 * Joins all shards of one evaluation; their order does not matter.
 *
 * Rejects with EngineError "evaluation", which says which and why, where parts are of different evaluations or different
 * divisions, are given twice, are missing, or are not finished.
 */
export async function mergeShards(parts: readonly NamedEvaluation[]): Promise<Evaluation> {
  if (parts.length === 0)
    throw new EngineError("usage", "merge", "there is nothing to join", "give all shards' results");
  const [first, ...others] = parts;
  const { run, shard } = first.evaluation;
  for (const { name, evaluation } of others) {
    const differing = differences(evaluation.run, run);
    if (evaluation.shard.of !== shard.of) differing.push(`${evaluation.shard.of} shards, not ${shard.of}`);
    if (evaluation.skipUnreadable !== first.evaluation.skipUnreadable) {
      const [own, its] = [evaluation, first.evaluation].map((each) => (each.skipUnreadable ? "out" : "in"));
      differing.push(`unreadable pictures ${own}, not ${its}`);
    }
    if (differing.length > 0) {
      throw refusal(name, `it is no part of the evaluation that ${first.name} is of: ${differing.join("; ")}`);
    }
  }
  checkShards(parts, shard.of);
  for (const { name, evaluation } of parts) requireFinished(name, evaluation);
  // Whatever order the files were given in, the whole is the same.
  const evaluations = parts.map(({ evaluation }) => evaluation).sort((a, b) => a.shard.index - b.shard.index);
  const pictures = evaluations.flatMap((each) => each.pictures).sort((a, b) => a.number - b.number);
  if ((await digestOfPictures(pictures)) !== run.pictures) {
    throw refusal(first.name, "the parts' pictures are not those that the evaluation began with: a file is damaged");
  }
  const computedBy = allOf(...evaluations.map((each) => each.computedBy));
  return {
    run,
    shard: { index: 1, of: 1 },
    adapter: adapterOf(computedBy),
    computedBy,
    pictures,
    seconds: evaluations.reduce((sum, { seconds }) => sum + seconds, 0),
    waitingSeconds: evaluations.reduce<number | null>(
      (sum, { waitingSeconds }) => (sum === null || waitingSeconds === null ? null : sum + waitingSeconds),
      0,
    ),
    skipUnreadable: first.evaluation.skipUnreadable,
  };
}

function checkShards(parts: readonly NamedEvaluation[], of: number): void {
  const holders = new Map<number, string>();
  for (const { name, evaluation } of parts) {
    const { index } = evaluation.shard;
    const earlier = holders.get(index);
    if (earlier !== undefined) throw refusal(name, `it is shard ${index}/${of}, as ${earlier} is`, "give each once");
    holders.set(index, name);
  }
  const missing: string[] = [];
  for (let index = 1; index <= of; index++) if (!holders.has(index)) missing.push(`${index}/${of}`);
  if (missing.length > 0) {
    const rest = missing.length > LISTED ? ` and ${missing.length - LISTED} more` : "";
    const which = `${missing.slice(0, LISTED).join(", ")}${rest}`;
    throw refusal(
      "merge",
      `${missing.length === 1 ? "shard" : "shards"} ${which} ${missing.length === 1 ? "is" : "are"} missing`,
      "give all shards' results",
    );
  }
}

function refusal(name: string, problem: string, remedy = "give the results of one evaluation's shards"): EngineError {
  return new EngineError("evaluation", name, problem, remedy);
}
