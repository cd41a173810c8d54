/** What verdicts come to as choices, one after the other: what was tuned for one network leaves others alone. */

import { expect, test } from "vitest";
import { googLeNet } from "../../src/graph/googlenet.ts";
import { inferShapesForBatch, type ShapedGraph } from "../../src/graph/graph.ts";
import { planKey } from "../../src/plan/choices.ts";
import { defaultLimits } from "../../src/plan/limits.ts";
import { planGraph } from "../../src/plan/planner.ts";
import { choicesOf, joinVerdicts, type Verdict } from "../../src/tune/verdict.ts";

const limits = { ...defaultLimits, subgroup: { min: 8, max: 8 } };

/** A verdict as if the last candidate of every problem were the fastest, or as if the default plan stayed. */
function verdictFor(shaped: ShapedGraph, tuned: boolean): Verdict {
  const { decisions, steps, arenaBytes: peakBytes } = planGraph(shaped, limits);
  const problems = Object.fromEntries(
    decisions.map(({ layer, problem, candidates }) => {
      const times = candidates.map((algorithm) => ({ algorithm, microseconds: 10, scratchBytes: 0 }));
      const ranking = tuned ? [candidates.at(-1)!] : [];
      return [problem, { layer, preferred: candidates[0], ranking, candidates: times }] as const;
    }),
  );
  const variants = [false, true].map((each) => ({ tuned: each, steps: steps.length, peakBytes, microseconds: 1000 }));
  return { plans: { [planKey(shaped)]: { problems, variants, chosen: Number(tuned) } } };
}

const main = inferShapesForBatch(googLeNet(), 1);
const all = inferShapesForBatch(googLeNet({ heads: "all" }), 1);
const batch8 = inferShapesForBatch(googLeNet(), 8);

test.each([
  ["main, then all heads", main, all],
  ["all heads, then main", all, main],
  ["batch 1, then 8", main, batch8],
])("a later tuning whose default stays undoes no earlier one: %s", (_, first, second) => {
  const choices = choicesOf(joinVerdicts(verdictFor(first, true), verdictFor(second, false)));
  const tunable = planGraph(first, limits).decisions.filter(({ candidates }) => candidates.length > 1);
  const { decisions } = planGraph(first, limits, { choices });
  expect(decisions.filter(({ reason }) => reason === "tuned")).toHaveLength(tunable.length);
  expect(planGraph(second, limits, { choices })).toEqual(planGraph(second, limits));
});

test("nor does a later one that is tuned change an earlier one whose default stays", () => {
  const choices = choicesOf(joinVerdicts(verdictFor(main, false), verdictFor(all, true)));
  expect(planGraph(main, limits, { choices })).toEqual(planGraph(main, limits));
  expect(planGraph(all, limits, { choices })).not.toEqual(planGraph(all, limits));
});

test("of one network the later verdict holds", () => {
  const choices = choicesOf(joinVerdicts(verdictFor(main, true), verdictFor(main, false)));
  expect(planGraph(main, limits, { choices })).toEqual(planGraph(main, limits));
});
