/** How a network should be planned as a whole: with which algorithms, merged or not, with how much scratch memory. */

import { EngineError } from "../errors.ts";
import type { ShapedGraph, ValueId } from "../graph/graph.ts";
import { elementCount, type Tensor } from "../graph/tensor.ts";
import type { Decision, PlanChoice } from "../plan/choices.ts";
import type { Plan } from "../plan/plan.ts";
import { planGraph, type PlanOptions } from "../plan/planner.ts";
import { compareBlob, type Tolerances } from "../verify/compare.ts";
import { fillWithNoise } from "../verify/noise.ts";
import type { ParameterBuffers } from "../webgpu/parameters.ts";
import { Program } from "../webgpu/program.ts";
import { attempt, type TuningGpu } from "./gpu.ts";
import { median } from "./statistics.ts";
import { timeInTurns } from "./timing.ts";
import { type PlanVariant, type PlanVerdict, type ProblemVerdict, rankingsOf } from "./verdict.ts";

/** Bytes of scratch memory an image beyond what values leave free: more than any layer of GoogLeNet can use. */
const ample = 8 * 2 ** 20;

/** A variant has to take less than this share of the time of one that needs less memory, or is the usual one. */
const convincing = 0.99;

/**
 * Every algorithm was checked by itself, more strictly; this is about how they work together, where a mistake is large.
 * Weights may be made up: probabilities of such a network may hang on the last digits.
 */
const beyondRounding: Tolerances = { activation: 0.05, probability: 0.05 };

/** A way to plan the network, and its plan. */
interface Candidate {
  readonly tuned: boolean;
  readonly choice: PlanChoice;
  readonly plan: Plan;
}

export interface NetworkVerdict {
  readonly verdict: Pick<PlanVerdict, "variants" | "chosen">;
  /**
   * Milliseconds from inputs in memory to outputs in memory, in turns: as planned by default (null where that is not
   * right, or hopelessly slow), and as chosen.
   */
  readonly preferredMs: number | null;
  readonly chosenMs: number;
  /** Which algorithms the chosen plan uses. */
  readonly decisions: readonly Decision[];
}

/**
 * The network as it is planned by default, then in all ways that come to a plan of their own, with the problems'
 * fastest. Plans with an algorithm that failed its check are left out: they prove nothing, fast or not. Where no other
 * is left, the default plan is all there is.
 */
export function networkCandidates(
  shaped: ShapedGraph,
  { limits, note }: Pick<TuningGpu, "limits" | "note">,
  options: PlanOptions,
  problems: Readonly<Record<string, ProblemVerdict>>,
): Candidate[] {
  const choices = { algorithms: rankingsOf(problems) };
  const batch = shaped.shapes.get(shaped.graph.inputs[0].name)?.[0] ?? 1;
  const ways: { tuned: boolean; choice: PlanChoice }[] = [{ tuned: false, choice: {} }];
  for (const merge of [undefined, false, true]) {
    for (const workspace of [undefined, false, ample * batch]) {
      const choice = { ...(merge !== undefined && { merge }), ...(workspace !== undefined && { workspace }) };
      ways.push({ tuned: true, choice });
    }
  }
  const seen = new Set<string>();
  const all = ways.flatMap((way): Candidate[] => {
    const plan = planOrNote(way);
    const essence = plan && JSON.stringify([plan.steps, plan.slots]);
    if (!plan || seen.has(essence!)) return [];
    seen.add(essence!);
    return [{ ...way, plan }];
  });
  const right = all.filter((candidate) => {
    const failed = candidate.plan.decisions.find((decision) => hasFailed(decision, problems));
    if (failed) note(`${describe(candidate)} is left out: ${failed.layer}: ${failed.algorithm} failed its check`);
    return !failed;
  });
  return right.length > 0 ? right : all.slice(0, 1);

  /** The plan; nothing where a tuned one, which may want more memory, does not fit the device. */
  function planOrNote({ tuned, choice }: (typeof ways)[number]): Plan | undefined {
    try {
      return planGraph(shaped, limits, { ...options, ...choice, ...(tuned && { choices }) });
    } catch (error) {
      if (!tuned || !(error instanceof EngineError) || error.code !== "out-of-memory") throw error;
      note(`${describe({ tuned, choice })} is left out: ${error.message}`);
      return undefined;
    }
  }
}

function hasFailed({ problem, algorithm }: Decision, problems: Readonly<Record<string, ProblemVerdict>>): boolean {
  if (!Object.hasOwn(problems, problem)) return false;
  return problems[problem].candidates.some((each) => each.algorithm === algorithm && each.failure !== undefined);
}

/** Times the network in all these ways in turns, after checking that each gives what the first one gives. */
export async function tuneNetwork(
  gpu: TuningGpu,
  shaped: ShapedGraph,
  candidates: readonly Candidate[],
  parameters: ParameterBuffers,
  onProgress: () => void,
): Promise<NetworkVerdict> {
  const { rounds, signal } = gpu.timing;
  const inputs = noiseFor(shaped);
  const programs: { candidate: Candidate; program: Program }[] = [];
  try {
    let expected: ReadonlyMap<ValueId, Tensor> | undefined;
    for (const candidate of candidates) {
      signal?.throwIfAborted();
      const made = await attempt(gpu, async () => {
        const program = await Program.create(gpu.device, candidate.plan, gpu.pipelines, parameters);
        programs.push({ candidate, program });
        return program.run(inputs);
      });
      onProgress();
      // Nothing can be held against a plan that is not there.
      if (made instanceof EngineError && !expected) throw made;
      const problem = made instanceof EngineError ? made.message : differs(made, expected, describe(candidates[0]));
      if (problem === undefined) {
        expected ??= made as ReadonlyMap<ValueId, Tensor>;
        continue;
      }
      gpu.note(`${describe(candidate)} is left out: ${problem}`);
      if (programs.at(-1)?.candidate === candidate) programs.pop()!.program.dispose();
    }
    const times = await timeInTurns(
      programs.map(({ program }) => program),
      gpu.timing,
    );
    const variants = programs.flatMap(({ candidate: { tuned, choice, plan }, program }, index) => {
      const nanoseconds = times[index];
      if (nanoseconds === null) return [];
      const { steps, arenaBytes: peakBytes } = plan;
      const variant: PlanVariant = {
        tuned,
        ...choice,
        steps: steps.length,
        peakBytes,
        microseconds: nanoseconds / 1000,
      };
      return [{ variant, program }];
    });
    const usual = variants.findIndex(({ variant }) => !variant.tuned);
    const fastest = choosePlan(variants.map(({ variant }) => variant));
    // What is the same plan is timed once, so that nothing is gained by chance.
    const compared = [...new Set([usual, fastest])].filter((index) => index >= 0).map((index) => variants[index]);
    const walls = compared.map(() => [] as number[]);
    for (let round = 0; round < rounds; round++) {
      for (const [index, { program }] of compared.entries()) {
        signal?.throwIfAborted();
        const start = performance.now();
        await program.run(inputs);
        walls[index].push(performance.now() - start);
      }
    }
    const medians = walls.map(median);
    const preferredMs = usual < 0 ? null : medians[0];
    const fastestMs = medians.at(-1)!;
    // What was faster step by step, and is not from end to end, was not faster but lucky.
    const lucky = preferredMs !== null && fastestMs > preferredMs;
    const chosen = lucky ? usual : fastest;
    return {
      verdict: { variants: variants.map(({ variant }) => variant), chosen },
      preferredMs,
      chosenMs: lucky ? preferredMs : fastestMs,
      decisions: variants[chosen].program.plan.decisions,
    };
  } finally {
    for (const { program } of programs) program.dispose();
  }
}

/** The leanest of the fastest, the usual one first: its index. */
export function choosePlan(variants: readonly Pick<PlanVariant, "peakBytes" | "microseconds">[]): number {
  const best = Math.min(...variants.map(({ microseconds }) => microseconds));
  const order = variants
    .map((variant, index) => ({ ...variant, index }))
    .sort((a, b) => a.peakBytes - b.peakBytes || a.index - b.index);
  return order.find(({ microseconds }) => microseconds * convincing <= best)!.index;
}

function noiseFor({ graph, shapes }: ShapedGraph): Map<ValueId, Float32Array> {
  return new Map(
    graph.inputs.map(({ name }, index) => {
      const data = new Float32Array(elementCount(shapes.get(name)!));
      fillWithNoise(data, index + 1);
      return [name, data];
    }),
  );
}

/** How a plan's outputs differ from those of the first, beyond rounding; nothing where they don't. */
function differs(
  outputs: ReadonlyMap<ValueId, Tensor>,
  expected: ReadonlyMap<ValueId, Tensor> | undefined,
  reference: string,
): string | undefined {
  for (const [id, tensor] of outputs) {
    if (!expected) return undefined;
    const { pass, maxRel } = compareBlob(id, tensor, expected.get(id)!, "activation", beyondRounding);
    if (!pass) return `its ${id} differs from ${reference}'s by ${maxRel.toPrecision(2)} of the largest magnitude`;
  }
  return undefined;
}

/** `the tuned plan with merge true`, say. */
function describe({ tuned, choice }: Pick<Candidate, "tuned" | "choice">): string {
  const settings = Object.entries(choice).map(([name, value]) => `${name} ${String(value)}`);
  return `the ${tuned ? "tuned" : "default"} plan${settings.length > 0 ? ` with ${settings.join(" and ")}` : ""}`;
}
