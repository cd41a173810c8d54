/** What of a plan was chosen, and why: by default or from what was measured on the device. */

import type { Decision } from "../plan/choices.ts";
import type { Plan } from "../plan/plan.ts";
import type { PlanVariant, ProblemVerdict } from "../tune/verdict.ts";
import { formatBytes, formatTime, significant } from "./format.ts";
import type { Tuned } from "./tuning.ts";

/** Why the plan is as it is, with what was measured where it was tuned. */
export class Choice {
  /** The plans that were timed for this batch, leaner and faster ones. */
  readonly variants: readonly (PlanVariant & { readonly chosen: boolean })[];
  private readonly decisions: readonly Decision[];
  private readonly problems: Readonly<Record<string, ProblemVerdict>>;

  constructor({ decisions }: Plan, tuned: Tuned | undefined, key: string) {
    this.decisions = decisions;
    const measured = tuned && Object.hasOwn(tuned.verdict.plans, key) ? tuned.verdict.plans[key] : undefined;
    this.variants = measured?.variants.map((each, index) => ({ ...each, chosen: index === measured.chosen })) ?? [];
    this.problems = measured?.problems ?? {};
  }

  /** The algorithm of a step, and how long it and the default took where that was measured. */
  ofStep(index: number) {
    const { algorithm, reason, problem, candidates } = this.decisionOf(index);
    const measured = this.measured(problem);
    const timeOf = (name: string) => measured?.candidates.find((each) => each.algorithm === name)?.microseconds ?? null;
    const [preferred] = candidates;
    return {
      algorithm,
      reason,
      candidates,
      microseconds: timeOf(algorithm),
      preferred,
      preferredMicroseconds: timeOf(preferred),
    };
  }

  /**
   * `conv_winograd4: tuned, 12 µs for conv_direct's 20 µs`, without the algorithm's name where the kernel bears it;
   * nothing for steps behind a layer's first.
   */
  whyOfStep(index: number, kernel: string): string {
    if (this.decisionOf(index).firstStep !== index) return "";
    const { algorithm, reason, candidates, microseconds, preferred, preferredMicroseconds } = this.ofStep(index);
    const time = (value: number) => formatTime(value / 1000);
    const why = () => {
      if (reason === "only") return "the only one";
      if (reason === "preferred" || microseconds === null) return `default of ${candidates.length}`;
      if (algorithm === preferred) return `tuned, ${time(microseconds)}, as by default`;
      const before = preferredMicroseconds === null ? "" : ` for ${preferred}'s ${time(preferredMicroseconds)}`;
      return `tuned, ${time(microseconds)}${before}`;
    };
    return algorithm === kernel ? why() : `${algorithm}: ${why()}`;
  }

  /** What the plan gains from memory that a leaner one does without. */
  whatMemoryBuys(): string | undefined {
    const own = this.variants.find(({ chosen }) => chosen);
    const lean = this.variants
      .filter(({ peakBytes }) => own && peakBytes < own.peakBytes)
      .toSorted((a, b) => a.microseconds - b.microseconds)[0];
    if (!own || !lean) return undefined;
    const ratio = significant(lean.microseconds / own.microseconds, 3);
    return (
      `${formatBytes(own.peakBytes)} buy ${formatTime(own.microseconds / 1000)} (${describeVariant(own)}); in ` +
      `${formatBytes(lean.peakBytes)} it takes ${formatTime(lean.microseconds / 1000)}, ${ratio}× that (${describeVariant(lean)})`
    );
  }

  private decisionOf(index: number): Decision {
    return this.decisions.find(({ firstStep, steps }) => index < firstStep + steps)!;
  }

  private measured(problem: string): ProblemVerdict | undefined {
    return Object.hasOwn(this.problems, problem) ? this.problems[problem] : undefined;
  }
}

/** `tuned, convolutions merged, up to 8.39 MB more scratch memory` */
export function describeVariant({ tuned, merge, workspace }: PlanVariant): string {
  const parts = [tuned ? "tuned" : "by default"];
  if (merge !== undefined) parts.push(merge ? "convolutions merged" : "convolutions apart");
  if (workspace === false) parts.push("no scratch memory");
  if (typeof workspace === "number") parts.push(`up to ${formatBytes(workspace)} more scratch memory`);
  return parts.join(", ");
}
