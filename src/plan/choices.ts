/**
 * Choices as plain data: which algorithm computes which problem, and how a graph is planned as a whole, as a tuner found
 * it out on some device. Where nothing is chosen, or what is chosen can't be used, the defaults serve.
 */

import { EngineError } from "../errors.ts";
import type { ShapedGraph } from "../graph/graph.ts";
import { formatShape } from "../graph/tensor.ts";
import type { Algorithm, Problem } from "./kernel.ts";
import type { View } from "./plan.ts";
import type { Precision } from "./precision.ts";
import { candidates } from "./registry.ts";

/** Which algorithms a plan uses where it may choose: plain data, of `tune` or of a file. */
export interface Choices {
  /** For any graph; `tune` gives none, since what is fastest in one network slows another. */
  readonly algorithms?: AlgorithmChoices;
  /** For graphs with their inputs' shapes and outputs, by `planKey`, what the options leave open. */
  readonly plans?: Readonly<Record<string, PlanChoice>>;
}

/**
 * For problems, by `problemKey`, names of algorithms, the one to be used first; those behind it serve where the plan
 * may not use it, for its rounding or its scratch memory.
 */
export type AlgorithmChoices = Readonly<Record<string, readonly string[]>>;

/** How a graph is planned as a whole: see the options of the same names. */
export interface PlanChoice {
  readonly merge?: boolean;
  readonly workspace?: boolean | number;
  /** For this graph's problems, before those for any graph. */
  readonly algorithms?: AlgorithmChoices;
}

/** Which algorithm computes a layer, and why. */
export interface Decision {
  /** The layer, as its steps are called. */
  readonly layer: string;
  /** Its `problemKey`. */
  readonly problem: string;
  readonly algorithm: string;
  /** `tuned`: the choices say so; `preferred`: the algorithms themselves; `only`: there was no other. */
  readonly reason: "tuned" | "preferred" | "only";
  /** All that the plan could have used, in the order in which they are preferred without choices. */
  readonly candidates: readonly string[];
  /** The first of its steps, and how many there are. */
  readonly firstStep: number;
  readonly steps: number;
}

/** Fields of a problem that say where it stands: in a graph, in memory, on a device. */
const placeOfProblem: readonly (keyof Problem)[] = ["layer", "restLayers", "limits", "scratchBudget"];
const placeOfView: readonly (keyof View)[] = ["slot", "offset", "stride", "parameter"];

/** What a problem is, wherever it stands: the same text for problems that ask for the same computation. */
export function problemKey(problem: Problem): string {
  const { inputs, output, rest, ...others } = omit(problem, placeOfProblem) as Problem;
  const shapes = {
    inputs: inputs.map((view) => omit(view, placeOfView)),
    output: omit(output, placeOfView),
    ...(rest && { rest: omit(rest, placeOfView) }),
  };
  return JSON.stringify({ ...others, ...shapes }, canonically);
}

/** A graph with its inputs' shapes, its outputs and what it is stored as, `googlenet data 8×3×224×224 → prob f32`. */
export function planKey(
  { graph, shapes }: Pick<ShapedGraph, "graph" | "shapes">,
  precision: Precision = "f32",
): string {
  const inputs = graph.inputs.map(({ name }) => `${name} ${formatShape(shapes.get(name)!)}`);
  return [graph.name, ...inputs, "→", ...graph.outputs, precision].join(" ");
}

function omit<T extends object>(value: T, fields: readonly (keyof T)[]): object {
  return Object.fromEntries(Object.entries(value).filter(([field]) => !fields.includes(field as keyof T)));
}

/** Fields in the order of their names, and numbers that JSON doesn't have as strings. */
function canonically(_: string, value: unknown): unknown {
  if (typeof value === "number" && !Number.isFinite(value)) return String(value);
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** What a plan may use. */
export interface Allowance {
  /** In parts of a value's largest magnitude. */
  readonly tolerance: number;
  /** Whether algorithms may need scratch memory where others need none. */
  readonly workspace: boolean;
  readonly algorithms: AlgorithmChoices;
}

/** The algorithms that a plan may use for the problem, in the order in which they are preferred. */
export function allowedCandidates(
  problem: Problem,
  { tolerance, workspace }: Pick<Allowance, "tolerance" | "workspace">,
): readonly Algorithm[] {
  const allowed = candidates(problem).filter((algorithm) => (algorithm.tolerance ?? 0) <= tolerance);
  if (workspace) return allowed;
  const lean = allowed.filter((algorithm) => (algorithm.scratch?.(problem) ?? []).length === 0);
  return lean.length > 0 ? lean : allowed;
}

/** Picks a problem's algorithm: the first allowed one that the choices name, else the preferred one. */
export function chooseAlgorithm(
  problem: Problem,
  allowance: Allowance,
):
  | (Pick<Decision, "reason"> & { readonly algorithm: Algorithm; readonly candidates: readonly Algorithm[] })
  | undefined {
  const allowed = allowedCandidates(problem, allowance);
  const [preferred] = allowed;
  if (!preferred) return undefined;
  const names = own(allowance.algorithms, problemKey(problem)) ?? [];
  const chosen = names.map((name) => allowed.find((algorithm) => algorithm.name === name)).find(Boolean);
  const reason = allowed.length === 1 ? "only" : chosen ? "tuned" : "preferred";
  return { algorithm: chosen ?? preferred, candidates: allowed, reason };
}

/** What the choices say of the graph as a whole and of its problems. */
export function planChoiceFor(
  shaped: Pick<ShapedGraph, "graph" | "shapes">,
  precision: Precision,
  choices: Choices | undefined,
): PlanChoice & { readonly algorithms: AlgorithmChoices } {
  const choice = (choices?.plans && own(choices.plans, planKey(shaped, precision))) ?? {};
  return { ...choice, algorithms: { ...choices?.algorithms, ...choice.algorithms } };
}

function own<T>(record: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}

/** @throws EngineError "usage" where it is not what `Choices` says; names that no algorithm has are no error */
export function checkChoices(value: unknown): asserts value is Choices {
  const fail = (problem: string): never => {
    throw new EngineError("usage", "option choices", problem, "give what `tune` gave, or leave it out");
  };
  if (!isRecord(value)) return fail("they are no object");
  const { algorithms = {}, plans = {}, ...others } = value;
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) return fail(`they have an unknown field ${unknown}`);
  if (!isRecord(algorithms)) return fail("their algorithms are no object");
  if (!areAlgorithmChoices(algorithms)) return fail("their algorithms are not lists of names");
  if (!isRecord(plans)) return fail("their plans are no object");
  for (const plan of Object.values(plans)) {
    if (!isRecord(plan) || !isPlanChoice(plan)) return fail("their plans are not of merge, workspace and algorithms");
  }
}

function isPlanChoice({ merge, workspace, algorithms, ...others }: Record<string, unknown>): boolean {
  const bytes = typeof workspace === "number" && Number.isSafeInteger(workspace) && workspace >= 0;
  return (
    Object.keys(others).length === 0 &&
    (merge === undefined || typeof merge === "boolean") &&
    (workspace === undefined || typeof workspace === "boolean" || bytes) &&
    (algorithms === undefined || (isRecord(algorithms) && areAlgorithmChoices(algorithms)))
  );
}

function areAlgorithmChoices(algorithms: Record<string, unknown>): boolean {
  return Object.values(algorithms).every(
    (names) => Array.isArray(names) && names.every((name) => typeof name === "string"),
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
