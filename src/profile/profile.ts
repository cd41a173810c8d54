/** A profile: how long each step of a plan took on the GPU, how fast that is, and what it was measured with. */

import type { Step } from "../plan/plan.ts";
import { type Rates, rates, type Roofline, together, type Work } from "./roofline.ts";

export interface ProfiledStep extends Work, Rates {
  readonly name: string;
  readonly kernel: string;
  /** Of the time of all steps. */
  readonly share: number;
}

export interface Profile {
  readonly steps: readonly ProfiledStep[];
  readonly totals: Work & Rates;
  readonly ceilings: Roofline;
}

/** Steps and the milliseconds that each took. */
export function makeProfile(
  timed: readonly { readonly step: Pick<Step, "name" | "kernel" | "macs" | "bytes">; readonly gpuMs: number }[],
  ceilings: Roofline,
): Profile {
  const works = timed.map(({ step: { name, kernel, macs, bytes }, gpuMs }) => ({ name, kernel, macs, bytes, gpuMs }));
  const totals = together(works, ceilings);
  const steps = works.map((work) => ({
    ...work,
    ...rates(work, ceilings),
    share: totals.gpuMs > 0 ? work.gpuMs / totals.gpuMs : 0,
  }));
  return { steps, totals, ceilings };
}
