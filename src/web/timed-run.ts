/** One run of the network, timed by the GPU's own clock where the device lets it be read. */

import type { ValueId } from "../graph/graph.ts";
import { elementCount, type Tensor } from "../graph/tensor.ts";
import { bytesPerElement } from "../plan/plan.ts";
import { bufferUsage, mapModeRead } from "../webgpu/constants.ts";
import { guarded } from "../webgpu/errors.ts";
import { fateOf } from "../webgpu/loss.ts";
import type { Session } from "../webgpu/session.ts";

export interface TimedRun {
  /** The blobs that were asked for, by name. */
  readonly blobs: ReadonlyMap<ValueId, Tensor>;
  readonly milliseconds: number;
  readonly clock: "gpu" | "wall";
}

/** Two time stamps of 8 bytes; what is read of the blobs lies behind them. */
const STAMPS_BYTES = 16;

/**
 * Runs a session of one input on a single image, and reads blobs that its plan keeps.
 *
 * The run is recorded between two empty passes that take the time, so that the commands in between are those of any
 * run. Where the stamps make no sense, because a driver takes none for empty passes, the page's clock counts: from the
 * submission until the output is there.
 */
export async function runTimed(session: Session, input: Tensor, wanted: readonly ValueId[]): Promise<TimedRun> {
  // Opens another device where the last was lost, so that the buffers are made on the right one.
  const { values } = await session.plan(1);
  const { device } = session;
  const buffers: GPUBuffer[] = [];
  const make = (size: number, usage: number) => {
    const buffer = device.createBuffer({ size, usage });
    buffers.push(buffer);
    return buffer;
  };
  const shapes = wanted.map((id) => values[id].shape);
  const sizes = shapes.map((shape) => elementCount(shape) * bytesPerElement);
  const total = sizes.reduce((sum, size) => sum + size, STAMPS_BYTES);
  const { value, checked } = guarded(device, "buffers of a run", () => ({
    source: make(input.data.byteLength, bufferUsage.copySrc | bufferUsage.copyDst),
    targets: sizes.map((size) => make(size, bufferUsage.copySrc | bufferUsage.copyDst)),
    stamps: make(STAMPS_BYTES, bufferUsage.queryResolve | bufferUsage.copySrc),
    readable: make(total, bufferUsage.mapRead | bufferUsage.copyDst),
    queries: device.features.has("timestamp-query")
      ? device.createQuerySet({ type: "timestamp", count: 2 })
      : undefined,
  }));
  const { source, targets, stamps, readable, queries } = value;
  try {
    await checked;
    const [inputName] = session.inputNames;
    const outputs = Object.fromEntries(wanted.map((id, index) => [id, targets[index]]));
    using binding = await session.bind({ [inputName]: source }, outputs);
    const start = performance.now();
    const { checked: submitted } = guarded(device, "run", () => {
      device.queue.writeBuffer(source, 0, input.data as Float32Array<ArrayBuffer>);
      const encoder = device.createCommandEncoder();
      if (queries) takeTime(encoder, { querySet: queries, endOfPassWriteIndex: 0 });
      binding.encode(encoder);
      if (queries) {
        takeTime(encoder, { querySet: queries, beginningOfPassWriteIndex: 1 });
        encoder.resolveQuerySet(queries, 0, 2, stamps, 0);
        encoder.copyBufferToBuffer(stamps, 0, readable, 0, STAMPS_BYTES);
      }
      let offset = STAMPS_BYTES;
      targets.forEach((target, index) => {
        encoder.copyBufferToBuffer(target, 0, readable, offset, sizes[index]);
        offset += sizes[index];
      });
      device.queue.submit([encoder.finish()]);
    });
    await submitted;
    await readable.mapAsync(mapModeRead);
    const wall = performance.now() - start;
    await checkAlive(device);
    const bytes = readable.getMappedRange().slice(0);
    const [begun, ended] = new BigUint64Array(bytes, 0, 2);
    const elapsed = Number(ended - begun) / 1e6;
    const sensible = queries !== undefined && elapsed > 0 && elapsed <= wall;
    let offset = STAMPS_BYTES;
    const blobs = wanted.map((id, index): [ValueId, Tensor] => {
      const data = new Float32Array(bytes.slice(offset, offset + sizes[index]));
      offset += sizes[index];
      return [id, { shape: shapes[index], data }];
    });
    return {
      blobs: new Map(blobs),
      ...(sensible ? { milliseconds: elapsed, clock: "gpu" } : { milliseconds: wall, clock: "wall" }),
    };
  } catch (error) {
    // A lost device shows as one failed call or another; whatever they say, this is why.
    await checkAlive(device);
    throw error;
  } finally {
    queries?.destroy();
    for (const buffer of buffers) buffer.destroy();
  }
}

/** Throws EngineError "device-lost" where the device was lost, which may be known only after what failed by it. */
async function checkAlive(device: GPUDevice): Promise<void> {
  const fate = fateOf(device);
  await new Promise((resolve) => setTimeout(resolve, 0));
  if (fate.lost) throw fate.lost;
}

function takeTime(encoder: GPUCommandEncoder, timestampWrites: GPUComputePassTimestampWrites): void {
  encoder.beginComputePass({ timestampWrites }).end();
}
