/** A profile: how long each step of a plan took on the GPU, how fast that is, and what it was measured with. */

import type { Step } from "../plan/plan.ts";
import { layerOf } from "./names.ts";
import { leastMs, type MeasuredRoofline, type Rates, rates, type Roofline, together, type Work } from "./roofline.ts";

export interface ProfiledStep extends Work, Rates {
  readonly name: string;
  readonly kernel: string;
  /** Of the time of all steps. */
  readonly share: number;
  /** Why it is beyond the roofline, where it is: a product that stands for more arithmetic, or data in a cache. */
  readonly beyond: "Winograd" | "cache" | null;
}

export interface Profile {
  readonly steps: readonly ProfiledStep[];
  /** `roofline`: the mean of the steps', weighted by time; one that is beyond counts as at it. */
  readonly totals: Work & Rates;
  readonly ceilings: Roofline;
  /** The step that reached more than was measured, for each ceiling that was raised to it. */
  readonly raised: { readonly [ceiling in keyof Roofline]?: string };
}

type TimedStep = { readonly step: Pick<Step, "name" | "kernel" | "macs" | "bytes">; readonly gpuMs: number };

/** Of rates that are compared with themselves, on their way through divisions. */
const rounding = 1e-9;

/** Steps and the milliseconds that each took. */
export function makeProfile(timed: readonly TimedStep[], measured: MeasuredRoofline): Profile {
  const { ceilings, raised } = raise(timed, measured);
  const works = timed.map(({ step: { name, kernel, macs, bytes }, gpuMs }) => ({ name, kernel, macs, bytes, gpuMs }));
  const sums = together(works, ceilings);
  const reached = works.reduce((sum, work) => sum + Math.min(leastMs(work, ceilings), work.gpuMs), 0);
  const totals = { ...sums, roofline: sums.gpuMs > 0 ? reached / sums.gpuMs : 0 };
  const steps = works.map((work): ProfiledStep => {
    const reached = rates(work, ceilings);
    return {
      ...work,
      ...reached,
      share: totals.gpuMs > 0 ? work.gpuMs / totals.gpuMs : 0,
      beyond:
        reached.roofline <= 1 + rounding
          ? null
          : reached.gflops > ceilings.gflops * (1 + rounding)
            ? "Winograd"
            : "cache",
    };
  });
  return { steps, totals, ceilings, raised };
}

/**
 * Ceilings that no step refutes. What a step multiplied and added, the device can; a Winograd product alone makes fewer
 * multiply-adds than it counts. What a step moved, memory can, if it is no less than the copy that was measured: what is
 * less may come from a cache.
 */
function raise(timed: readonly TimedStep[], measured: MeasuredRoofline): Pick<Profile, "ceilings" | "raised"> {
  const winograd = new Set(
    timed.filter(({ step }) => step.kernel.startsWith("winograd")).map(({ step }) => layerOf(step.name)),
  );
  const ceilings = { gflops: measured.gflops, gbps: measured.gbps };
  const raised: { -readonly [ceiling in keyof Roofline]?: string } = {};
  for (const { step, gpuMs } of timed) {
    const reached = rates({ ...step, gpuMs }, ceilings);
    if (!winograd.has(layerOf(step.name)) && reached.gflops > ceilings.gflops) {
      ceilings.gflops = reached.gflops;
      raised.gflops = step.name;
    }
    if (step.bytes >= measured.copiedBytes && reached.gbps > ceilings.gbps) {
      ceilings.gbps = reached.gbps;
      raised.gbps = step.name;
    }
  }
  return { ceilings, raised };
}

/** What is to be said of ceilings that were raised; nothing where they are as measured. */
export function describeRaised({ raised }: Pick<Profile, "raised">, nameOf: (step: string) => string): string[] {
  const said = { gflops: "arithmetic", gbps: "memory" };
  return (["gflops", "gbps"] as const).flatMap((ceiling) => {
    const step = raised[ceiling];
    return step === undefined
      ? []
      : [`the ${said[ceiling]} ceiling is what ${nameOf(step)} reached, more than was measured`];
  });
}
