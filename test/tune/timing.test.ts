/** Timing in turns, of candidates whose times are known. */

import { describe, expect, test } from "vitest";
import { timeInTurns } from "../../src/tune/timing.ts";

/** Candidates that take these nanoseconds for each repetition, and a record of who was asked for how many. */
function candidatesOf(...times: (number | ((call: number) => number))[]) {
  const calls: { who: number; repetitions: number }[] = [];
  const candidates = times.map((time, who) => ({
    measure(repetitions: number): Promise<number> {
      const call = calls.filter((each) => each.who === who).length;
      calls.push({ who, repetitions });
      return Promise.resolve(repetitions * (typeof time === "number" ? time : time(call)));
    },
  }));
  return { candidates, calls };
}

const options = { rounds: 5, turn: 1000, hopeless: 4 };

describe("timing in turns", () => {
  test("gives the median of each, for one repetition", async () => {
    const { candidates } = candidatesOf(100, (call) => [300, 300, 100, 900, 200, 210, 220][call]);
    expect(await timeInTurns(candidates, options)).toEqual([100, 210]);
  });

  test("gives turns in rounds, with repetitions for what is short", async () => {
    const { candidates, calls } = candidatesOf(100, 250);
    await timeInTurns(candidates, options);
    const turns = calls.slice(-10);
    expect(turns.map(({ who }) => who)).toEqual([0, 1, 0, 1, 0, 1, 0, 1, 0, 1]);
    expect(turns.slice(0, 2).map(({ repetitions }) => repetitions)).toEqual([10, 4]);
  });

  test("gives none to the hopelessly slow, but for the first, and runs them no more than once", async () => {
    const { candidates, calls } = candidatesOf(50_000, 1000, 90_000);
    const [first, second, third] = await timeInTurns(candidates, options);
    expect([first, second, third]).toEqual([50_000, 1000, null]);
    expect(calls.filter(({ who }) => who === 2)).toHaveLength(1);
  });

  test("forgives a first run that was disturbed", async () => {
    const { candidates } = candidatesOf(1000, (call) => (call === 0 ? 9000 : 1000));
    expect(await timeInTurns(candidates, options)).toEqual([1000, 1000]);
  });

  test("takes clocks that have not ticked", async () => {
    const { candidates, calls } = candidatesOf(0, 0);
    expect(await timeInTurns(candidates, options)).toEqual([0, 0]);
    expect(Math.max(...calls.map(({ repetitions }) => repetitions))).toBe(1000);
  });

  test("is given up by its signal", async () => {
    const abort = new AbortController();
    const { candidates, calls } = candidatesOf(100, () => {
      abort.abort(new Error("enough"));
      return 100;
    });
    await expect(timeInTurns(candidates, { ...options, signal: abort.signal })).rejects.toThrow("enough");
    expect(calls.length).toBeLessThan(6);
  });
});
