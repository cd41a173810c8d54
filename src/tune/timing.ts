/** Timing of candidates in turns, so that what slows the device down for a while slows all of them. */

import { median } from "./statistics.ts";

/** What is timed: runs its work so many times over, and gives the nanoseconds that this took. */
export interface TimedCandidate {
  measure(repetitions: number): Promise<number>;
}

export interface KernelTimingOptions {
  /** Turns of each candidate. */
  readonly rounds: number;
  /** Nanoseconds that a turn takes at least: a clock's tick must be little of it. */
  readonly turn: number;
  /** A candidate that is as many times slower than the fastest gets no turns, unless it is the first one. */
  readonly hopeless: number;
  readonly signal?: AbortSignal | undefined;
}

/** More repetitions in one submission would keep others from the device. */
const mostRepetitions = 1000;

/** A run takes this many times longer at most where something else gets in its way. */
const disturbed = 3;

/** The median nanoseconds of each candidate's work; null for those that are hopelessly slow. */
export async function timeInTurns(
  candidates: readonly TimedCandidate[],
  { rounds, turn, hopeless, signal }: KernelTimingOptions,
): Promise<(number | null)[]> {
  const once: number[] = [];
  let fastest = Infinity;
  for (const candidate of candidates) {
    signal?.throwIfAborted();
    let time = await candidate.measure(1);
    // A run may be disturbed, and the very first pays for what drivers put off until then; but there is a limit.
    if (time < disturbed * hopeless * fastest + turn) time = Math.min(time, await candidate.measure(1));
    fastest = Math.min(fastest, time);
    once.push(time);
  }
  const racing = candidates.flatMap((candidate, index) =>
    index > 0 && once[index] > hopeless * fastest + turn / 10 ? [] : [{ candidate, index, times: [] as number[] }],
  );
  for (let round = 0; round < rounds; round++) {
    for (const { candidate, index, times } of racing) {
      signal?.throwIfAborted();
      // What a tick of the clock hides takes some repetitions to show.
      const repetitions = Math.min(Math.max(Math.ceil(turn / Math.max(once[index], 1)), 1), mostRepetitions);
      times.push((await candidate.measure(repetitions)) / repetitions);
    }
  }
  const medians: (number | null)[] = candidates.map(() => null);
  for (const { index, times } of racing) medians[index] = median(times);
  return medians;
}
