/** Choices of algorithms as plain data: what a plan makes of them. */

import { describe, expect, test } from "vitest";
import { googLeNet } from "../../src/graph/googlenet.ts";
import { type Graph, inferShapesForBatch } from "../../src/graph/graph.ts";
import { type Choices, planKey, problemKey } from "../../src/plan/choices.ts";
import type { Problem } from "../../src/plan/kernel.ts";
import { defaultLimits, type PlanLimits } from "../../src/plan/limits.ts";
import { plannedProblems, planGraph, type PlanOptions } from "../../src/plan/planner.ts";
import { algorithms } from "../../src/plan/registry.ts";
import { freshSeed, uniform } from "../support/random.ts";
import { tiny } from "../webgpu/tiny.ts";

const shaped = inferShapesForBatch(googLeNet(), 1);
const narrow: PlanLimits = { ...defaultLimits, subgroup: { min: 8, max: 8 } };
const wide: PlanLimits = { ...defaultLimits, subgroup: { min: 32, max: 32 } };
const planFor = (options: PlanOptions = {}, limits = narrow) => planGraph(shaped, limits, options);

/** For every problem, the last of its candidates. */
function lastCandidates(options: PlanOptions = {}, limits = narrow): Choices {
  return {
    algorithms: Object.fromEntries(
      planFor(options, limits).decisions.map(({ problem, candidates }) => [problem, [candidates.at(-1)!]]),
    ),
  };
}

describe("a problem's key", () => {
  const problems = [narrow, wide].flatMap((limits) => plannedProblems(shaped, limits).map(({ problem }) => problem));

  test("is the same for equal problems, wherever they stand, and no other's", () => {
    const essence = ({ op, inputs, output, rest, pool, relu }: Problem) =>
      JSON.stringify([op, inputs.map(({ shape }) => shape), output.shape, rest?.shape, pool, relu]);
    const keys = new Map<string, Set<string>>();
    for (const problem of problems) {
      keys.set(problemKey(problem), (keys.get(problemKey(problem)) ?? new Set()).add(essence(problem)));
    }
    expect([...keys.values()].every(({ size }) => size === 1)).toBe(true);
    expect(keys.size).toBe(new Set(problems.map(essence)).size);
    expect(keys.size).toBeLessThan(problems.length);
  });

  test.each<[string, (problem: Problem) => Partial<Problem>]>([
    ["layer", () => ({ layer: "other", restLayers: ["another"] })],
    ["place", ({ inputs }) => ({ inputs: inputs.map((view) => ({ ...view, slot: 9, offset: 64, stride: 1e6 })) })],
    ["device", () => ({ limits: wide, scratchBudget: 1 })],
    ["order of attributes", ({ op }) => ({ op: Object.fromEntries(Object.entries(op).reverse()) as Problem["op"] })],
  ])("hangs on nothing of the %s", (_, change) => {
    for (const problem of problems.slice(0, 10)) {
      expect(problemKey({ ...problem, ...change(problem) })).toBe(problemKey(problem));
    }
  });

  test("tells what JSON can't", () => {
    const [problem] = problems;
    const clip = (max: number): Problem => ({
      ...problem,
      op: { type: "unary", function: "clip", min: 0, max } as never,
    });
    expect(problemKey(clip(Infinity))).not.toBe(problemKey(clip(-Infinity)));
  });
});

describe("a plan", () => {
  test("says of each layer which algorithm it got, and why", () => {
    const { decisions, steps } = planFor();
    expect(decisions.map(({ firstStep, steps: count }) => [firstStep, count])).toEqual(
      decisions.map((_, index) => {
        const before = decisions.slice(0, index).reduce((sum, each) => sum + each.steps, 0);
        return [before, decisions[index].steps];
      }),
    );
    expect(decisions.at(-1)!.firstStep + decisions.at(-1)!.steps).toBe(steps.length);
    for (const { algorithm, candidates, reason } of decisions) {
      expect(algorithm).toBe(candidates[0]);
      expect(reason).toBe(candidates.length === 1 ? "only" : "preferred");
    }
  });

  test("chooses alike for every batch, so that a picture's sums are the same in each", () => {
    const algorithmsFor = (batch: number) =>
      planGraph(inferShapesForBatch(googLeNet(), batch), narrow).decisions.map(({ algorithm }) => algorithm);
    for (const batch of [2, 8, 33]) expect(algorithmsFor(batch), `batch ${batch}`).toEqual(algorithmsFor(1));
  });

  test.each([
    ["narrow", narrow],
    ["wide", wide],
  ])("uses what is chosen (%s subgroups), and nothing else changes", (_, limits) => {
    const { decisions } = planFor({ choices: lastCandidates({}, limits) }, limits);
    expect(decisions.map(({ layer, candidates }) => [layer, candidates])).toEqual(
      planFor({}, limits).decisions.map(({ layer, candidates }) => [layer, candidates]),
    );
    for (const { algorithm, candidates, reason } of decisions) {
      expect(algorithm).toBe(candidates.at(-1));
      expect(reason).toBe(candidates.length === 1 ? "only" : "tuned");
    }
  });

  test("is as it would be without choices where there are none for it", () => {
    const other = lastCandidates();
    const [first] = Object.keys(other.algorithms!);
    for (const choices of [
      {},
      { algorithms: {} },
      { algorithms: { nonsense: ["conv_direct"] } },
      { algorithms: Object.fromEntries(Object.keys(other.algorithms!).map((key) => [key, ["no_such_algorithm"]])) },
      { algorithms: { [first]: ["softmax"] } },
      { plans: { "another graph": { merge: true } } },
    ]) {
      expect(planFor({ choices })).toEqual(planFor());
    }
  });

  test("takes the next that is named where it may not use the first", () => {
    const { problem } = planFor().decisions.find(({ algorithm }) => algorithm === "conv_winograd4")!;
    const choices = { algorithms: { [problem]: ["conv_winograd4", "conv_winograd2", "conv_direct"] } };
    const algorithmOf = (options: PlanOptions) =>
      planFor({ ...options, choices }).decisions.find((each) => each.problem === problem)!.algorithm;
    expect(algorithmOf({})).toBe("conv_winograd4");
    expect(algorithmOf({ tolerance: 1e-5 })).toBe("conv_winograd2");
    expect(algorithmOf({ workspace: false })).toBe("conv_direct");
  });

  test("is made as a whole as is chosen, unless the options say otherwise", () => {
    const choices = (plan: object): Choices => ({ plans: { [planKey(shaped)]: plan } });
    expect(planFor({ choices: choices({ merge: false }) }, wide)).toEqual(planFor({ merge: false }, wide));
    expect(planFor({ choices: choices({ merge: false }) })).toEqual(planFor({ merge: false }));
    expect(planFor({ choices: choices({ workspace: false }) })).toEqual(planFor({ workspace: false }));
    expect(planFor({ choices: choices({ merge: false }), merge: true })).toEqual(planFor());
    expect(planFor({ choices: choices({ workspace: false }), workspace: true })).toEqual(planFor());
    expect(planGraph(inferShapesForBatch(googLeNet(), 2), narrow, { choices: choices({ merge: false }) })).toEqual(
      planGraph(inferShapesForBatch(googLeNet(), 2), narrow),
    );
  });

  test("uses what is chosen for it, before what is chosen for all, and no other does", () => {
    const { algorithms = {} } = lastCandidates();
    const own: Choices = { plans: { [planKey(shaped)]: { algorithms } } };
    const direct = Object.fromEntries(Object.keys(algorithms).map((key) => [key, ["conv_direct"]]));
    expect(planFor({ choices: own })).toEqual(planFor({ choices: { algorithms } }));
    expect(planFor({ choices: { ...own, algorithms: direct } })).toEqual(planFor({ choices: own }));
    const all = inferShapesForBatch(googLeNet({ heads: "all" }), 1);
    expect(planGraph(all, narrow, { choices: own })).toEqual(planGraph(all, narrow));
  });

  test("is another's where the classifiers, the batch size or the precision are others", () => {
    const keyOf = (heads: "main" | "all", batch: number, precision: "f32" | "f16") =>
      planKey(inferShapesForBatch(googLeNet({ heads }), batch), precision);
    expect(keyOf("main", 8, "f32")).toBe("googlenet data 8×3×224×224 → prob f32");
    const keys = [keyOf("main", 8, "f32"), keyOf("all", 8, "f32"), keyOf("main", 1, "f32"), keyOf("main", 8, "f16")];
    expect(new Set(keys).size).toBe(keys.length);
  });

  test("takes as much more memory as it may, and no more than it can use", () => {
    const spare = planFor().arenaBytes;
    const more = planFor({ workspace: 2e6 });
    expect(more.arenaBytes).toBeGreaterThan(spare);
    expect(more.arenaBytes).toBeLessThanOrEqual(spare + 2e6);
    expect(more.steps.length).toBeLessThan(planFor().steps.length);
    expect(planFor({ workspace: 1e9 }).arenaBytes).toBeLessThan(spare + 1e7);
    expect(planFor({ workspace: 0 })).toEqual(planFor());
  });

  test("of any choices computes every layer, in memory that is its own", () => {
    const names = algorithms.map(({ name }) => name);
    const seed = freshSeed();
    const next = uniform(seed);
    for (let turn = 0; turn < 20; turn++) {
      const keys = planFor().decisions.map(({ problem }) => problem);
      const choices = {
        algorithms: Object.fromEntries(keys.map((key) => [key, [names[Math.floor(next() * names.length)]]])),
      };
      const { decisions, steps, macs, arenaBytes, slots } = planFor({ choices });
      expect(decisions.length, `GOOGLENET_TEST_SEED=${seed}`).toBe(keys.length);
      expect(steps.reduce((sum, step) => sum + step.macs, 0)).toBeCloseTo(macs, -1);
      for (const { offset, bytes } of slots) expect(offset + bytes).toBeLessThanOrEqual(arenaBytes);
    }
  });
});

test.each([
  ["no object", "conv_direct"],
  ["a list", []],
  ["an unknown field", { algorithm: {} }],
  ["a name for a list", { algorithms: { key: "conv_direct" } }],
  ["numbers for names", { algorithms: { key: [1] } }],
  ["no plans", { plans: [] }],
  ["a plan of something else", { plans: { key: { fuse: false } } }],
  ["a name for a plan's list", { plans: { key: { algorithms: { key: "conv_direct" } } } }],
  ["half a byte", { plans: { key: { workspace: 0.5 } } }],
  ["less than nothing", { plans: { key: { workspace: -1 } } }],
])("choices that are none are refused: %s", (_, choices) => {
  const graph: Graph = tiny;
  expect(() => planGraph(inferShapesForBatch(graph, 1), narrow, { choices: choices as Choices })).toThrow(
    expect.objectContaining({ code: "usage", subject: "option choices" }) as Error,
  );
});
