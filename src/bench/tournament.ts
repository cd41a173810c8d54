/**
 * Measures engines beside each other: first each one's settings are tried and its output checked, which also warms
 * the driver's cache; then come rounds, in each of which every engine gets a process of its own, one alive at a time.
 */

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Contestant } from "./contestants.ts";
import type { Job, JobFiles, Precision, Report, Settings } from "./job.ts";
import type { OwnFigures } from "./own-figures.ts";
import { runWorker, WorkerFailure, type WorkerResult } from "./run-worker.ts";
import { median, quantile } from "../tune/statistics.ts";
import { float16Tolerances, widestTolerances } from "../verify/compare.ts";

/**
 * The largest difference of a probability from the reference that passes, for all engines alike: what fast
 * convolution algorithms, or float16, may cost.
 */
export const PEER_TOLERANCE: Readonly<Record<Precision, number>> = {
  f32: widestTolerances.probability,
  f16: float16Tolerances.probability,
};

export interface TournamentOptions {
  /** For jobs' files; exists. */
  readonly folder: string;
  readonly files: JobFiles;
  readonly batch: number;
  readonly precision: Precision;
  readonly unsafe: boolean;
  readonly adapter: string | null;
  readonly rounds: number;
  readonly warmups: number;
  /** For each engine over all rounds. */
  readonly runs: number;
  readonly seconds: number;
  readonly signal: AbortSignal;
  /** Told before each worker. */
  readonly onProgress?: (done: number, total: number, who: string) => void;
  /** For tests. */
  readonly run?: typeof runWorker;
}

/** An engine's case; times in milliseconds. */
export interface MeasuredCase {
  readonly engine: Contestant["engine"];
  readonly backend: Contestant["backend"];
  readonly mode: string | null;
  /** Null where the engine does not say. */
  readonly adapter: string | null;
  readonly precision: Precision;
  readonly batch: number;
  readonly medianMs: number;
  readonly minMs: number;
  readonly p95Ms: number;
  readonly maxMs: number;
  /** The middle half's width over the median. */
  readonly spread: number;
  readonly imagesPerSecond: number;
  /** The median without the copy back; null where the engine can't wait for the device alone. */
  readonly medianNoReadbackMs: number | null;
  /** With several batches in flight; null where the engine takes one after another. */
  readonly imagesPerSecondInFlight: number | null;
  readonly inFlight: number | null;
  /** From the start of the process to the first probabilities, driver cache warm: median and least of the rounds. */
  readonly coldMs: number;
  readonly coldMinMs: number;
  /** Whether the output of every run of every round was within tolerance of the reference. */
  readonly checked: boolean;
  /** Not a number where an output was not. */
  readonly maxAbsError: number;
  readonly settings: Settings;
  /** Of the settings that were tried the best time of each, null where it failed or was wrong. */
  readonly tried: readonly { readonly settings: Settings; readonly minMs: number | null }[];
  readonly versions: Readonly<Record<string, string>>;
  readonly rounds: number;
  /** Timed runs of all rounds. */
  readonly runs: number;
  /** Untimed runs of every round, the first among them. */
  readonly warmups: number;
  readonly roundMediansMs: readonly number[];
  /** Of this engine alone, measured after the rounds. */
  readonly own?: OwnFigures;
}

/** Whether it is this engine as it was asked for, not another precision that runs beside it. */
export function isOwn({ engine, mode }: Pick<MeasuredCase, "engine" | "mode">): boolean {
  return engine === "googlenet-wgsl" && mode === null;
}

export interface Failure {
  readonly engine: Contestant["engine"];
  readonly mode: string | null;
  readonly batch: number;
  readonly settings: Settings;
  readonly reason: string;
}

export interface TournamentResult {
  readonly cases: readonly MeasuredCase[];
  readonly failures: readonly Failure[];
}

/** Runs of each of an engine's settings before the rounds. */
const TRIAL_RUNS = 3;
/** Settings whose best time is within this factor of the best of all are tried again. */
const CLOSE = 1.5;
/** Loading, compiling and tuning, PyTorch's among them, on a slow machine. */
const PATIENCE_SECONDS = 600;

type Work = Pick<Job, "runs" | "seconds" | "brief">;

interface Entry {
  readonly contestant: Contestant;
  readonly settings: Settings;
  readonly tried: MeasuredCase["tried"];
  /** Those of the chosen settings. */
  readonly trials: readonly WorkerResult[];
  readonly rounds: WorkerResult[];
}

/** Settings that were tried, and how it went; no result where it failed. */
interface Trial {
  readonly settings: Settings;
  readonly results: WorkerResult[];
}

/** Measures one batch size. Engines that fail are left out of the cases and named in the failures. */
export async function runTournament(
  contestants: readonly Contestant[],
  options: TournamentOptions,
): Promise<TournamentResult> {
  const { rounds, batch, onProgress } = options;
  const failures: Failure[] = [];
  let done = 0;
  let total = contestants.reduce((sum, { variants }) => sum + variants.length + rounds, 0);
  const attempt = async (contestant: Contestant, settings: Settings, work: Work) => {
    onProgress?.(done, total, [contestant.engine, contestant.mode].filter(Boolean).join(" "));
    try {
      return await startWorker(contestant, settings, work, options);
    } catch (error) {
      if (!(error instanceof WorkerFailure)) throw error;
      failures.push({ engine: contestant.engine, mode: contestant.mode, batch, settings, reason: error.message });
      return null;
    } finally {
      done++;
    }
  };

  const entries: Entry[] = [];
  const trialWork = { runs: TRIAL_RUNS, seconds: options.seconds, brief: true };
  for (const contestant of contestants) {
    const trials: Trial[] = [];
    for (const settings of contestant.variants) {
      trials.push({ settings, results: await results(attempt(contestant, settings, trialWork)) });
    }
    // What was slow may have been disturbed: the close ones get a second chance.
    const best = Math.min(...trials.map(speed));
    const close = trials.filter(({ results }) => results.length > 0).filter((trial) => speed(trial) <= CLOSE * best);
    if (close.length > 1) {
      total += close.length;
      for (const trial of close) trial.results.push(...(await results(attempt(contestant, trial.settings, trialWork))));
    }
    const entry = bestEntry(contestant, trials, contestant.precision ?? options.precision);
    if (entry) entries.push(entry);
    else total -= rounds;
  }
  let playing = entries;
  for (let round = 1; round <= rounds; round++) {
    for (const entry of playing) {
      const work = { runs: Math.ceil(options.runs / rounds), seconds: options.seconds / rounds, brief: false };
      const result = await attempt(entry.contestant, entry.settings, work);
      if (result) {
        entry.rounds.push(result);
      } else {
        playing = playing.filter((other) => other !== entry);
        total -= rounds - round;
      }
    }
  }
  return { cases: playing.map((entry) => summarise(entry, options)), failures };
}

async function startWorker(
  contestant: Contestant,
  settings: Settings,
  work: Work,
  { folder, files, batch, precision, unsafe, adapter, warmups, signal, run = runWorker }: TournamentOptions,
): Promise<WorkerResult> {
  const { module } = contestant;
  // The first run, which is timed apart, is a warm-up as well.
  const job: Job = { module, settings, batch, precision, unsafe, adapter, files, warmups: warmups - 1, ...work };
  const jobFile = join(folder, "job.json");
  await writeFile(jobFile, JSON.stringify(job));
  // Every run must be able to take as long as the slowest engine's.
  return run(contestant, jobFile, { signal, timeoutSeconds: PATIENCE_SECONDS + 4 * work.seconds });
}

async function results(attempt: Promise<WorkerResult | null>): Promise<WorkerResult[]> {
  const result = await attempt;
  return result ? [result] : [];
}

/** The best time of the trials; infinite where there is none. */
function speed({ results }: Trial): number {
  return Math.min(...results.flatMap(({ report }) => report.times));
}

/** The fastest of the settings whose output was right; where none was, the fastest that ran. */
function bestEntry(contestant: Contestant, trials: readonly Trial[], precision: Precision): Entry | null {
  const isUsable = ({ results }: Trial) => results.every(({ report }) => isRight(report, precision));
  const ran = trials.filter((trial) => trial.results.length > 0);
  const right = ran.filter(isUsable);
  const [best] = (right.length > 0 ? right : ran).toSorted((a, b) => speed(a) - speed(b));
  if (!best) return null;
  const tried = trials.map((trial) => {
    const minMs = speed(trial);
    return { settings: trial.settings, minMs: Number.isFinite(minMs) && isUsable(trial) ? minMs : null };
  });
  return { contestant, settings: best.settings, tried, trials: best.results, rounds: [] };
}

function isRight({ maxAbsError }: Report, precision: Precision): boolean {
  return maxAbsError !== null && maxAbsError <= PEER_TOLERANCE[precision];
}

function summarise(
  { contestant, settings, tried, trials, rounds }: Entry,
  { batch, warmups, ...options }: TournamentOptions,
): MeasuredCase {
  const { engine, backend, mode, precision = options.precision } = contestant;
  const reports = rounds.map(({ report }) => report);
  const times = reports.flatMap((report) => report.times);
  const withoutReadback = reports.flatMap(({ timesWithoutReadback }) => timesWithoutReadback ?? []);
  const inFlight = reports.flatMap((report) => report.inFlight ?? []);
  const colds = rounds.map(({ coldMs }) => coldMs);
  const medianMs = median(times);
  const errors = [...trials.map(({ report }) => report), ...reports].map(({ maxAbsError }) => maxAbsError ?? NaN);
  const maxAbsError = Math.max(...errors);
  return {
    engine,
    backend,
    mode,
    adapter: reports[0].adapter,
    precision,
    batch,
    medianMs,
    minMs: Math.min(...times),
    p95Ms: quantile(times, 0.95),
    maxMs: Math.max(...times),
    spread: (quantile(times, 0.75) - quantile(times, 0.25)) / medianMs,
    imagesPerSecond: (1000 * batch) / medianMs,
    medianNoReadbackMs: withoutReadback.length > 0 ? median(withoutReadback) : null,
    imagesPerSecondInFlight: inFlight.length > 0 ? median(inFlight.map((each) => each.imagesPerSecond)) : null,
    inFlight: inFlight[0]?.depth ?? null,
    coldMs: median(colds),
    coldMinMs: Math.min(...colds),
    checked: maxAbsError <= PEER_TOLERANCE[precision],
    maxAbsError,
    settings,
    tried,
    versions: reports[0].versions,
    rounds: rounds.length,
    runs: times.length,
    warmups,
    roundMediansMs: reports.map((report) => median(report.times)),
  };
}
