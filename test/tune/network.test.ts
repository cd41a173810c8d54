/** Which plan of a network is chosen, and which there are to choose from. */

import { describe, expect, test } from "vitest";
import { googLeNet } from "../../src/graph/googlenet.ts";
import { inferShapesForBatch } from "../../src/graph/graph.ts";
import { defaultLimits } from "../../src/plan/limits.ts";
import { planGraph } from "../../src/plan/planner.ts";
import { choosePlan, networkCandidates } from "../../src/tune/network.ts";

describe("the plan that is chosen", () => {
  const variant = (megabytes: number, microseconds: number) => ({ peakBytes: 1e6 * megabytes, microseconds });

  test.each([
    ["the fastest", [variant(4, 100), variant(4, 80), variant(4, 90)], 1],
    ["the usual one where nothing is clearly faster", [variant(4, 100), variant(4, 99.5)], 0],
    ["the leaner of two that are as fast", [variant(4, 100), variant(9, 50), variant(5, 50.3)], 2],
    ["the larger where memory buys time", [variant(4, 100), variant(9, 50), variant(5, 70)], 1],
    ["the leanest, though the usual one needs more", [variant(9, 100), variant(4, 100)], 1],
  ])("is %s", (_, variants, chosen) => {
    expect(choosePlan(variants)).toBe(chosen);
  });
});

test("the default plan comes first among the candidates, and none comes twice", () => {
  const shaped = inferShapesForBatch(googLeNet(), 1);
  for (const lanes of [8, 32]) {
    const limits = { ...defaultLimits, subgroup: { min: lanes, max: lanes } };
    const candidates = networkCandidates(shaped, { limits, note: expect.unreachable }, {}, {});
    expect(candidates[0]).toMatchObject({ tuned: false, choice: {} });
    expect(candidates[0].plan).toEqual(planGraph(shaped, limits));
    expect(new Set(candidates.map(({ plan }) => JSON.stringify([plan.steps, plan.slots]))).size).toBe(
      candidates.length,
    );
    expect(candidates.length).toBeGreaterThan(3);
  }
});

test("a plan that does not fit the device is left out with a note, the default one is an error", () => {
  const shaped = inferShapesForBatch(googLeNet(), 8);
  const limits = { ...defaultLimits, subgroup: { min: 8, max: 8 } };
  const { arenaBytes } = planGraph(shaped, limits);
  const notes: string[] = [];
  const note = (text: string) => notes.push(text);
  const exact = { ...limits, maxBufferSize: arenaBytes };
  const candidates = networkCandidates(shaped, { limits: exact, note }, {}, {});
  expect(candidates[0]).toMatchObject({ tuned: false, choice: {} });
  expect(candidates.length).toBeGreaterThan(1);
  expect(notes).toContainEqual(expect.stringMatching(/^the tuned plan with .*workspace 67108864 is left out: /));
  const tight = { ...limits, maxBufferSize: arenaBytes - 4 };
  expect(() => networkCandidates(shaped, { limits: tight, note }, {}, {})).toThrow(/activations take/);
});
