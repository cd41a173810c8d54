/** Measures a device's ceilings: how fast it multiplies and adds in registers, and how fast it streams memory. */

import { EngineError } from "../errors.ts";
import { bufferUsage, mapModeRead } from "../webgpu/constants.ts";
import { gpuError, guarded } from "../webgpu/errors.ts";
import {
  accumulators,
  arithmeticProbe,
  copiedPerThread,
  type CopiedType,
  copiedTypes,
  copyProbe,
  multiplyAdds,
  probeWorkgroupSize,
  unrolledSteps,
} from "./probes.ts";
import type { MeasuredRoofline } from "./roofline.ts";

/**
 * Repeats of each probe, of which the fastest counts, as in McCalpin's STREAM: a ceiling is what the device can reach,
 * and whatever disturbs a run makes it slower.
 */
const repeats = 8;

/** Below this, starting and ending a dispatch is no longer lost in the whole. */
const leastMilliseconds = 5;

/** Of the arithmetic probe: enough for any device to be busy for a while, and to outweigh the start of a thread. */
const leastThreads = 2 ** 12;
const leastIterations = 64;

/** Several times what the largest GPUs hold at once; beyond it, threads take more iterations. */
const mostThreads = 2 ** 18;

/** Sums stay exact up to 2²⁴. */
const mostIterations = 2 ** 23 / unrolledSteps;

/** Bytes of each of the two buffers of the copy: beyond the caches of most, where the device allows that. */
const leastCopyBytes = 2 ** 24;
const mostCopyBytes = 2 ** 27;

/** Pairs of copies in one pass. */
const mostPairs = 1024;

/**
 * The better of each ceiling's probes, in one burst: take the highest of several, apart in time. The device must have the feature "timestamp-query". Takes some hundred
 * milliseconds and 256 MiB of GPU memory.
 *
 * Rejects with EngineError "adapter" where it has no timestamps, "out-of-memory", or "gpu" where a probe's results are
 * wrong.
 *
 * @param onProgress told after each of the probes
 */
export async function measureRoofline(
  device: GPUDevice,
  onProgress?: (done: number, total: number) => void,
): Promise<MeasuredRoofline> {
  if (!device.features.has("timestamp-query")) {
    throw new EngineError("adapter", "GPU device", "it has no timestamp queries", "profile on another adapter");
  }
  const arithmetic = Object.values(multiplyAdds).map((write) => () => measureArithmetic(device, write));
  const copies = (Object.keys(copiedTypes) as CopiedType[]).map((type) => () => measureCopy(device, type));
  const total = arithmetic.length + copies.length;
  let done = 0;
  const each = async <T>(probes: readonly (() => Promise<T>)[]) => {
    const found: T[] = [];
    for (const probe of probes) {
      found.push(await probe());
      onProgress?.(++done, total);
    }
    return found;
  };
  const gflops = Math.max(...(await each(arithmetic)));
  const copied = await each(copies);
  return {
    gflops,
    gbps: Math.max(...copied.map(({ gbps }) => gbps)),
    copiedBytes: Math.max(...copied.map(({ copiedBytes }) => copiedBytes)),
  };
}

/** 10⁹ operations a second of multiply-adds written in this way. */
async function measureArithmetic(device: GPUDevice, multiplyAdd: (sum: string) => string): Promise<number> {
  using probe = await Probe.create(device, arithmeticProbe(multiplyAdd), () => [
    { size: mostThreads * 4, usage: bufferUsage.storage | bufferUsage.copySrc },
    { size: 16, usage: bufferUsage.uniform | bufferUsage.copyDst },
  ]);
  const [result, settings] = probe.buffers;
  const bindings = probe.bind([{ buffer: result }, { buffer: settings }]);
  const size = (amount: number) => {
    const threads = Math.min(leastThreads * amount, mostThreads);
    return { threads, iterations: leastIterations * Math.ceil((leastThreads * amount) / threads) };
  };
  const time = (amount: number) => {
    const { threads, iterations } = size(amount);
    device.queue.writeBuffer(settings, 0, new Uint32Array([iterations]));
    device.queue.writeBuffer(settings, 4, new Float32Array([1, 1]));
    return probe.time([bindings], threads / probeWorkgroupSize);
  };
  const mostAmount = (mostThreads / leastThreads) * (mostIterations / leastIterations);
  const { amount, milliseconds } = await longEnough(time, mostAmount);
  const { threads, iterations } = size(amount);
  const steps = iterations * unrolledSteps;
  const sums = new Float32Array(await probe.read(result, 0, threads * 4));
  if (sums.some((sum, thread) => sum !== (thread % 1024) + steps)) throw wrong("multiply-adds");
  return (2 * accumulators * steps * threads) / milliseconds / 1e6;
}

/** 10⁹ bytes a second, read and written, of a copy by elements of this type, and how many bytes that are. */
async function measureCopy(
  device: GPUDevice,
  type: CopiedType,
): Promise<Pick<MeasuredRoofline, "gbps" | "copiedBytes">> {
  const { maxBufferSize, maxStorageBufferBindingSize, maxComputeWorkgroupsPerDimension } = device.limits;
  const workgroupBytes = copiedTypes[type] * copiedPerThread * probeWorkgroupSize;
  const most = Math.min(
    mostCopyBytes,
    2 ** Math.floor(Math.log2(Math.min(maxBufferSize, maxStorageBufferBindingSize))),
    2 ** Math.floor(Math.log2(maxComputeWorkgroupsPerDimension)) * workgroupBytes,
  );
  const least = Math.min(leastCopyBytes, most);
  const usage = bufferUsage.storage | bufferUsage.copySrc;
  using probe = await Probe.create(device, copyProbe(type), () => [
    { size: most, usage },
    { size: most, usage },
  ]);
  const [there, back] = probe.buffers;
  const size = (amount: number) => {
    const bytes = Math.min(least * 2 ** Math.floor(Math.log2(amount)), most);
    return { bytes, pairs: Math.ceil((least * amount) / bytes) };
  };
  const made: { bytes: number; copies: number }[] = [];
  const { amount, milliseconds } = await longEnough(
    (amount) => {
      const { bytes, pairs } = size(amount);
      made.push({ bytes, copies: 2 * pairs });
      const ways = [
        [there, back],
        [back, there],
      ].map((buffers) => probe.bind(buffers.map((buffer) => ({ buffer, size: bytes }))));
      return probe.time(
        Array.from({ length: 2 * pairs }, (_, copy) => ways[copy % 2]),
        bytes / workgroupBytes,
      );
    },
    (most / least) * mostPairs,
  );
  const { bytes, pairs } = size(amount);
  // The last copy of each pair fills the first buffer.
  const sample = 4096;
  for (const offset of [0, bytes / 2, bytes - sample]) {
    const copies = made.reduce((sum, each) => sum + (offset < each.bytes ? each.copies : 0), 0);
    const elements = new Uint32Array(await probe.read(there, offset, sample));
    if (elements.some((element) => element !== copies)) throw wrong("the copy");
  }
  return { gbps: (2 * bytes * 2 * pairs) / milliseconds / 1e6, copiedBytes: 2 * bytes };
}

/**
 * Finds an amount of work that takes long enough to be measured, and the least time of it.
 *
 * @param time does that amount, from 1 to `most`, and gives the milliseconds
 */
async function longEnough(
  time: (amount: number) => Promise<number>,
  most: number,
): Promise<{ amount: number; milliseconds: number }> {
  let amount = 1;
  // The first run is slower: it pays for what drivers put off until then.
  await time(amount);
  for (;;) {
    const milliseconds = await time(amount);
    if (milliseconds >= leastMilliseconds || amount === most) break;
    // At most 16 times as much at once: a short time says little about a long one.
    const wanted = milliseconds > 0 ? Math.ceil((amount * 1.5 * leastMilliseconds) / milliseconds) : most;
    amount = Math.min(Math.max(wanted, amount + 1), 16 * amount, most);
  }
  const series: number[] = [];
  for (let repeat = 0; repeat < repeats; repeat++) series.push(await time(amount));
  const milliseconds = Math.min(...series);
  if (milliseconds <= 0) {
    throw new EngineError("gpu", "roofline", "the device's timestamps stand still", "profile on another adapter");
  }
  return { amount, milliseconds };
}

function wrong(what: string): EngineError {
  return new EngineError("gpu", "roofline", `${what} gave wrong results`, "report this with the adapter and driver");
}

/** A micro-kernel on a device, its buffers, and a clock around its dispatches. */
class Probe implements Disposable {
  readonly buffers: readonly GPUBuffer[];
  private readonly device: GPUDevice;
  private readonly pipeline: GPUComputePipeline;
  private readonly queries: GPUQuerySet;
  private readonly stamps: GPUBuffer;

  private constructor(device: GPUDevice, pipeline: GPUComputePipeline, buffers: readonly GPUBuffer[]) {
    this.device = device;
    this.pipeline = pipeline;
    this.buffers = buffers;
    this.queries = device.createQuerySet({ type: "timestamp", count: 2 });
    this.stamps = device.createBuffer({ size: 16, usage: bufferUsage.queryResolve | bufferUsage.copySrc });
  }

  static async create(
    device: GPUDevice,
    code: string,
    describeBuffers: () => readonly GPUBufferDescriptor[],
  ): Promise<Probe> {
    let pipeline: GPUComputePipeline;
    try {
      const module = device.createShaderModule({ label: "roofline", code });
      pipeline = await device.createComputePipelineAsync({ layout: "auto", compute: { module, entryPoint: "main" } });
    } catch (error) {
      throw gpuError("roofline", error instanceof Error ? error.message : String(error));
    }
    const { value: buffers, checked } = guarded(device, "roofline", () =>
      describeBuffers().map((descriptor) => device.createBuffer(descriptor)),
    );
    try {
      await checked;
    } catch (error) {
      for (const buffer of buffers) buffer.destroy();
      throw error;
    }
    return new Probe(device, pipeline, buffers);
  }

  bind(resources: readonly GPUBufferBinding[]): GPUBindGroup {
    return this.device.createBindGroup({
      layout: this.pipeline.getBindGroupLayout(0),
      entries: resources.map((resource, binding) => ({ binding, resource })),
    });
  }

  /** The milliseconds of a pass that dispatches each of the bind groups in turn. */
  async time(bindGroups: readonly GPUBindGroup[], workgroups: number): Promise<number> {
    const { value: readable, checked } = guarded(this.device, "roofline", () => {
      const encoder = this.device.createCommandEncoder();
      const pass = encoder.beginComputePass({
        timestampWrites: { querySet: this.queries, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 },
      });
      pass.setPipeline(this.pipeline);
      for (const bindGroup of bindGroups) {
        pass.setBindGroup(0, bindGroup);
        pass.dispatchWorkgroups(workgroups);
      }
      pass.end();
      encoder.resolveQuerySet(this.queries, 0, 2, this.stamps, 0);
      return this.copyOut(encoder, this.stamps, 0, 16);
    });
    await checked;
    const [begin, end] = new BigUint64Array(await take(readable));
    return Number(end - begin) / 1e6;
  }

  /** What a range of a buffer holds. */
  async read(buffer: GPUBuffer, offset: number, size: number): Promise<ArrayBuffer> {
    const { value: readable, checked } = guarded(this.device, "roofline", () =>
      this.copyOut(this.device.createCommandEncoder(), buffer, offset, size),
    );
    await checked;
    return take(readable);
  }

  [Symbol.dispose](): void {
    for (const buffer of [...this.buffers, this.stamps]) buffer.destroy();
    this.queries.destroy();
  }

  /** Submits what is encoded, and behind it the copy of a range into a buffer that can be mapped. */
  private copyOut(encoder: GPUCommandEncoder, source: GPUBuffer, offset: number, size: number): GPUBuffer {
    const readable = this.device.createBuffer({ size, usage: bufferUsage.mapRead | bufferUsage.copyDst });
    encoder.copyBufferToBuffer(source, offset, readable, 0, size);
    this.device.queue.submit([encoder.finish()]);
    return readable;
  }
}

/** A buffer's contents; the buffer is gone then. */
async function take(buffer: GPUBuffer): Promise<ArrayBuffer> {
  try {
    await buffer.mapAsync(mapModeRead);
    return buffer.getMappedRange().slice(0);
  } finally {
    buffer.destroy();
  }
}
