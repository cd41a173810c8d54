/** Values on their way from the arena to where the caller wants them, or to the CPU. */

import { EngineError } from "../errors.ts";
import type { ValueId } from "../graph/graph.ts";
import { elementCount, type Tensor } from "../graph/tensor.ts";
import { bytesPerElement, type Plan, type PlannedValue } from "../plan/plan.ts";
import { bufferUsage } from "./constants.ts";

/** A place in a buffer. */
export interface Place {
  readonly buffer: GPUBuffer;
  /** Bytes before it. */
  readonly offset: number;
}

/** A value to be copied out, image after image, and where to. */
export interface ValueCopy extends Place {
  readonly id: ValueId;
  readonly value: PlannedValue;
}

/** Values to be read back, one after the other in one buffer. */
export interface Readback {
  readonly copies: readonly ValueCopy[];
  readonly buffer: GPUBuffer;
}

export function makeReadback(device: GPUDevice, plan: Plan, ids: readonly ValueId[]): Readback {
  const bytes = ids.map((id) => elementCount(plan.values[id].shape) * bytesPerElement);
  const size = bytes.reduce((sum, each) => sum + each, 0);
  if (size > device.limits.maxBufferSize) {
    throw new EngineError(
      "out-of-memory",
      "read-back buffer",
      `the values take ${size} bytes, and the device's buffers at most ${device.limits.maxBufferSize}`,
      "read fewer values at once, or use a smaller batch",
    );
  }
  const usage = bufferUsage.mapRead | bufferUsage.copyDst;
  const buffer = device.createBuffer({ label: "read-back", size: Math.max(size, 4), usage });
  let end = 0;
  const copies = ids.map((id, index): ValueCopy => {
    const offset = end;
    end += bytes[index];
    return { id, value: plan.values[id], buffer, offset };
  });
  return { copies, buffer };
}

/** The values in a buffer that was mapped. */
export function readMapped({ copies, buffer }: Readback): Map<ValueId, Tensor> {
  const range = buffer.getMappedRange();
  return new Map(
    copies.map(({ id, value: { shape }, offset }) => [
      id,
      { shape, data: new Float32Array(range, offset, elementCount(shape)).slice() },
    ]),
  );
}
