/**
 * A plan made ready to run on a device: its activations' buffer, its bind groups, its read-back buffer. Running it
 * encodes one pass over the steps and submits once, and makes no GPU object but the command buffer.
 */

import { EngineError } from "../errors.ts";
import type { ValueId } from "../graph/graph.ts";
import { elementCount, elementsPerImage, imageCount, type Tensor } from "../graph/tensor.ts";
import { bytesPerElement, type Plan, type PlannedValue } from "../plan/plan.ts";
import { kernelNamed } from "../plan/registry.ts";
import { bufferUsage, mapModeRead } from "./constants.ts";
import { guarded } from "./errors.ts";
import type { ParameterBuffers } from "./parameters.ts";
import { Patience } from "./patience.ts";
import type { PipelineCache } from "./pipelines.ts";

/** Told after each pipeline that is ready. */
export type CompileProgress = (done: number, total: number) => void;

interface Dispatch {
  readonly pipeline: GPUComputePipeline;
  readonly bindGroup: GPUBindGroup;
}

/** A value to be copied out, and where in the read-back buffer it goes. */
interface Tap {
  readonly id: ValueId;
  readonly value: PlannedValue;
  readonly offset: number;
}

/** Values to be read back, and the buffer that they are read through. */
interface Readback {
  readonly taps: readonly Tap[];
  readonly buffer: GPUBuffer;
}

export class Program {
  readonly plan: Plan;
  private readonly device: GPUDevice;
  private readonly arena: GPUBuffer;
  private readonly layers: GPUBuffer;
  private readonly dispatches: readonly Dispatch[];
  private readonly outputs: Readback;
  private readonly patience = new Patience();
  private readonly timedPatience = new Patience();

  private constructor(
    device: GPUDevice,
    plan: Plan,
    arena: GPUBuffer,
    layers: GPUBuffer,
    dispatches: readonly Dispatch[],
    outputs: Readback,
  ) {
    this.device = device;
    this.plan = plan;
    this.arena = arena;
    this.layers = layers;
    this.dispatches = dispatches;
    this.outputs = outputs;
  }

  /**
   * Compiles every pipeline in parallel and makes every buffer and bind group. Rejects with EngineError "gpu" or
   * "out-of-memory", having let go of what it made.
   */
  static async create(
    device: GPUDevice,
    plan: Plan,
    pipelines: PipelineCache,
    parameters: ParameterBuffers,
    onProgress?: CompileProgress,
  ): Promise<Program> {
    let done = 0;
    const compiled = await Promise.all(
      plan.steps.map(async (step) => {
        const pipeline = await pipelines.get(step);
        onProgress?.(++done, plan.steps.length);
        return pipeline;
      }),
    );
    const parameterBuffers = await parameters.upload(plan.parameters);
    // First what may be refused before anything is made.
    const { value: outputs, checked: outputsChecked } = guarded(device, "read-back buffer", () =>
      makeReadback(device, plan, plan.outputs),
    );
    const { value: layers, checked: layersChecked } = guarded(device, "layers", () => makeLayers(device, plan));
    const { value: arena, checked: arenaChecked } = guarded(device, "activations", () =>
      device.createBuffer({
        label: "activations",
        size: plan.arenaBytes,
        usage: bufferUsage.storage | bufferUsage.copySrc | bufferUsage.copyDst,
      }),
    );
    try {
      for (const checked of [layersChecked, arenaChecked, outputsChecked]) await checked;
      const { value: dispatches, checked } = guarded(device, "bind groups", () =>
        plan.steps.map((step, index): Dispatch => ({
          pipeline: compiled[index],
          bindGroup: device.createBindGroup({
            label: step.name,
            layout: pipelines.layout(step.kernel),
            entries: [
              ...step.bindings.map((bound): GPUBufferBinding => {
                if (bound.kind === "parameter") return { buffer: parameterBuffers[bound.parameter] };
                if (bound.kind === "unused") return { buffer: parameters.unused() };
                const { offset, bytes } = plan.slots[bound.slot];
                return { buffer: arena, offset, size: bytes };
              }),
              { buffer: layers, offset: index * layerStride, size: layerStride },
            ].map((resource, binding) => ({ binding, resource })),
          }),
        })),
      );
      await checked;
      return new Program(device, plan, arena, layers, dispatches, outputs);
    } catch (error) {
      for (const buffer of [arena, layers, outputs.buffer]) buffer.destroy();
      throw error;
    }
  }

  /** Bytes of GPU memory that this program alone holds. */
  get bytes(): number {
    return this.arena.size + this.layers.size + this.outputs.buffer.size;
  }

  /**
   * Runs the plan on its whole batch and reads values back.
   *
   * @param inputs - for each input of the plan its elements, the plan's batch of images
   * @param read - the values to read; unless they are the plan's outputs, a buffer is made for them
   */
  async run(
    inputs: ReadonlyMap<ValueId, Float32Array>,
    read: readonly ValueId[] = this.plan.outputs,
  ): Promise<Map<ValueId, Tensor>> {
    if (read === this.plan.outputs) return this.runInto(this.outputs, inputs);
    const { value: readback, checked } = guarded(this.device, "read-back buffer", () =>
      makeReadback(this.device, this.plan, read),
    );
    try {
      await checked;
      return await this.runInto(readback, inputs);
    } finally {
      readback.buffer.destroy();
    }
  }

  /**
   * Runs the plan with a pass of its own for each step and gives the nanoseconds that each took on the GPU, by
   * timestamp queries. The device must have the feature "timestamp-query".
   */
  async time(inputs: ReadonlyMap<ValueId, Float32Array>): Promise<number[]> {
    const { device, dispatches } = this;
    const count = dispatches.length * 2;
    const { value, checked } = guarded(device, "timestamps", () => {
      const queries = device.createQuerySet({ type: "timestamp", count });
      const resolved = device.createBuffer({ size: count * 8, usage: bufferUsage.queryResolve | bufferUsage.copySrc });
      const readable = device.createBuffer({ size: count * 8, usage: bufferUsage.mapRead | bufferUsage.copyDst });
      this.writeInputs(inputs);
      const encoder = device.createCommandEncoder();
      dispatches.forEach((dispatch, step) => {
        const pass = encoder.beginComputePass({
          timestampWrites: {
            querySet: queries,
            beginningOfPassWriteIndex: step * 2,
            endOfPassWriteIndex: step * 2 + 1,
          },
        });
        this.dispatch(pass, dispatch, step);
        pass.end();
      });
      encoder.resolveQuerySet(queries, 0, count, resolved, 0);
      encoder.copyBufferToBuffer(resolved, 0, readable, 0, count * 8);
      device.queue.submit([encoder.finish()]);
      return { queries, resolved, readable };
    });
    try {
      await checked;
      await this.timedPatience.await(() => value.readable.mapAsync(mapModeRead));
      const stamps = new BigUint64Array(value.readable.getMappedRange());
      return dispatches.map((_, step) => Number(stamps[step * 2 + 1] - stamps[step * 2]));
    } finally {
      value.queries.destroy();
      value.resolved.destroy();
      value.readable.destroy();
    }
  }

  dispose(): void {
    this.arena.destroy();
    this.layers.destroy();
    this.outputs.buffer.destroy();
  }

  private async runInto(readback: Readback, inputs: ReadonlyMap<ValueId, Float32Array>): Promise<Map<ValueId, Tensor>> {
    const { device } = this;
    const { checked } = guarded(device, "run", () => {
      this.writeInputs(inputs);
      const encoder = device.createCommandEncoder();
      this.encode(encoder, readback);
      device.queue.submit([encoder.finish()]);
    });
    const mapped = this.patience.await(() => readback.buffer.mapAsync(mapModeRead));
    // Both must settle before the buffer is touched again, whichever of them fails.
    const [faults] = await Promise.allSettled([checked, mapped]);
    if (faults.status === "rejected") {
      readback.buffer.unmap();
      throw faults.reason;
    }
    await mapped;
    const range = readback.buffer.getMappedRange();
    const results = readback.taps.map(({ id, value, offset }): [ValueId, Tensor] => {
      const data = new Float32Array(range, offset, elementCount(value.shape)).slice();
      return [id, { shape: value.shape, data }];
    });
    readback.buffer.unmap();
    return new Map(results);
  }

  private writeInputs(inputs: ReadonlyMap<ValueId, Float32Array>): void {
    for (const id of this.plan.inputs) {
      const data = inputs.get(id)! as Float32Array<ArrayBuffer>;
      this.device.queue.writeBuffer(this.arena, this.plan.slots[this.plan.values[id].slot].offset, data);
    }
  }

  /** One pass over the steps, interrupted only where a value has to be copied out before its memory is reused. */
  private encode(encoder: GPUCommandEncoder, { taps, buffer }: Readback): void {
    const { steps, outputs } = this.plan;
    const last = steps.length - 1;
    // Outputs stay where they are until the end.
    const due = (tap: Tap) => (outputs.includes(tap.id) ? last : tap.value.readyAfter);
    const copyDue = (step: number) => {
      for (const tap of taps) if (due(tap) === step) this.encodeCopy(encoder, tap, buffer);
    };
    copyDue(-1);
    let pass: GPUComputePassEncoder | undefined;
    for (let step = 0; step <= last; step++) {
      pass ??= encoder.beginComputePass();
      this.dispatch(pass, this.dispatches[step], step);
      if (step === last || taps.some((tap) => due(tap) === step)) {
        pass.end();
        pass = undefined;
        copyDue(step);
      }
    }
  }

  private dispatch(pass: GPUComputePassEncoder, { pipeline, bindGroup }: Dispatch, step: number): void {
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, bindGroup);
    pass.dispatchWorkgroups(...this.plan.steps[step].workgroups);
  }

  /** Copies a value image by image, since it may be a slice of a wider one. */
  private encodeCopy(encoder: GPUCommandEncoder, { value, offset }: Tap, buffer: GPUBuffer): void {
    const images = imageCount(value.shape);
    const imageBytes = elementsPerImage(value.shape) * bytesPerElement;
    const whole = value.stride * bytesPerElement === imageBytes;
    const copies = whole ? 1 : images;
    for (let copy = 0; copy < copies; copy++) {
      encoder.copyBufferToBuffer(
        this.arena,
        this.plan.slots[value.slot].offset + (value.offset + copy * value.stride) * bytesPerElement,
        buffer,
        offset + copy * imageBytes,
        whole ? imageBytes * images : imageBytes,
      );
    }
  }
}

/** Bytes from one step's `Layer` to the next: WebGPU's alignment of uniform bindings, and more than any takes. */
const layerStride = 256;

/** Every step's `Layer` in one uniform buffer. */
function makeLayers(device: GPUDevice, { steps }: Plan): GPUBuffer {
  const contents = new DataView(new ArrayBuffer(Math.max(steps.length, 1) * layerStride));
  steps.forEach(({ kernel, layer }, step) => {
    const { layer: fields, floats = [] } = kernelNamed(kernel);
    fields.forEach((field, index) => {
      const offset = step * layerStride + index * 4;
      if (floats.includes(field)) contents.setFloat32(offset, layer[field], true);
      else contents.setUint32(offset, layer[field], true);
    });
  });
  const buffer = device.createBuffer({
    label: "layers",
    size: contents.byteLength,
    usage: bufferUsage.uniform | bufferUsage.copyDst,
  });
  device.queue.writeBuffer(buffer, 0, contents.buffer);
  return buffer;
}

function makeReadback(device: GPUDevice, plan: Plan, ids: readonly ValueId[]): Readback {
  let size = 0;
  const taps = ids.map((id): Tap => {
    const value = plan.values[id];
    const offset = size;
    size += elementCount(value.shape) * bytesPerElement;
    return { id, value, offset };
  });
  if (size > device.limits.maxBufferSize) {
    throw new EngineError(
      "out-of-memory",
      "read-back buffer",
      `the values take ${size} bytes, and the device's buffers at most ${device.limits.maxBufferSize}`,
      "read fewer values at once, or use a smaller batch",
    );
  }
  const usage = bufferUsage.mapRead | bufferUsage.copyDst;
  return { taps, buffer: device.createBuffer({ label: "read-back", size: Math.max(size, 4), usage }) };
}
