/** A thread's own CPU time, while other threads and processes keep all cores busy. */

import { spawn } from "node:child_process";
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openThreadClock } from "../../src/bench/thread-clock.ts";
import { median } from "../../src/tune/statistics.ts";

const { kind } = openThreadClock();

/** So many steps as take some milliseconds. */
function compute(steps: number): void {
  let sum = 0;
  for (let step = 0; step < steps; step++) sum += Math.sqrt(step);
  if (Number.isNaN(sum)) throw new Error("never; what nobody looks at would not be computed");
}

/** Milliseconds a step on a core of one's own: the least of many times, too short to be interrupted in all of them. */
function leastTimeOfStep(): number {
  const steps = 50_000;
  compute(100 * steps);
  const times = Array.from({ length: 100 }, () => {
    const start = performance.now();
    compute(steps);
    return performance.now() - start;
  });
  return Math.min(...times) / steps;
}

const cell = new Int32Array(new SharedArrayBuffer(4));

describe.skipIf(kind === "bound")("a thread's own time (needs Linux, or Node.js 24)", () => {
  const ends: (() => unknown)[] = [];
  beforeAll(() => {
    for (let core = 0; core < availableParallelism(); core++) {
      const child = spawn(process.execPath, ["-e", "for (;;);"]);
      ends.push(() => child.kill("SIGKILL"));
    }
    const thread = new Worker("for (;;);", { eval: true });
    ends.push(() => thread.terminate());
  });
  afterAll(() => Promise.all(ends.map((end) => end())));

  // A clock that is wrong is wrong every time, a machine that other tests keep busy is not.
  test.each([0.3, 1, 5])("of %f ms is told, whoever else computes", { retry: 2 }, (milliseconds) => {
    using clock = openThreadClock();
    const steps = Math.round(milliseconds / leastTimeOfStep());
    const told = median(Array.from({ length: 25 }, () => clock.cpuTime(() => compute(steps))));
    // Caches that others fill and cores that two share slow it down, too.
    expect(told).toBeGreaterThan(0.8 * milliseconds);
    expect(told).toBeLessThan(1.8 * milliseconds);
  });

  test("holds neither waiting nor what other threads do meanwhile", () => {
    using clock = openThreadClock();
    expect(clock.cpuTime(() => Atomics.wait(cell, 0, 0, 300))).toBeLessThan(5);
  });

  test("of nothing is next to nothing", { retry: 2 }, () => {
    using clock = openThreadClock();
    const told = median(Array.from({ length: 25 }, () => clock.cpuTime(() => undefined)));
    expect(told).toBeLessThan(0.1);
  });
});

test("is bounded where nothing tells it", () => {
  using clock = openThreadClock("bound");
  expect(clock.kind).toBe("bound");
  expect(clock.cpuTime(() => compute(1e6))).toBeGreaterThan(0);
});
