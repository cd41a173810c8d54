/** What every part of the tuner works with: a device, its pipelines, and how thorough to be. */

import { EngineError } from "../errors.ts";
import type { PlanLimits } from "../plan/limits.ts";
import { fateOf } from "../webgpu/loss.ts";
import type { PipelineCache } from "../webgpu/pipelines.ts";
import type { KernelTimingOptions } from "./timing.ts";

export interface TuningGpu {
  readonly device: GPUDevice;
  readonly pipelines: PipelineCache;
  readonly limits: PlanLimits;
  readonly timing: KernelTimingOptions;
  /** Of the random inputs and weights that candidates are checked with, a whole number from 1. */
  readonly seed: number;
  /** Takes what people should know: a candidate that failed, say. */
  note(text: string): void;
}

/** Does something that may fail by the candidate's own fault, and gives its error then; rethrows all others. */
export async function attempt<T>({ device }: TuningGpu, work: () => Promise<T>): Promise<T | EngineError> {
  try {
    return await work();
  } catch (error) {
    await Promise.resolve();
    const { lost } = fateOf(device);
    if (lost) throw lost;
    if (error instanceof EngineError && (error.code === "gpu" || error.code === "out-of-memory")) return error;
    throw error;
  }
}
