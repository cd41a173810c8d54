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
import type { Plan, PlannedValue, Step } from "../plan/plan.ts";
import { elementBytes } from "../plan/precision.ts";
import { bufferUsage, mapModeRead } from "./constants.ts";
import { type Dispatch, dispatch, makeDispatches, makeLayers } from "./dispatches.ts";
import { guarded } from "./errors.ts";
import type { ParameterBuffers } from "./parameters.ts";
import { Patience, pollingDevices } from "./patience.ts";
import type { PipelineCache } from "./pipelines.ts";
import { makeReadback, type Place, type Readback, readMapped, type ValueCopy } from "./readback.ts";
import { unshared } from "./shared_memory.ts";
import { Staging } from "./staging.ts";
import { timePasses } from "./timestamps.ts";

/** Told after each pipeline that is ready. */
export type CompileProgress = (done: number, total: number) => void;

/** Whether sources hold what callers have, float32, or what the arena does. */
export interface EncodeSources {
  readonly places: ReadonlyMap<ValueId, Place>;
  readonly asStored: boolean;
}

export class Program {
  readonly plan: Plan;
  private readonly device: GPUDevice;
  private readonly arena: GPUBuffer;
  private readonly layers: GPUBuffer;
  private readonly dispatches: readonly Dispatch[];
  private readonly pipelines: PipelineCache;
  /** How outputs go out; not needed where the arena holds float32, as callers do. */
  private readonly exit: Staging | undefined;
  /** How inputs come in, once they do as float32. */
  private entry: Promise<Staging | undefined> | undefined;
  private readyEntry: Staging | undefined;
  /** How values that are no outputs go out, for each set of them that was asked for. */
  private readonly exits = new Map<string, Staging>();
  private readonly patience: Patience;
  private readonly timedPatience: Patience;
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
    pipelines: PipelineCache,
    exit: Staging | undefined,
    outputs: Readback,
  ) {
    this.device = device;
    this.patience = new Patience(pollingDevices.has(device));
    this.timedPatience = new Patience(pollingDevices.has(device));
    this.plan = plan;
    this.arena = arena;
    this.layers = layers;
    this.dispatches = dispatches;
    this.pipelines = pipelines;
    this.exit = exit;
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
    const { value: layers, checked: layersChecked } = guarded(device, "layers", () => makeLayers(device, plan.steps));
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
        makeDispatches(device, plan.steps, compiled, pipelines, layers, (bound): GPUBufferBinding => {
          if (bound.kind === "parameter") return { buffer: parameterBuffers[bound.parameter] };
          if (bound.kind === "slot") {
            const { offset, bytes } = plan.slots[bound.slot];
            return { buffer: arena, offset, size: bytes };
          }
          return { buffer: parameters.unused() };
        }),
      );
      await checked;
      const exit =
        plan.precision === "f32"
          ? undefined
          : await Staging.create(device, plan, arena, pipelines, plan.outputs, "out");
      return new Program(device, plan, arena, layers, dispatches, pipelines, exit, outputs);
    } catch (error) {
      for (const buffer of [arena, layers, outputs.buffer]) buffer.destroy();
      throw error;
    }
  }

  /** Bytes of GPU memory that this program alone holds. */
  get bytes(): number {
    const staging = this.stagings().reduce((sum, { bytes }) => sum + bytes, 0);
    return this.ring.reduce((sum, { buffer }) => sum + buffer.size, this.arena.size + this.layers.size + staging);
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
    if (this.plan.precision !== "f32") await this.makeEntry();
    const readback = (ring ? this.idle.pop() : undefined) ?? (await this.makeReadback(read));
    let exit: Staging | undefined;
    try {
      exit = ring ? this.exit : await this.makeExit(read);
      return await this.runInto(readback, exit, inputs);
    } finally {
      if (!ring) exit?.dispose();
      if (!ring || this.disposed) readback.buffer.destroy();
      else this.idle.push(readback);
    }
  }

  /** Makes ready to encode runs that give these values out, and whose inputs hold what the arena does or float32. */
  async prepare(ids: readonly ValueId[], asStored: boolean): Promise<void> {
    if (!asStored) await this.makeEntry();
    const key = JSON.stringify(ids);
    if (this.exitFor(ids) || this.exits.has(key)) return;
    const exit = await this.makeExit(ids);
    if (!exit) return;
    // Another may have been as quick.
    if (this.exits.has(key) || this.disposed) exit.dispose();
    else this.exits.set(key, exit);
  }

  /**
   * Records the plan into an encoder: inputs are copied from one buffer to another, values likewise, and nothing
   * comes by the CPU. The places must be right for what lies there, and the values prepared.
   */
  encode(encoder: GPUCommandEncoder, sources: EncodeSources, targets: ReadonlyMap<ValueId, Place>): void {
    const entry = sources.asStored ? undefined : this.readyEntry;
    for (const [id, { buffer, offset }] of sources.places) {
      const staged = entry?.values.get(id);
      if (staged) {
        encoder.copyBufferToBuffer(buffer, offset, staged.buffer, 0, staged.bytes);
        continue;
      }
      for (const { inArena, outside, bytes } of this.pieces(this.plan.values[id])) {
        // Whole words: what an odd number of float16 leaves of the last is nobody's.
        encoder.copyBufferToBuffer(buffer, offset + outside, this.arena, inArena, Math.ceil(bytes / 4) * 4);
      }
    }
    this.encodeSteps(
      encoder,
      entry,
      [...targets].map(([id, place]) => ({ ...place, id, value: this.plan.values[id] })),
      this.exitFor([...targets.keys()]) ?? this.exits.get(JSON.stringify([...targets.keys()])),
    );
  }

  /**
   * Runs the plan with a pass of its own for each step, those that convert inputs and outputs among them, and gives
   * the nanoseconds that each took on the GPU, by timestamp queries. The device must have the feature "timestamp-query".
   */
  async time(inputs: ReadonlyMap<ValueId, Float32Array>): Promise<{ step: Step; nanoseconds: number }[]> {
    const entry = await this.makeEntry();
    const dispatches = [...conversionsOf(entry), ...this.dispatches, ...conversionsOf(this.exit)];
    const passes = dispatches.map((each) => (pass: GPUComputePassEncoder) => dispatch(pass, each));
    const nanoseconds = await timePasses(this.device, passes, this.timedPatience, () => this.writeInputs(inputs));
    return dispatches.map(({ step }, index) => ({ step, nanoseconds: nanoseconds[index] }));
  }

  /**
   * Runs some steps, all unless given, so many times over on what lies in memory, and gives the nanoseconds that it
   * took: on the GPU by timestamp queries where the device has them, else from the submission until it is done.
   */
  async measure(
    repetitions: number,
    { firstStep, steps }: Pick<Decision, "firstStep" | "steps"> = { firstStep: 0, steps: this.plan.steps.length },
  ): Promise<number> {
    const measured = this.dispatches.slice(firstStep, firstStep + steps);
    const all = (pass: GPUComputePassEncoder) => {
      for (let repetition = 0; repetition < repetitions; repetition++) {
        for (const each of measured) dispatch(pass, each);
      }
    };
    const { device } = this;
    if (device.features.has("timestamp-query")) {
      return (await timePasses(device, [all], this.timedPatience))[0];
    }
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
    for (const staging of this.stagings()) staging.dispose();
    for (const { buffer } of this.ring.splice(0)) buffer.destroy();
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

  private stagings(): Staging[] {
    return [this.exit, this.readyEntry, ...this.exits.values()].filter((staging) => staging !== undefined);
  }

  /** How values go out that the plan's outputs go out as. */
  private exitFor(ids: readonly ValueId[]): Staging | undefined {
    return ids.every((id) => this.exit?.values.has(id)) ? this.exit : undefined;
  }

  private makeEntry(): Promise<Staging | undefined> {
    this.entry ??= this.stageInputs().catch((error: unknown) => {
      this.entry = undefined;
      throw error;
    });
    return this.entry;
  }

  private async stageInputs(): Promise<Staging | undefined> {
    const { device, plan, arena, pipelines } = this;
    if (plan.precision === "f32") return undefined;
    const entry = await Staging.create(device, plan, arena, pipelines, plan.inputs, "in");
    if (this.disposed) entry.dispose();
    else this.readyEntry = entry;
    return entry;
  }

  private async makeExit(ids: readonly ValueId[]): Promise<Staging | undefined> {
    if (!this.exit) return undefined;
    return Staging.create(this.device, this.plan, this.arena, this.pipelines, ids, "out");
  }

  private async runInto(
    readback: Readback,
    exit: Staging | undefined,
    inputs: ReadonlyMap<ValueId, Float32Array>,
  ): Promise<Map<ValueId, Tensor>> {
    const { device } = this;
    const { checked } = guarded(device, "run", () => {
      this.writeInputs(inputs);
      const encoder = device.createCommandEncoder();
      this.encodeSteps(encoder, this.readyEntry, readback.copies, exit);
      // A buffer that nothing is copied into would be mapped before the run is done.
      if (readback.copies.length === 0) encoder.copyBufferToBuffer(this.arena, 0, readback.buffer, 0, 4);
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
      const data = unshared(inputs.get(id)!);
      const staged = this.readyEntry?.values.get(id);
      if (staged) this.device.queue.writeBuffer(staged.buffer, 0, data);
      else this.device.queue.writeBuffer(this.arena, this.plan.slots[this.plan.values[id].slot].offset, data);
    }
  }

  /**
   * One pass over the steps. Values are given out right after the step that makes them whole, before their memory
   * serves others: by a dispatch that converts them or, interrupting the pass, by a copy.
   */
  private encodeSteps(
    encoder: GPUCommandEncoder,
    entry: Staging | undefined,
    copies: readonly ValueCopy[],
    exit: Staging | undefined,
  ): void {
    const { outputs } = this.plan;
    const last = this.dispatches.length - 1;
    // Outputs stay where they are until the end.
    const due = (copy: ValueCopy) => (outputs.includes(copy.id) ? last : copy.value.readyAfter);
    let pass: GPUComputePassEncoder | undefined;
    let current: GPUComputePipeline | undefined;
    const compute = (each: Dispatch) => {
      if (!pass) current = undefined;
      dispatch((pass ??= encoder.beginComputePass()), each, current);
      current = each.pipeline;
    };
    const endPass = () => {
      pass?.end();
      pass = undefined;
    };
    const giveOut = (step: number) => {
      for (const copy of copies) {
        if (due(copy) !== step) continue;
        if (exit) {
          compute(exit.values.get(copy.id)!.dispatch);
        } else {
          endPass();
          this.encodeCopy(encoder, copy);
        }
      }
    };
    for (const conversion of conversionsOf(entry)) compute(conversion);
    giveOut(-1);
    this.dispatches.forEach((each, step) => {
      compute(each);
      giveOut(step);
    });
    endPass();
    if (!exit) return;
    for (const { id, buffer, offset } of copies) {
      const staged = exit.values.get(id)!;
      encoder.copyBufferToBuffer(staged.buffer, 0, buffer, offset, staged.bytes);
    }
  }

  private encodeCopy(encoder: GPUCommandEncoder, { value, buffer, offset }: ValueCopy): void {
    for (const { inArena, outside, bytes } of this.pieces(value)) {
      encoder.copyBufferToBuffer(this.arena, inArena, buffer, offset + outside, bytes);
    }
  }

  /** Where a value lies in the arena and, image after image, outside it: it may be a slice of a wider one. */
  private pieces({ shape, slot, offset, stride }: PlannedValue): { inArena: number; outside: number; bytes: number }[] {
    const image = elementsPerImage(shape);
    const bytes = elementBytes[this.plan.precision];
    const [count, elements] = stride === image ? [1, elementCount(shape)] : [imageCount(shape), image];
    return Array.from({ length: count }, (_, piece) => ({
      inArena: this.plan.slots[slot].offset + (offset + piece * stride) * bytes,
      outside: piece * elements * bytes,
      bytes: elements * bytes,
    }));
  }
}

function conversionsOf(staging: Staging | undefined): Dispatch[] {
  return staging ? [...staging.values.values()].map((staged) => staged.dispatch) : [];
}
