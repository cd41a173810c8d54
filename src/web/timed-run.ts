/** One run of the network, timed by the GPU's own clock where the device lets it be read. */

import type { Tensor } from "../graph/tensor.ts";
import { bufferUsage, mapModeRead } from "../webgpu/constants.ts";
import { guarded } from "../webgpu/errors.ts";
import { fateOf } from "../webgpu/loss.ts";
import type { Session } from "../webgpu/session.ts";

export interface TimedRun {
  readonly output: Float32Array;
  readonly milliseconds: number;
  readonly clock: "gpu" | "wall";
}

/** Two time stamps of 8 bytes; the output lies behind them. */
const STAMPS_BYTES = 16;

/**
 * Runs a session of one input and one output on a single image.
 *
 * The run is recorded between two empty passes that take the time, so that the commands in between are those of any
 * run. Where the stamps make no sense, because a driver takes none for empty passes, the page's clock counts: from the
 * submission until the output is there.
 */
export async function runTimed(session: Session, input: Tensor, outputElements: number): Promise<TimedRun> {
  // Opens another device where the last was lost, so that the buffers are made on the right one.
  await session.plan(1);
  const { device } = session;
  const buffers: GPUBuffer[] = [];
  const outputBytes = outputElements * Float32Array.BYTES_PER_ELEMENT;
  const stamped = device.features.has("timestamp-query");
  const make = (size: number, usage: number) => {
    const buffer = device.createBuffer({ size, usage });
    buffers.push(buffer);
    return buffer;
  };
  const { value, checked } = guarded(device, "buffers of a run", () => ({
    source: make(input.data.byteLength, bufferUsage.copySrc | bufferUsage.copyDst),
    target: make(outputBytes, bufferUsage.copySrc | bufferUsage.copyDst),
    stamps: make(STAMPS_BYTES, bufferUsage.queryResolve | bufferUsage.copySrc),
    readable: make(STAMPS_BYTES + outputBytes, bufferUsage.mapRead | bufferUsage.copyDst),
    queries: stamped ? device.createQuerySet({ type: "timestamp", count: 2 }) : undefined,
  }));
  const { source, target, stamps, readable, queries } = value;
  try {
    await checked;
    const [{ name: inputName }] = session.graph.inputs;
    using binding = await session.bind({ [inputName]: { buffer: source } }, { [session.graph.outputs[0]]: target });
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
      encoder.copyBufferToBuffer(target, 0, readable, STAMPS_BYTES, outputBytes);
      device.queue.submit([encoder.finish()]);
    });
    await submitted;
    await readable.mapAsync(mapModeRead);
    const wall = performance.now() - start;
    await checkAlive(device);
    const mapped = readable.getMappedRange();
    const output = new Float32Array(mapped.slice(STAMPS_BYTES));
    const [begun, ended] = new BigUint64Array(mapped, 0, 2);
    const elapsed = Number(ended - begun) / 1e6;
    const sensible = queries !== undefined && elapsed > 0 && elapsed <= wall;
    return { output, ...(sensible ? { milliseconds: elapsed, clock: "gpu" } : { milliseconds: wall, clock: "wall" }) };
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
