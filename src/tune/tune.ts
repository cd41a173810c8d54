/**
 * The tuner: finds the fastest algorithm for every problem of a network on the device at hand, and how the network is
 * planned best as a whole. What is not right is never timed.
 */

import { EngineError } from "../errors.ts";
import { inferShapesForBatch, type ShapedGraph } from "../graph/graph.ts";
import type { Model } from "../graph/model.ts";
import { type Choices, planKey, problemKey } from "../plan/choices.ts";
import { imageValues } from "../plan/images.ts";
import type { PlanLimits } from "../plan/limits.ts";
import { partsOf } from "../plan/batches.ts";
import { plannedProblems, type PlanOptions } from "../plan/planner.ts";
import { limitsOf } from "../webgpu/device.ts";
import type { KernelSource } from "../webgpu/kernel_source.ts";
import { checkDevice, checkKernels, checkLimits, checkOptions } from "../webgpu/options.ts";
import { ParameterBuffers } from "../webgpu/parameters.ts";
import { PipelineCache } from "../webgpu/pipelines.ts";
import type { TuningGpu } from "./gpu.ts";
import { networkCandidates, tuneNetwork } from "./network.ts";
import { type PlannedProblem, tuneProblem } from "./problem.ts";
import { choicesOf, type PlanVerdict, type ProblemVerdict, type Verdict } from "./verdict.ts";

/** Where a network is tuned, for which batch sizes, and how it is followed and given up. */
export interface TuneOptions extends Omit<PlanOptions, "fuse" | "merge" | "workspace" | "choices"> {
  /** It stays the caller's. With "timestamp-query" the tuner measures best. */
  readonly device: GPUDevice;
  readonly kernels: KernelSource;
  readonly limits?: PlanLimits;
  /** The batch sizes to tune for: 1 unless given. */
  readonly batches?: readonly number[];
  /** Turns that each candidate gets beside the others: 5 unless given. */
  readonly rounds?: number;
  /**
   * Of the random inputs and weights that candidates are checked with, a whole number from 1: another each time unless
   * given. A candidate's failure names it.
   */
  readonly seed?: number;
  /** Told how many of how many problems and plans are done, and which is next. */
  readonly onProgress?: (done: number, total: number, next: string) => void;
  /** Gives it up: `tune` rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** What tuning comes to. */
export interface Tuning {
  /** For the options of a session, or of `planGraph`. */
  readonly choices: Choices;
  /** What they are made from. */
  readonly verdict: Verdict;
  /** What people should know: candidates that failed their check, say. */
  readonly notes: readonly string[];
  /** The network by default and as chosen, for each batch size. */
  readonly networks: readonly TunedNetwork[];
}

/** The whole network for one batch size, by default and as chosen. */
export interface TunedNetwork {
  readonly batch: number;
  /** Its `planKey`. */
  readonly plan: string;
  /** Of its problems: `problemKey`s, in the order of its layers. */
  readonly problems: readonly string[];
  /** The algorithm that the chosen plan uses for each of them; null where it has no such problem. */
  readonly used: readonly (string | null)[];
  /** Milliseconds from inputs in memory to outputs in memory, in turns; null where the default plan is not right. */
  readonly preferredMs: number | null;
  readonly chosenMs: number;
}

const usualRounds = 5;

/** Nanoseconds of a turn: with timestamps that may be as coarse as 0.1 ms, and with the clock. */
const turns = { stamped: 5e6, clocked: 3e7 };

/**
 * Tunes a model for a device. It takes from seconds to minutes, and the device should do nothing else.
 *
 * Rejects with EngineError "weights", "graph", "out-of-memory" or "device-lost", or with the signal's reason.
 *
 * @example
 * ```ts
 * const { choices } = await tune({ graph, weights }, { device, kernels, batches: [1, 8] });
 * const session = await Session.create(graph, weights, { device, kernels, choices });
 * ```
 */
export async function tune({ graph, weights }: Model, options: TuneOptions): Promise<Tuning> {
  checkTuneOptions(options);
  const { device, kernels, limits = limitsOf(device), batches = [1], rounds = usualRounds } = options;
  const { seed = 1 + Math.floor(Math.random() * 2 ** 30) } = options;
  const { onProgress, signal, ...rest } = options;
  const plan = planOptions(rest);
  const notes: string[] = [];
  const gpu: TuningGpu = {
    device,
    pipelines: new PipelineCache(device, kernels),
    limits,
    timing: {
      rounds,
      turn: device.features.has("timestamp-query") ? turns.stamped : turns.clocked,
      hopeless: 4,
      signal,
    },
    seed,
    note: (text) => notes.push(text),
  };
  const single = inferShapesForBatch(graph, 1);
  const sizes = [...new Set(batches.flatMap((batch) => partsOf(single, limits, batch, plan)))];
  const work = sizes.map((batch) => {
    const shaped = inferShapesForBatch(graph, batch);
    return { batch, shaped, problems: distinctProblems(shaped, limits, plan) };
  });
  // Of plans it is known only later how many there are.
  const usualPlans = 4;
  let total = work.reduce((sum, { problems }) => sum + problems.size + usualPlans, 0);
  let done = 0;
  const progress = (next: string) => onProgress?.(done++, total, next);

  const measured: Record<string, ProblemVerdict> = {};
  const plans: Record<string, PlanVerdict> = {};
  const networks: TunedNetwork[] = [];
  const parameters = new ParameterBuffers(device, weights);
  try {
    for (const { batch, shaped, problems: own } of work) {
      const images = imageValues(graph, batch);
      for (const [key, problem] of own) {
        signal?.throwIfAborted();
        progress(problem.fused.name);
        measured[key] ??= await tuneProblem(gpu, problem, images);
      }
      const problems = Object.fromEntries([...own.keys()].map((key) => [key, measured[key]]));
      const candidates = networkCandidates(shaped, gpu, plan, problems);
      total += candidates.length - usualPlans;
      const found = await tuneNetwork(gpu, shaped, candidates, parameters, () => progress(`batch ${batch}`));
      const { verdict, preferredMs, chosenMs, decisions } = found;
      // Layers that are faster by themselves need not make a faster network. What is wrong by default has to be replaced.
      if (!verdict.variants[verdict.chosen].tuned) {
        for (const [key, problem] of Object.entries(problems)) {
          if (!preferredFailed(problem)) problems[key] = { ...problem, ranking: [] };
        }
      }
      const key = planKey(shaped, plan.precision);
      plans[key] = { problems, ...verdict };
      const used = [...own.keys()].map((each) => decisions.find(({ problem }) => problem === each)?.algorithm ?? null);
      networks.push({ batch, plan: key, problems: [...own.keys()], used, preferredMs, chosenMs });
    }
  } finally {
    parameters.dispose();
  }
  onProgress?.(total, total, "");
  const verdict = { plans };
  return { choices: choicesOf(verdict), verdict, notes, networks };
}

function preferredFailed({ preferred, candidates }: ProblemVerdict): boolean {
  return candidates.some(({ algorithm, failure }) => algorithm === preferred && failure !== undefined);
}

/** @throws EngineError "usage" */
function checkTuneOptions(options: TuneOptions): void {
  checkOptions(options, {
    onProgress: "callback",
    rounds: "count",
    seed: "count",
    signal: "signal",
    tolerance: "fraction",
  });
  checkDevice(options.device, "give a GPUDevice");
  checkKernels(options.kernels);
  checkLimits(options.limits);
  const { batches = [1] } = options;
  if (!Array.isArray(batches) || batches.length === 0) {
    throw new EngineError("usage", "option batches", "they are no list of batch sizes", "give some, [1, 8] say");
  }
  for (const batch of batches as unknown[]) checkOptions({ batch }, { batch: "count" });
}

/** What of the options is about planning. */
function planOptions(options: Omit<TuneOptions, "onProgress" | "signal">): PlanOptions {
  const own: readonly (keyof TuneOptions)[] = ["device", "kernels", "limits", "batches", "rounds", "seed"];
  return Object.fromEntries(Object.entries(options).filter(([name]) => !own.includes(name as keyof TuneOptions)));
}

/** Every problem that a plan of the graph may have, convolutions merged or not, each once. */
function distinctProblems(shaped: ShapedGraph, limits: PlanLimits, options: PlanOptions): Map<string, PlannedProblem> {
  const problems = new Map<string, PlannedProblem>();
  for (const merge of [{}, { merge: false }, { merge: true }]) {
    for (const planned of plannedProblems(shaped, limits, { ...options, ...merge })) {
      const key = problemKey(planned.problem);
      if (!problems.has(key)) problems.set(key, planned);
    }
  }
  return problems;
}
