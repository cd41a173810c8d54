/** What a tuner found out about a device: plain data, to be kept, shown, and made into choices. */

import { EngineError } from "../errors.ts";
import type { Choices, PlanChoice } from "../plan/choices.ts";
import { algorithms } from "../plan/registry.ts";

/** What was measured on a device, and so what is to be chosen there: plain data, for a file. */
export interface Verdict {
  /** By `planKey`. */
  readonly plans: Readonly<Record<string, PlanVerdict>>;
}

/** What was measured of a problem. */
export interface ProblemVerdict {
  /** The first layer that asks for it. */
  readonly layer: string;
  /** The algorithm that is used where nothing was tuned. */
  readonly preferred: string;
  /** The algorithms that should be used, the first one first; none where the network is faster as it is by default. */
  readonly ranking: readonly string[];
  readonly candidates: readonly CandidateVerdict[];
}

/** What was measured of an algorithm on a problem. */
export interface CandidateVerdict {
  readonly algorithm: string;
  /** The median; null where it was wrong, or too slow to be measured beside the others. */
  readonly microseconds: number | null;
  /** Bytes of scratch memory that it takes. */
  readonly scratchBytes: number;
  /** Why it can't be used. */
  readonly failure?: string;
}

/** What was measured of the network as a whole, and of its parts: of no other network, nor of another batch size. */
export interface PlanVerdict {
  /** By `problemKey`, those that any of the variants has. */
  readonly problems: Readonly<Record<string, ProblemVerdict>>;
  /** First the network as it is planned without a verdict, unless that has an algorithm that failed its check. */
  readonly variants: readonly PlanVariant[];
  /** The variant that should be used, as an index. */
  readonly chosen: number;
}

export interface PlanVariant extends Omit<PlanChoice, "algorithms"> {
  /** Whether its layers are computed by the problems' fastest algorithms, or by those that are preferred. */
  readonly tuned: boolean;
  readonly steps: number;
  /** Bytes of activations and scratch memory. */
  readonly peakBytes: number;
  /** The median. */
  readonly microseconds: number;
}

export const emptyVerdict: Verdict = { plans: {} };

/**
 * What two verdicts say together: of a plan that both have, what the second says. Plans of the first that may use an
 * algorithm which has failed its check since are left out.
 */
export function joinVerdicts(first: Verdict, second: Verdict): Verdict {
  const failures = new Set(
    problemsOf(second).flatMap(([key, { candidates }]) =>
      candidates.filter(({ failure }) => failure !== undefined).map(({ algorithm }) => `${algorithm} ${key}`),
    ),
  );
  const stands = (plan: PlanVerdict) =>
    !problemsOf({ plans: { plan } }).some(([key, { ranking }]) =>
      ranking.some((algorithm) => failures.has(`${algorithm} ${key}`)),
    );
  const kept = Object.entries(first.plans).filter(([, plan]) => stands(plan));
  return { plans: { ...Object.fromEntries(kept), ...second.plans } };
}

function problemsOf({ plans }: Verdict): [string, ProblemVerdict][] {
  return Object.values(plans).flatMap(({ problems }) => Object.entries(problems));
}

/** The choices that a verdict comes to. */
export function choicesOf({ plans }: Verdict): Choices {
  return {
    plans: Object.fromEntries(
      Object.entries(plans).map(([key, { problems, variants, chosen }]) => {
        const { merge, workspace } = variants[chosen];
        const choice: PlanChoice = {
          ...(merge !== undefined && { merge }),
          ...(workspace !== undefined && { workspace }),
          algorithms: rankingsOf(problems),
        };
        return [key, choice] as const;
      }),
    ),
  };
}

/** The algorithms that should be used, for the choices of a plan. */
export function rankingsOf(
  problems: Readonly<Record<string, ProblemVerdict>>,
): Readonly<Record<string, readonly string[]>> {
  return Object.fromEntries(
    Object.entries(problems).flatMap(([key, { ranking }]) => (ranking.length > 0 ? [[key, ranking] as const] : [])),
  );
}

/**
 * Reads a verdict from what may be anything.
 *
 * @throws EngineError "check" that says what is wrong with it
 */
export function readVerdict(value: unknown): Verdict {
  const { plans } = fields(value, "verdict", { plans: isRecord });
  for (const plan of Object.values(plans as object)) readPlan(plan);
  return { plans } as unknown as Verdict;
}

function readProblem(value: unknown): void {
  const { preferred, ranking, candidates } = fields(value, "problem", {
    layer: isText,
    preferred: isAlgorithm,
    ranking: Array.isArray,
    candidates: Array.isArray,
  });
  const usable = (candidates as unknown[]).flatMap((candidate) => {
    const { algorithm, microseconds, failure } = fields(candidate, "candidate", {
      algorithm: isAlgorithm,
      microseconds: (time) => time === null || isTime(time),
      scratchBytes: isCount,
      failure: (why) => why === undefined || isText(why),
    });
    return microseconds === null || failure !== undefined ? [] : [algorithm];
  });
  if (!(ranking as unknown[]).every((name) => usable.includes(name))) throw wrong("a ranking", ranking);
  if (!(candidates as CandidateVerdict[]).some(({ algorithm }) => algorithm === preferred)) {
    throw wrong("a preferred algorithm", preferred);
  }
}

function readPlan(value: unknown): void {
  const { problems, variants, chosen } = fields(value, "plan", {
    problems: isRecord,
    variants: Array.isArray,
    chosen: isCount,
  });
  for (const problem of Object.values(problems as object)) readProblem(problem);
  for (const variant of variants as unknown[]) {
    fields(variant, "variant", {
      tuned: isBoolean,
      merge: (merge) => merge === undefined || isBoolean(merge),
      workspace: (workspace) => workspace === undefined || isBoolean(workspace) || isCount(workspace),
      steps: isCount,
      peakBytes: isCount,
      microseconds: isTime,
    });
  }
  if ((chosen as number) >= (variants as unknown[]).length) throw wrong("a plan's variant", chosen);
}

/** An object's fields, each of which has to be what it should be, and no others. */
function fields<T extends string>(
  value: unknown,
  what: string,
  wanted: Readonly<Record<T, (field: unknown) => boolean>>,
): Record<T, unknown> {
  if (!isRecord(value)) throw wrong(`a ${what}`, value);
  const unknown = Object.keys(value).find((name) => !Object.hasOwn(wanted, name));
  if (unknown !== undefined) throw wrong(`a field of a ${what}`, unknown);
  for (const name of Object.keys(wanted) as T[]) {
    if (!wanted[name](value[name])) throw wrong(`a ${what}'s ${name}`, value[name]);
  }
  return value;
}

function wrong(what: string, value: unknown): EngineError {
  const shown = (JSON.stringify(value) ?? "missing").slice(0, 60);
  return new EngineError("check", "verdict", `${what} can't be ${shown}`, "tune again");
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isText(value: unknown): boolean {
  return typeof value === "string";
}

function isBoolean(value: unknown): boolean {
  return typeof value === "boolean";
}

function isAlgorithm(value: unknown): boolean {
  return algorithms.some(({ name }) => name === value);
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isTime(value: unknown): boolean {
  return typeof value === "number" && Number.isFinite(value) && value >= 0;
}
