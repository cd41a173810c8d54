/**
 * One GPU device for a file of tests, validated. A device error that nobody caught fails the test in which it came.
 * Without an adapter GPU tests fail; only GOOGLENET_SKIP_GPU_TESTS=1 leaves them out.
 */

import { afterAll, afterEach, beforeAll, describe, expect } from "vitest";
import { type OpenGpu, openGpu } from "../../src/node/dawn.ts";
import { kernelsOnDisk } from "../../src/node/kernels.ts";
import { limitsOf } from "../../src/webgpu/device.ts";
import { PipelineCache } from "../../src/webgpu/pipelines.ts";
import type { PlanLimits } from "../../src/plan/limits.ts";

/** `describe` for what needs a GPU. */
export const describeGpu = describe.skipIf(process.env.GOOGLENET_SKIP_GPU_TESTS === "1");

export interface TestGpu {
  readonly adapter: GPUAdapter;
  readonly device: GPUDevice;
  readonly limits: PlanLimits;
  /** Shared by the file's tests: drivers compile each pipeline when it first runs, which takes them up to a second. */
  readonly pipelines: PipelineCache;
  /** Errors that no scope caught in the test so far; one that expects some takes them out. */
  readonly errors: string[];
}

/** Opens a device before the tests of the enclosing `describeGpu` and destroys it after them. */
export function useGpu(): TestGpu {
  let open: OpenGpu | undefined;
  let pipelines: PipelineCache | undefined;
  const errors: string[] = [];
  beforeAll(async () => {
    open = await openGpu();
    pipelines = new PipelineCache(open.device, kernelsOnDisk);
    collectErrors(open.device, errors);
  });
  afterEach(async () => {
    // Errors come back in the order of the calls: once the queue has answered, those of the test are here.
    await open?.device.queue.onSubmittedWorkDone();
    expect(errors.splice(0), "uncaptured device errors").toEqual([]);
  });
  afterAll(() => open?.device.destroy());
  return {
    get adapter() {
      return open!.adapter;
    },
    get device() {
      return open!.device;
    },
    get limits() {
      return limitsOf(open!.device);
    },
    get pipelines() {
      return pipelines!;
    },
    errors,
  };
}

/** Puts every error of the device that no scope caught into `errors`. */
export function collectErrors(device: GPUDevice, errors: string[]): void {
  device.addEventListener("uncapturederror", (event) => {
    event.preventDefault();
    errors.push(event.error.message);
  });
}
