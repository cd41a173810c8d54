/** How long passes take on the GPU, by timestamp queries: the device must have the feature "timestamp-query". */

import { bufferUsage, mapModeRead } from "./constants.ts";
import { guarded } from "./errors.ts";
import type { Patience } from "./patience.ts";

/**
 * Submits several passes, and gives the nanoseconds that each took.
 *
 * @param passes - what to record into each
 * @param prepare - what the device has to do before them
 */
export async function timePasses(
  device: GPUDevice,
  passes: readonly ((pass: GPUComputePassEncoder) => void)[],
  patience: Patience,
  prepare: () => void = () => undefined,
): Promise<number[]> {
  const count = passes.length * 2;
  const { value, checked } = guarded(device, "timestamps", () => {
    const queries = device.createQuerySet({ type: "timestamp", count });
    const resolved = device.createBuffer({ size: count * 8, usage: bufferUsage.queryResolve | bufferUsage.copySrc });
    const readable = device.createBuffer({ size: count * 8, usage: bufferUsage.mapRead | bufferUsage.copyDst });
    prepare();
    const encoder = device.createCommandEncoder();
    passes.forEach((encode, index) => {
      const pass = encoder.beginComputePass({
        timestampWrites: {
          querySet: queries,
          beginningOfPassWriteIndex: index * 2,
          endOfPassWriteIndex: index * 2 + 1,
        },
      });
      encode(pass);
      pass.end();
    });
    encoder.resolveQuerySet(queries, 0, count, resolved, 0);
    encoder.copyBufferToBuffer(resolved, 0, readable, 0, count * 8);
    device.queue.submit([encoder.finish()]);
    return { queries, resolved, readable };
  });
  try {
    await checked;
    await patience.await(() => value.readable.mapAsync(mapModeRead));
    const stamps = new BigUint64Array(value.readable.getMappedRange());
    return passes.map((_, index) => Number(stamps[index * 2 + 1] - stamps[index * 2]));
  } finally {
    value.queries.destroy();
    value.resolved.destroy();
    value.readable.destroy();
  }
}
