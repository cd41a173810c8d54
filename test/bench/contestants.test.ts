/** This engine among those that are measured: its settings, and its float32 beside its float16. */

import { expect, test } from "vitest";
import { findContestants } from "../../src/bench/contestants.ts";

const settings = [{ tuning: "/verdicts" }, {}];

test("this engine is tried as tuned and by default", async () => {
  const { contestants, missing } = await findContestants([], "f32", "/dist/bench/worker.js", settings);
  expect(contestants).toMatchObject([{ engine: "googlenet-wgsl", mode: null, variants: settings }]);
  expect(missing).toEqual([]);
});

test("in float16 its float32 is measured beside it", async () => {
  const { contestants } = await findContestants([], "f16", "/dist/bench/worker.js", settings);
  expect(contestants).toMatchObject([
    { engine: "googlenet-wgsl", mode: null, variants: settings },
    {
      engine: "googlenet-wgsl",
      mode: "float32",
      variants: [{ tuning: "/verdicts", precision: "f32" }, { precision: "f32" }],
    },
  ]);
});
