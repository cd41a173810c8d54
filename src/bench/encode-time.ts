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
import { openThreadClock, type ThreadClock, type ThreadClockKind } from "./thread-clock.ts";

export interface EncodeTimes {
  /** Milliseconds of the main thread's CPU time, with Dawn's validation, each time after the device was waited for. */
  readonly encodeMs: number;
  /** The same of inferences that follow each other at once: what the main thread needs is in its core's caches then. */
  readonly encodeStreamedMs: number;
  /** As `encodeMs`, without validation and bounds checks. */
  readonly encodeUnsafeMs: number;
  /** What told them; of kind `bound` they are the most that it can have been. */
  readonly encodeClock: ThreadClockKind;
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
/** Inferences of which the median is taken. */
const RUNS = 20;
/** Fewer where an inference takes long. */
const SECONDS = 5;
const LEAST_RUNS = 3;
/** Inferences that follow each other at once. */
const STREAMED = 4;

/** Opens the adapter twice, with validation and without, and measures both. */
export async function encodeTimes(model: Model, options: EncodeOptions): Promise<EncodeTimes> {
  using clock = openThreadClock();
  const [encodeMs, encodeStreamedMs] = await openAndTime(model, false, [1, STREAMED], clock, options);
  const [encodeUnsafeMs] = await openAndTime(model, true, [1], clock, options);
  return { encodeMs, encodeStreamedMs, encodeUnsafeMs, encodeClock: clock.kind };
}

/** Milliseconds an inference, where so many of them follow each other at once before the device is waited for. */
async function openAndTime(
  model: Model,
  unsafe: boolean,
  counts: readonly number[],
  clock: ThreadClock,
  { batch, precision, adapter, choices, signal }: EncodeOptions,
): Promise<number[]> {
  const { device } = await openGpu({
    unsafe,
    experiments: precision === "f16",
    ...(adapter === undefined ? {} : { adapter }),
  });
  try {
    const create = { device, kernels: kernelsOnDisk, batch, precision, ...(choices && { choices }) };
    using session = await Session.create(model, create);
    return await timeEncoding(session, batch, counts, clock, signal);
  } finally {
    device.destroy();
  }
}

async function timeEncoding(
  session: Session,
  batch: number,
  counts: readonly number[],
  clock: ThreadClock,
  signal: AbortSignal | undefined,
): Promise<number[]> {
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
    /** The medians of recording and of submitting together. */
    const timeRuns = async (count: number) => {
      const recording: number[] = [];
      const submitting: number[] = [];
      const end = performance.now() + 1000 * SECONDS;
      for (let run = 0; run < RUNS / count && (run < LEAST_RUNS || performance.now() < end); run++) {
        signal?.throwIfAborted();
        const commands: GPUCommandBuffer[] = [];
        const recorded = clock.cpuTime(() => {
          for (let inference = 0; inference < count; inference++) commands.push(record());
        });
        const submitted = clock.cpuTime(() => {
          for (const each of commands) device.queue.submit([each]);
        });
        await device.queue.onSubmittedWorkDone();
        recording.push(recorded / count);
        submitting.push(submitted / count);
      }
      return median(recording) + median(submitting);
    };
    const times: number[] = [];
    for (const count of counts) times.push(await timeRuns(count));
    binding.dispose();
    return times;
  } finally {
    for (const buffer of [...Object.values(inputs), ...Object.values(outputs)]) buffer.destroy();
  }
}
