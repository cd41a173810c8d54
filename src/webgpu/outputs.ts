/** The blobs that a caller asks for. */

import { EngineError } from "../errors.ts";
import type { ValueId } from "../graph/graph.ts";
import type { Plan } from "../plan/plan.ts";
import { describe } from "./batches.ts";

/** Throws EngineError "usage" for blobs that the plan doesn't keep. */
export function checkOutputs(plan: Plan, outputs: readonly ValueId[]): void {
  if (!isArray(outputs)) {
    throw new EngineError("usage", "outputs", `they are ${describe(outputs)}`, "give an array of blobs' names");
  }
  for (const id of outputs) {
    if (!Object.hasOwn(plan.values, id)) {
      throw new EngineError(
        "usage",
        `blob "${id}"`,
        "the plan does not keep it",
        "name another, or make the session with fuse: false for those that fusion removes",
      );
    }
  }
}

/** For callers whose types nobody checked. */
function isArray(value: unknown): boolean {
  return Array.isArray(value);
}
