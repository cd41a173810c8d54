/** Whether an evaluation has all the pictures that it is of: figures of others would be another evaluation's. */

import { EngineError } from "../errors.ts";
import { shardSize } from "./pictures.ts";
import type { Evaluation } from "./record.ts";

/**
 * @param name what errors call it: its file
 * @throws EngineError "evaluation" where it lacks some of its shard's pictures
 */
export function requireFinished(name: string, { run, shard, pictures }: Evaluation): void {
  const lacking = shardSize(shard, run.total) - pictures.length;
  if (lacking > 0) {
    const remedy = "let it be finished by the command that began it";
    throw new EngineError("evaluation", name, `it lacks ${lacking} of its pictures`, remedy);
  }
}
