/** Steps that were timed run after run. */

import type { Step } from "../plan/plan.ts";
import { median } from "../tune/statistics.ts";
import type { Session } from "../webgpu/session.ts";

/** Each step with its median time in milliseconds over all runs, of which there is one at least. */
export function medianSteps(runs: readonly Awaited<ReturnType<Session["time"]>>[]): { step: Step; gpuMs: number }[] {
  return runs[0].map(({ step }, index) => ({
    step,
    gpuMs: median(runs.map((run) => run[index].nanoseconds)) / 1e6,
  }));
}
