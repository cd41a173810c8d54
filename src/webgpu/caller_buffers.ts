/** GPU buffers of the caller's: whether they are what a copy needs, found before any is recorded. */

import { EngineError } from "../errors.ts";
import { formatShape, type Shape } from "../graph/tensor.ts";
import { describe } from "./batches.ts";
import { bufferUsage } from "./constants.ts";
import type { Place } from "./readback.ts";

/** A buffer, or a range of one, as in WebGPU's own `GPUBufferBinding`; `size` reaches to its end unless given. */
export type BufferRange = GPUBuffer | GPUBufferBinding;

/** What a range is for. */
export type Role = "input" | "output";

/** A range that is right, and the bytes that are used of it. */
export interface CheckedRange extends Place {
  readonly subject: string;
  readonly role: Role;
  readonly bytes: number;
}

const usages = { input: ["COPY_SRC", bufferUsage.copySrc], output: ["COPY_DST", bufferUsage.copyDst] } as const;

/** Throws EngineError "buffer" for a range that is too small, misaligned, mapped, or lacks the usage. */
export function checkRange(name: string, role: Role, range: BufferRange, shape: Shape, bytes: number): CheckedRange {
  const subject = `buffer of ${role} "${name}"`;
  const wrong = (problem: string, remedy: string) =>
    new EngineError("buffer", subject, problem, remedy, { shapes: { expected: shape } });
  const {
    buffer,
    offset = 0,
    size,
  } = isBuffer(range) ? { buffer: range } : (Object(range) as Partial<GPUBufferBinding>);
  if (!isBuffer(buffer)) {
    const given = range !== null && typeof range === "object" && "buffer" in range ? buffer : range;
    throw wrong(`it is ${describe(given)}`, "give a GPUBuffer, or { buffer, offset, size }");
  }
  if (!Number.isSafeInteger(offset) || offset < 0 || offset % 4 !== 0) {
    throw wrong(`its offset is ${offset} bytes`, "give a whole multiple of 4");
  }
  const rest = Math.max(buffer.size - offset, 0);
  if (size !== undefined && !(Number.isSafeInteger(size) && size >= 0 && size <= rest)) {
    throw wrong(`its size is ${size} bytes, and the buffer has ${rest} from ${offset} on`, `give at most ${rest}`);
  }
  const room = size ?? rest;
  if (room < bytes) {
    const what = `${formatShape(shape)} takes ${bytes} bytes`;
    throw wrong(`it has ${room} bytes, and ${what}`, `give ${bytes} bytes or more`);
  }
  const [usage, bit] = usages[role];
  if ((buffer.usage & bit) === 0) {
    throw wrong(`it was made without the usage ${usage}`, `make it with GPUBufferUsage.${usage}`);
  }
  if (buffer.mapState !== "unmapped") throw wrong("it is mapped", "unmap it first");
  return { subject, role, buffer, offset, bytes };
}

/** Throws EngineError "buffer" where an output would overwrite an input or another output. */
export function checkOverlaps(ranges: readonly CheckedRange[]): void {
  for (const output of ranges.filter(({ role }) => role === "output")) {
    for (const other of ranges) {
      if (other === output || other.buffer !== output.buffer) continue;
      if (output.offset < other.offset + other.bytes && other.offset < output.offset + output.bytes) {
        const problem = `its bytes ${output.offset} to ${output.offset + output.bytes} overlap the ${other.subject}`;
        throw new EngineError("buffer", output.subject, problem, "give ranges that have no byte in common");
      }
    }
  }
}

/**
 * Rejects with EngineError "buffer" for a buffer of another device or one that was destroyed. WebGPU tells neither of
 * a buffer; but a command buffer that copies no bytes from or to it is invalid in the first case and can't be submitted
 * in the second, and does nothing otherwise.
 */
export async function probeBuffers(device: GPUDevice, ranges: readonly CheckedRange[]): Promise<void> {
  const spare = device.createBuffer({ label: "probe", size: 4, usage: bufferUsage.copySrc | bufferUsage.copyDst });
  try {
    await Promise.all(ranges.map((range) => probe(device, range, spare)));
  } finally {
    spare.destroy();
  }
}

async function probe(device: GPUDevice, { subject, role, buffer }: CheckedRange, spare: GPUBuffer): Promise<void> {
  device.pushErrorScope("validation");
  const encoder = device.createCommandEncoder();
  const [source, target] = role === "input" ? [buffer, spare] : [spare, buffer];
  encoder.copyBufferToBuffer(source, 0, target, 0, 0);
  const commands = encoder.finish();
  const foreign = device.popErrorScope();
  device.pushErrorScope("validation");
  device.queue.submit([commands]);
  const destroyed = device.popErrorScope();
  if (await foreign) {
    await destroyed;
    throw new EngineError("buffer", subject, "it is of another device", "make it on session.device");
  }
  if (await destroyed) throw new EngineError("buffer", subject, "it was destroyed", "make a new one");
}

/** Of whatever implementation, global scope or worker. */
function isBuffer(value: unknown): value is GPUBuffer {
  const { size, usage, mapState, getMappedRange } = Object(value) as Partial<Record<keyof GPUBuffer, unknown>>;
  return (
    typeof size === "number" &&
    typeof usage === "number" &&
    typeof mapState === "string" &&
    typeof getMappedRange === "function"
  );
}
