import { describe, expect, test } from "vitest";
import type { OpenEngine } from "../../src/bench/job.ts";
import { largestDifference, timeEngine, type TimingOptions } from "../../src/bench/timing.ts";

const inputs = [Float32Array.of(1), Float32Array.of(2)];
const expected = [Float32Array.of(0.25), Float32Array.of(0.5)];

const options = (changes: Partial<TimingOptions> = {}): TimingOptions => ({
  ...{ inputs, expected, batch: 1, warmups: 2, runs: 5, seconds: 60, brief: false, onFirst: () => undefined },
  ...changes,
});

/** An engine that divides by four, or does what a test wants. */
function engine(changes: Partial<OpenEngine> = {}): OpenEngine & { runs: number } {
  const state = { runs: 0 };
  return {
    adapter: "test",
    versions: {},
    prepare: (input) => input,
    run(input) {
      state.runs++;
      return Promise.resolve((input as Float32Array).map((value) => value / 4));
    },
    close: () => undefined,
    ...changes,
    get runs() {
      return state.runs;
    },
  };
}

describe("timing an engine", () => {
  test("runs once, warms up, then times as many runs as it should", async () => {
    const right = engine();
    const report = await timeEngine(right, options());
    expect(report).toMatchObject({ maxAbsError: 0, timesWithoutReadback: null, inFlight: null });
    expect(report.times).toHaveLength(5);
    expect(right.runs).toBe(1 + 2 + 5);
  });

  test("stops when the seconds are over, but not before three runs", async () => {
    const report = await timeEngine(engine(), options({ seconds: 0, runs: 1000 }));
    expect(report.times).toHaveLength(3);
  });

  test("says when the first result is there, before anything else runs", async () => {
    const right = engine();
    let runsThen = -1;
    await timeEngine(right, options({ onFirst: () => (runsThen = right.runs) }));
    expect(runsThen).toBe(1);
  });

  test("finds out what should come out after the first result, not before", async () => {
    const right = engine();
    let runsThen = -1;
    const late = () => {
      runsThen = right.runs;
      return Promise.resolve(expected);
    };
    const first = () => expect(runsThen).toBe(-1);
    expect(await timeEngine(right, options({ expected: late, onFirst: first }))).toMatchObject({ maxAbsError: 0 });
    expect(runsThen).toBe(1);
  });

  test("tells how far it is, and is given up by a signal", async () => {
    const shares: number[] = [];
    await timeEngine(engine(), options({ runs: 4, onProgress: (share) => shares.push(share) }));
    expect(shares).toEqual([0.25, 0.5, 0.75, 1]);
    const controller = new AbortController();
    const right = engine();
    const { signal } = controller;
    const timing = timeEngine(right, options({ signal, onProgress: () => controller.abort(new Error("enough")) }));
    await expect(timing).rejects.toThrow("enough");
    expect(right.runs).toBe(1 + 2 + 1);
  });

  test("notices results that are left over from the input before", async () => {
    let before = Float32Array.of(0.25);
    const stale = engine({
      run(input) {
        const output = before;
        before = (input as Float32Array).map((value) => value / 4);
        return Promise.resolve(output);
      },
    });
    expect((await timeEngine(stale, options())).maxAbsError).toBe(0.25);
  });

  test.each([
    ["a value that is not a number", Float32Array.of(NaN)],
    ["too few values", Float32Array.of()],
  ])("has no error to report for %s", async (_, output) => {
    const wrong = engine({ run: () => Promise.resolve(output) });
    expect((await timeEngine(wrong, options())).maxAbsError).toBeNull();
  });

  test("times runs without the copy back, and batches in flight, where the engine can", async () => {
    let most = 0;
    let underWay = 0;
    const concurrent = engine({
      async run(input) {
        most = Math.max(most, ++underWay);
        await new Promise((resolve) => setTimeout(resolve, 1));
        underWay--;
        return (input as Float32Array).map((value) => value / 4);
      },
      runWithoutReadback: () => Promise.resolve(),
      inFlight: 4,
    });
    const report = await timeEngine(concurrent, options());
    expect(report.timesWithoutReadback).toHaveLength(5);
    expect(report.inFlight).toMatchObject({ depth: 4 });
    expect(report.inFlight?.imagesPerSecond).toBeGreaterThan(0);
    expect({ most, error: report.maxAbsError }).toEqual({ most: 4, error: 0 });
  });

  test("leaves these out when it is to be brief", async () => {
    const report = await timeEngine(
      engine({ runWithoutReadback: () => Promise.reject(new Error("called")), inFlight: 4 }),
      options({ brief: true }),
    );
    expect(report).toMatchObject({ timesWithoutReadback: null, inFlight: null });
  });
});

test("the largest difference is not a number where a value is not", () => {
  expect(largestDifference(Float32Array.of(1, NaN, 3), Float32Array.of(1, 2, 3))).toBeNaN();
  expect(largestDifference(Float32Array.of(1, 2.5), Float32Array.of(1, 2))).toBe(0.5);
  expect(largestDifference(Float32Array.of(1), Float32Array.of(1, 2))).toBe(Infinity);
});
