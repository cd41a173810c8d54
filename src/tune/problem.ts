/** Which algorithm is fastest for one problem, among those that are right. */

import type { ValueId } from "../graph/graph.ts";
import type { FusedNode } from "../plan/fuse.ts";
import type { Algorithm, Problem } from "../plan/kernel.ts";
import { plainTolerance } from "../plan/plan.ts";
import { candidates } from "../plan/registry.ts";
import { EngineError } from "../errors.ts";
import { ParameterBuffers } from "../webgpu/parameters.ts";
import { Program } from "../webgpu/program.ts";
import { compareCase, drawProblem, type ProblemCase } from "./case.ts";
import { attempt, type TuningGpu } from "./gpu.ts";
import { isolate, isolatedPlan, runIsolated } from "./isolated.ts";
import { timeInTurns } from "./timing.ts";
import type { CandidateVerdict, ProblemVerdict } from "./verdict.ts";

/** A problem as a plan has it. */
export interface PlannedProblem {
  readonly fused: FusedNode;
  readonly problem: Problem;
  /** Which is used without tuning. */
  readonly algorithm: Algorithm;
}

/** What is used without tuning stays unless another takes less than this share of its time. */
const convincing = 0.98;

/**
 * Checks every candidate against the CPU reference, then times those that are right in turns.
 *
 * @param images - the graph's values that are made of images which don't look at each other, where there are any
 * @param all - the algorithms to look at, the preferred one first; the registry's candidates unless given
 */
export async function tuneProblem(
  gpu: TuningGpu,
  { fused, problem: planned, algorithm: preferred }: PlannedProblem,
  images: ReadonlySet<ValueId> | undefined,
  all: readonly Algorithm[] = preferredFirst(planned, preferred),
): Promise<ProblemVerdict> {
  const problem = isolate(planned);
  const drawn = drawProblem(fused, problem, images, gpu.seed);
  const parameters = new ParameterBuffers(gpu.device, drawn.weights);
  try {
    const failures = new Map<Algorithm, string>();
    for (const algorithm of all) {
      gpu.timing.signal?.throwIfAborted();
      const failure = await attempt(gpu, () => checkCandidate(gpu, algorithm, problem, drawn, parameters));
      if (failure === undefined) continue;
      const why = failure instanceof EngineError ? failure.message : failure;
      failures.set(algorithm, why);
      gpu.note(`${fused.name}: ${algorithm.name} is left out: ${why}`);
    }
    const right = all.filter((algorithm) => !failures.has(algorithm));
    const times = await timeCandidates(gpu, right, problem, parameters);
    const verdicts = all.map((algorithm): CandidateVerdict => {
      const nanoseconds = times.get(algorithm) ?? null;
      const failure = failures.get(algorithm);
      return {
        algorithm: algorithm.name,
        microseconds: nanoseconds === null ? null : nanoseconds / 1000,
        scratchBytes: (algorithm.scratch?.(planned) ?? []).reduce((sum, bytes) => sum + bytes, 0),
        ...(failure !== undefined && { failure }),
      };
    });
    return {
      layer: fused.name,
      preferred: preferred.name,
      ranking: rank(verdicts, preferred.name),
      candidates: verdicts,
    };
  } finally {
    parameters.dispose();
  }
}

function preferredFirst(problem: Problem, preferred: Algorithm): Algorithm[] {
  return [preferred, ...candidates(problem).filter((algorithm) => algorithm !== preferred)];
}

/** Why the algorithm can't be used: nothing where it is right. */
async function checkCandidate(
  { device, pipelines, seed }: TuningGpu,
  algorithm: Algorithm,
  problem: Problem,
  drawn: ProblemCase,
  parameters: ParameterBuffers,
): Promise<string | undefined> {
  const program = await Program.create(device, isolatedPlan([algorithm], problem), pipelines, parameters);
  try {
    const { output, strayWrites } = await runIsolated(program, algorithm, problem, drawn.inputs);
    if (strayWrites.length > 0) {
      return `it writes where it must not (${strayWrites.slice(0, 3).join(", ")}; seed ${seed})`;
    }
    const tolerance = Math.max(plainTolerance, algorithm.tolerance ?? 0);
    const { pass, maxRel } = compareCase(drawn, output, problem.op, { precision: problem.precision, tolerance });
    return pass ? undefined : `it is off by ${maxRel.toPrecision(2)} of the largest magnitude (seed ${seed})`;
  } finally {
    program.dispose();
  }
}

/** The median nanoseconds of each; none of those that are hopelessly slow. */
async function timeCandidates(
  gpu: TuningGpu,
  algorithms: readonly Algorithm[],
  problem: Problem,
  parameters: ParameterBuffers,
): Promise<Map<Algorithm, number>> {
  if (algorithms.length === 0) return new Map();
  // All in one program, so that they share the memory of the problem's values.
  const plan = { ...isolatedPlan(algorithms, problem), outputs: [] };
  const program = await attempt(gpu, () => Program.create(gpu.device, plan, gpu.pipelines, parameters));
  if (program instanceof EngineError) {
    gpu.note(`${problem.layer}: not timed: ${program.message}`);
    return new Map();
  }
  try {
    const timed = plan.decisions.map((part) => ({
      measure: (repetitions: number) => program.measure(repetitions, part),
    }));
    const medians = await timeInTurns(timed, gpu.timing);
    return new Map(
      algorithms.flatMap((algorithm, index) => {
        const nanoseconds = medians[index];
        return nanoseconds === null ? [] : [[algorithm, nanoseconds] as const];
      }),
    );
  } finally {
    program.dispose();
  }
}

/** Those that were timed, the fastest first; what is preferred anyway needs to be nearly so. */
function rank(verdicts: readonly CandidateVerdict[], preferred: string): string[] {
  const cost = ({ algorithm, microseconds }: CandidateVerdict) =>
    microseconds! * (algorithm === preferred ? convincing : 1);
  return verdicts
    .filter(({ microseconds }) => microseconds !== null)
    .sort((a, b) => cost(a) - cost(b))
    .map(({ algorithm }) => algorithm);
}
