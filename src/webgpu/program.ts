/**
 * A plan made ready to run on a device: its activations' buffer, its bind groups, its read-back buffers. Running it
 * encodes one pass over the steps and submits once, and makes no GPU object but the command buffer.
 *
 * Any number of runs may be under way at once, for a submission writes its inputs, computes, and copies its results
 * away before the next one starts; only what results are read through is each run's own.
 */

import type { ValueId } from "../graph/graph.ts";
import { elementCount, elementsPerImage, imageCount, type Tensor } from "../graph/tensor.ts";
import type { Decision } from "../plan/choices.ts";
import { bytesPerElement, type Plan, type PlannedValue } from "../plan/plan.ts";
import { kernelNamed } from "../plan/registry.ts";
import { bufferUsage, mapModeRead } from "./constants.ts";
import { guarded } from "./errors.ts";
import type { ParameterBuffers } from "./parameters.ts";
import { Patience } from "./patience.ts";
import type { PipelineCache } from "./pipelines.ts";
import { makeReadback, type Place, type Readback, readMapped, type Tap } from "./readback.ts";

/** Told after each pipeline that is ready. */
export type CompileProgress = (done: number, total: number) => void;

interface Dispatch {
  readonly pipeline: GPUComputePipeline;
  readonly bindGroup: GPUBindGroup;
}

export class Program {
  readonly plan: Plan;
  private readonly device: GPUDevice;
  private readonly arena: GPUBuffer;
  private readonly layers: GPUBuffer;
  private readonly dispatches: readonly Dispatch[];
  private readonly patience = new Patience();
  private readonly timedPatience = new Patience();
  /** For the plan's outputs: as many as runs were under way at once. */
  private readonly ring: Readback[];
  /** Those of the ring that no run uses. */
  private readonly idle: Readback[];
  private disposed = false;

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
    this.ring = [outputs];
    this.idle = [outputs];
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
    return this.ring.reduce((sum, { buffer }) => sum + buffer.size, this.arena.size + this.layers.size);
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
    const ring = read === this.plan.outputs;
    const readback = (ring ? this.idle.pop() : undefined) ?? (await this.makeReadback(read));
    try {
      return await this.runInto(readback, inputs);
    } finally {
      if (!ring || this.disposed) readback.buffer.destroy();
      else this.idle.push(readback);
    }
  }

  /**
   * Records the plan into an encoder: inputs are copied from one buffer to another, values likewise, and nothing
   * comes by the CPU. The places must be right for what lies there.
   */
  encode(encoder: GPUCommandEncoder, sources: ReadonlyMap<ValueId, Place>, targets: ReadonlyMap<ValueId, Place>): void {
    for (const [id, { buffer, offset }] of sources) {
      for (const { inArena, outside, bytes } of this.pieces(this.plan.values[id])) {
        encoder.copyBufferToBuffer(buffer, offset + outside, this.arena, inArena, bytes);
      }
    }
    this.encodeSteps(
      encoder,
      [...targets].map(([id, place]) => ({ ...place, id, value: this.plan.values[id] })),
    );
  }

  /**
   * Runs the plan with a pass of its own for each step and gives the nanoseconds that each took on the GPU, by
   * timestamp queries. The device must have the feature "timestamp-query".
   */
  async time(inputs: ReadonlyMap<ValueId, Float32Array>): Promise<number[]> {
    return this.timePasses(
      this.dispatches.map((dispatch, step) => (pass) => this.dispatch(pass, dispatch, step)),
      () => this.writeInputs(inputs),
    );
  }

  /**
   * Runs some steps, all unless given, so many times over on what lies in memory, and gives the nanoseconds that it
   * took: on the GPU by timestamp queries where the device has them, else from the submission until it is done.
   */
  async measure(
    repetitions: number,
    { firstStep, steps }: Pick<Decision, "firstStep" | "steps"> = { firstStep: 0, steps: this.plan.steps.length },
  ): Promise<number> {
    const all = (pass: GPUComputePassEncoder) => {
      for (let repetition = 0; repetition < repetitions; repetition++) {
        for (let step = firstStep; step < firstStep + steps; step++) this.dispatch(pass, this.dispatches[step], step);
      }
    };
    const { device } = this;
    if (device.features.has("timestamp-query")) return (await this.timePasses([all]))[0];
    const start = performance.now();
    const { checked } = guarded(device, "run", () => {
      const encoder = device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      all(pass);
      pass.end();
      device.queue.submit([encoder.finish()]);
    });
    await device.queue.onSubmittedWorkDone();
    const nanoseconds = (performance.now() - start) * 1e6;
    await checked;
    return nanoseconds;
  }

  dispose(): void {
    this.disposed = true;
    this.arena.destroy();
    this.layers.destroy();
    for (const { buffer } of this.ring.splice(0)) buffer.destroy();
  }

  /** The nanoseconds that each of several passes took, by timestamp queries, once `prepare` was done. */
  private async timePasses(
    passes: readonly ((pass: GPUComputePassEncoder) => void)[],
    prepare: () => void = () => undefined,
  ): Promise<number[]> {
    const { device } = this;
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
      await this.timedPatience.await(() => value.readable.mapAsync(mapModeRead));
      const stamps = new BigUint64Array(value.readable.getMappedRange());
      return passes.map((_, index) => Number(stamps[index * 2 + 1] - stamps[index * 2]));
    } finally {
      value.queries.destroy();
      value.resolved.destroy();
      value.readable.destroy();
    }
  }

  private async makeReadback(read: readonly ValueId[]): Promise<Readback> {
    const { value, checked } = guarded(this.device, "read-back buffer", () =>
      makeReadback(this.device, this.plan, read),
    );
    try {
      await checked;
    } catch (error) {
      value.buffer.destroy();
      throw error;
    }
    if (read === this.plan.outputs) this.ring.push(value);
    return value;
  }

  private async runInto(readback: Readback, inputs: ReadonlyMap<ValueId, Float32Array>): Promise<Map<ValueId, Tensor>> {
    const { device } = this;
    const { checked } = guarded(device, "run", () => {
      this.writeInputs(inputs);
      const encoder = device.createCommandEncoder();
      this.encodeSteps(encoder, readback.taps);
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
    const results = readMapped(readback);
    readback.buffer.unmap();
    return results;
  }

  private writeInputs(inputs: ReadonlyMap<ValueId, Float32Array>): void {
    for (const id of this.plan.inputs) {
      const data = inputs.get(id)! as Float32Array<ArrayBuffer>;
      this.device.queue.writeBuffer(this.arena, this.plan.slots[this.plan.values[id].slot].offset, data);
    }
  }

  /** One pass over the steps, interrupted only where a value has to be copied out before its memory is reused. */
  private encodeSteps(encoder: GPUCommandEncoder, taps: readonly Tap[]): void {
    const { steps, outputs } = this.plan;
    const last = steps.length - 1;
    // Outputs stay where they are until the end.
    const due = (tap: Tap) => (outputs.includes(tap.id) ? last : tap.value.readyAfter);
    const copyDue = (step: number) => {
      for (const tap of taps) if (due(tap) === step) this.encodeCopy(encoder, tap);
    };
    copyDue(-1);
    let pass: GPUComputePassEncoder | undefined;
    for (let step = 0; step <= last; step++) {
      const before = pass && this.dispatches[step - 1].pipeline;
      pass ??= encoder.beginComputePass();
      this.dispatch(pass, this.dispatches[step], step, before);
      if (step === last || taps.some((tap) => due(tap) === step)) {
        pass.end();
        pass = undefined;
        copyDue(step);
      }
    }
  }

  /** @param current - the pipeline that the pass has: to set it again would cost the CPU and change nothing */
  private dispatch(
    pass: GPUComputePassEncoder,
    { pipeline, bindGroup }: Dispatch,
    step: number,
    current?: GPUComputePipeline,
  ): void {
    if (pipeline !== current) pass.setPipeline(pipeline);
    pass.setBindGroup(0, bindGroup);
    pass.dispatchWorkgroups(...this.plan.steps[step].workgroups);
  }

  private encodeCopy(encoder: GPUCommandEncoder, { value, buffer, offset }: Tap): void {
    for (const { inArena, outside, bytes } of this.pieces(value)) {
      encoder.copyBufferToBuffer(this.arena, inArena, buffer, offset + outside, bytes);
    }
  }

  /** Where a value lies in the arena and, image after image, outside it: it may be a slice of a wider one. */
  private pieces({ shape, slot, offset, stride }: PlannedValue): { inArena: number; outside: number; bytes: number }[] {
    const image = elementsPerImage(shape);
    const [count, elements] = stride === image ? [1, elementCount(shape)] : [imageCount(shape), image];
    return Array.from({ length: count }, (_, piece) => ({
      inArena: this.plan.slots[slot].offset + (offset + piece * stride) * bytesPerElement,
      outside: piece * elements * bytesPerElement,
      bytes: elements * bytesPerElement,
    }));
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
