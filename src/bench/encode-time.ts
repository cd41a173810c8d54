/**
 * What one inference costs the main thread: recording its commands and handing them to the device. The device's own
 * work, and waiting for it, is no part of that.
 */

import { inferShapesForBatch } from "../graph/graph.ts";
import type { Model } from "../graph/model.ts";
import { elementCount } from "../graph/tensor.ts";
import { openGpu } from "../node/dawn.ts";
import { kernelsOnDisk } from "../node/kernels.ts";
import type { Choices } from "../plan/choices.ts";
import { bytesPerElement } from "../plan/plan.ts";
import type { Precision } from "../plan/precision.ts";
import { median } from "../tune/statistics.ts";
import { bufferUsage } from "../webgpu/constants.ts";
import { Session } from "../webgpu/session.ts";

export interface EncodeTimes {
  /** Milliseconds of the main thread's CPU time, with Dawn's validation. */
  readonly encodeMs: number;
  /** The same without validation and bounds checks. */
  readonly encodeUnsafeMs: number;
}

export interface EncodeOptions {
  readonly batch: number;
  readonly precision: Precision;
  /** Part of the adapter's name. */
  readonly adapter?: string | undefined;
  readonly choices?: Choices | undefined;
  readonly signal?: AbortSignal | undefined;
}

const WARMUPS = 100;
const RUNS = 20;
/** Fewer where an inference takes long. */
const SECONDS = 5;
const LEAST_RUNS = 3;

/** Opens the adapter twice, with validation and without, and measures both. */
export async function encodeTimes(model: Model, options: EncodeOptions): Promise<EncodeTimes> {
  return {
    encodeMs: await encodeTime(model, false, options),
    encodeUnsafeMs: await encodeTime(model, true, options),
  };
}

async function encodeTime(
  model: Model,
  unsafe: boolean,
  { batch, precision, adapter, choices, signal }: EncodeOptions,
): Promise<number> {
  const { device } = await openGpu({
    unsafe,
    experiments: precision === "f16",
    ...(adapter === undefined ? {} : { adapter }),
  });
  try {
    const create = { device, kernels: kernelsOnDisk, batch, precision, ...(choices && { choices }) };
    using session = await Session.create(model, create);
    return await timeEncoding(session, batch, signal);
  } finally {
    device.destroy();
  }
}

/** The medians of recording and of submitting together: see `cpuTime`. */
async function timeEncoding(session: Session, batch: number, signal: AbortSignal | undefined): Promise<number> {
  const { device, graph, inputNames, outputNames } = session;
  const { shapes } = inferShapesForBatch(graph, batch);
  const buffers = (names: readonly string[]) =>
    Object.fromEntries(
      names.map((name) => {
        const size = elementCount(shapes.get(name)!) * bytesPerElement;
        return [name, device.createBuffer({ size, usage: bufferUsage.copySrc | bufferUsage.copyDst })];
      }),
    );
  const inputs = buffers(inputNames);
  const outputs = buffers(outputNames);
  const recording: number[] = [];
  const submitting: number[] = [];
  try {
    const binding = await session.bind(inputs, outputs, { batch });
    const record = () => {
      const encoder = device.createCommandEncoder();
      binding.encode(encoder);
      return encoder.finish();
    };
    // As in a process that has run for a while: what is called often is compiled by then.
    for (let run = 0; run < WARMUPS; run++) record();
    device.queue.submit([record()]);
    await device.queue.onSubmittedWorkDone();
    const end = performance.now() + 1000 * SECONDS;
    for (let run = 0; run < RUNS && (run < LEAST_RUNS || performance.now() < end); run++) {
      signal?.throwIfAborted();
      let commands: GPUCommandBuffer;
      const recorded = cpuTime(() => (commands = record()));
      const submitted = cpuTime(() => device.queue.submit([commands]));
      await device.queue.onSubmittedWorkDone();
      recording.push(recorded);
      submitting.push(submitted);
    }
    binding.dispose();
  } finally {
    for (const buffer of [...Object.values(inputs), ...Object.values(outputs)]) buffer.destroy();
  }
  return median(recording) + median(submitting);
}

/**
 * Milliseconds of this thread's CPU time that work takes, at most. Node.js tells a thread's own time from version 24 on;
 * before that, the process' time and the clock both bound it: the one holds what other threads did meanwhile (on a
 * software driver the computation, which begins while it is still being submitted), the other what other processes did.
 */
function cpuTime(work: () => void): number {
  const { threadCpuUsage } = process as { threadCpuUsage?: (before?: NodeJS.CpuUsage) => NodeJS.CpuUsage };
  const usage = threadCpuUsage?.bind(process) ?? process.cpuUsage.bind(process);
  const before = usage();
  const start = performance.now();
  work();
  const clock = performance.now() - start;
  const { user, system } = usage(before);
  return Math.min((user + system) / 1000, clock);
}
