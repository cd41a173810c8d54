/** The timing of one engine: the same loop for all of them. */

import type { OpenEngine, Report } from "./job.ts";

/** Fewer say nothing. */
const LEAST_RUNS = 3;
/** Batches with many in flight, for every one that may be. */
const IN_FLIGHT_ROUNDS = 8;

export interface TimingOptions {
  readonly inputs: readonly Float32Array[];
  /** What should come out for each input, or what finds that out: asked once the engine has proved that it runs. */
  readonly expected: readonly Float32Array[] | (() => Promise<readonly Float32Array[]>);
  readonly batch: number;
  readonly warmups: number;
  readonly runs: number;
  readonly seconds: number;
  readonly brief: boolean;
  /** Called when the first probabilities are in main memory. */
  readonly onFirst: () => void;
  /** Told after each timed run which share of them is done. */
  readonly onProgress?: (share: number) => void;
  readonly signal?: AbortSignal;
}

/** Runs the inputs in turn, compares every output with what is expected, and times all runs after the warm-ups. */
export async function timeEngine(engine: OpenEngine, options: TimingOptions): Promise<Report> {
  const { batch, warmups, brief, onFirst } = options;
  const inputs = options.inputs.map((input) => engine.prepare(input));
  let maxAbsError = 0;
  const check = (output: Float32Array, turn: number) => {
    maxAbsError = Math.max(maxAbsError, largestDifference(output, expected[turn % expected.length]));
  };
  const run = async (turn: number) => {
    const start = performance.now();
    const output = await engine.run(inputs[turn % inputs.length]);
    const milliseconds = performance.now() - start;
    check(output, turn);
    return milliseconds;
  };

  const first = await engine.run(inputs[0]);
  onFirst();
  const expected = typeof options.expected === "function" ? await options.expected() : options.expected;
  check(first, 0);
  for (let warmup = 1; warmup <= warmups; warmup++) await run(warmup);
  const times = await repeat(options, run);
  const timesWithoutReadback =
    engine.runWithoutReadback && !brief
      ? await repeat(options, async (turn) => {
          const start = performance.now();
          await engine.runWithoutReadback!(inputs[turn % inputs.length]);
          return performance.now() - start;
        })
      : null;
  const depth = brief ? 1 : (engine.inFlight ?? 1);
  let inFlight: Report["inFlight"] = null;
  if (depth > 1) {
    const { milliseconds, count } = await stream(engine, inputs, depth, options, check);
    inFlight = { depth, imagesPerSecond: (1000 * batch * count) / milliseconds };
  }
  return {
    adapter: engine.adapter,
    versions: engine.versions,
    times,
    timesWithoutReadback,
    inFlight,
    maxAbsError: Number.isFinite(maxAbsError) ? maxAbsError : null,
  };
}

/** The largest difference; NaN where a value is not a number, infinite where there are too few or too many. */
export function largestDifference(actual: Float32Array, expected: Float32Array): number {
  if (actual.length !== expected.length) return Infinity;
  // Math.max keeps NaN once it has met one.
  return actual.reduce((largest, value, index) => Math.max(largest, Math.abs(value - expected[index])), 0);
}

async function repeat(
  { runs, seconds, signal, onProgress }: TimingOptions,
  run: (turn: number) => Promise<number>,
): Promise<readonly number[]> {
  const times: number[] = [];
  const start = performance.now();
  /** Of the runs, or of the time, whichever is over first. */
  const share = () => Math.max(times.length / runs, (performance.now() - start) / (1000 * seconds));
  while (times.length < runs && (times.length < LEAST_RUNS || share() < 1)) {
    signal?.throwIfAborted();
    times.push(await run(times.length));
    onProgress?.(Math.min(1, share()));
  }
  return times;
}

/** Keeps `depth` runs under way until enough have come back. */
async function stream(
  engine: OpenEngine,
  inputs: readonly unknown[],
  depth: number,
  { seconds }: TimingOptions,
  check: (output: Float32Array, turn: number) => void,
): Promise<{ milliseconds: number; count: number }> {
  const most = depth * IN_FLIGHT_ROUNDS;
  const start = performance.now();
  let begun = 0;
  let count = 0;
  const lane = async () => {
    while (begun < depth || (begun < most && performance.now() - start < 1000 * seconds)) {
      const turn = begun++;
      check(await engine.run(inputs[turn % inputs.length]), turn);
      count++;
    }
  };
  await Promise.all(Array.from({ length: depth }, lane));
  return { milliseconds: performance.now() - start, count };
}
