/**
 * What the planner and every algorithm make of sample problems, as text: it changes with any change of what they launch,
 * in which the kernels' texts have no part.
 */

import { googLeNet } from "../graph/googlenet.ts";
import { inferShapesForBatch } from "../graph/graph.ts";
import { problemKey } from "./choices.ts";
import { defaultLimits, type PlanLimits } from "./limits.ts";
import { plannedProblems, planGraph, type PlanOptions } from "./planner.ts";
import { candidates } from "./registry.ts";

const matrices: PlanLimits["subgroupMatrices"] = [
  { component: "f16", result: "f32", rows: 16, columns: 16, depth: 16 },
  { component: "f16", result: "f16", rows: 16, columns: 16, depth: 16 },
];

/** Few, since in a checkout every command that finds a verdict waits for them, and as different as they can be. */
const samples: readonly { readonly limits: PlanLimits; readonly batch: number; readonly options: PlanOptions }[] = [
  { limits: defaultLimits, batch: 1, options: {} },
  { limits: { ...defaultLimits, subgroup: { min: 8, max: 8 } }, batch: 8, options: { merge: true } },
  {
    limits: { ...defaultLimits, subgroup: { min: 32, max: 32 }, float16: true, subgroupMatrices: matrices },
    batch: 2,
    options: { precision: "f16", workspace: 2 ** 22 },
  },
];

/** The plans of GoogLeNet on devices of several kinds, and the launches of all the algorithms that they might have. */
export function describeSamples(): string {
  return JSON.stringify(samples.map(({ limits, batch, options }) => sample(limits, batch, options)));
}

function sample(limits: PlanLimits, batch: number, options: PlanOptions): unknown {
  const shaped = inferShapesForBatch(googLeNet(), batch);
  const { steps, slots } = planGraph(shaped, limits, options);
  const problems = new Map(
    plannedProblems(shaped, limits, options).map(({ problem }) => [problemKey(problem), problem]),
  );
  const launches = [...problems].map(([key, problem]) => [
    key,
    candidates(problem).map((algorithm) => [
      algorithm.name,
      algorithm.scratch?.(problem),
      algorithm
        .launch(problem)
        .map(({ kernel, values, bindings, workgroups }) => [kernel.name, values, bindings, workgroups]),
    ]),
  ]);
  return [steps, slots, launches];
}
