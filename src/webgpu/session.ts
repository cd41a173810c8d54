/// <reference lib="esnext.disposable" preserve="true" />
/**
 * A graph with its weights on a device, ready to run batches of any size: it plans and compiles a program for each
 * batch size that it meets, splits batches that the device can't hold, and takes concurrent calls one after another.
 */

import { EngineError } from "../errors.ts";
import { type Graph, inferShapesForBatch, type ShapedGraph, type ValueId } from "../graph/graph.ts";
import { elementCount, elementsPerImage, formatShape, type Shape, type Tensor } from "../graph/tensor.ts";
import type { Weights } from "../graph/weights.ts";
import type { PlanLimits } from "../plan/limits.ts";
import type { Plan, Step } from "../plan/plan.ts";
import { largestBatch, planGraph, type PlanOptions, splitBatch } from "../plan/planner.ts";
import { limitsOf } from "./device.ts";
import { deviceLost } from "./errors.ts";
import type { KernelSource } from "./kernel_source.ts";
import { ParameterBuffers } from "./parameters.ts";
import { PipelineCache } from "./pipelines.ts";
import { type CompileProgress, Program } from "./program.ts";

/** Programs for this many batch sizes are kept; the one that was not used for longest makes room. */
const keptPrograms = 4;

export interface SessionOptions extends PlanOptions {
  readonly device: GPUDevice;
  /** Gives the text of kernels/NAME.wgsl. */
  readonly kernels: KernelSource;
  /** The batch size to compile for at once; others are compiled when they first come. 1 unless given. */
  readonly batch?: number;
  /** Limits to plan for, where they should be tighter than the device's. */
  readonly limits?: PlanLimits;
  /** Told after each pipeline that is ready. */
  readonly onProgress?: CompileProgress;
}

export interface RunOptions {
  /** The blobs to give back, any that the plan leaves in memory at some time; the graph's outputs unless given. */
  readonly outputs?: readonly ValueId[];
}

export class Session implements Disposable {
  readonly graph: Graph;
  private readonly options: SessionOptions;
  private readonly device: GPUDevice;
  private readonly limits: PlanLimits;
  private readonly pipelines: PipelineCache;
  private readonly parameters: ParameterBuffers;
  /** The least recently used first. */
  private readonly programs = new Map<number, Program>();
  private readonly single: ShapedGraph;
  /** The largest batch that is known to fit the device whole. */
  private fitting = 0;
  /** The largest that does, once a batch was met that does not; 0 where none can be split. */
  private most: number | undefined;
  /** Settles when the calls before have: one at a time may use a program's buffers. */
  private queue: Promise<unknown> = Promise.resolve();
  private lost: EngineError | undefined;
  private disposed = false;

  private constructor(graph: Graph, weights: Weights, options: SessionOptions) {
    this.graph = graph;
    this.options = options;
    this.device = options.device;
    this.limits = options.limits ?? limitsOf(options.device);
    this.single = inferShapesForBatch(graph, 1);
    this.pipelines = new PipelineCache(options.device, options.kernels);
    this.parameters = new ParameterBuffers(options.device, weights);
    void options.device.lost.then((info) => {
      this.lost = deviceLost(info);
    });
  }

  /**
   * Plans, compiles and uploads. The graph's first input extent must be the batch `N`.
   * Rejects with EngineError "weights", "out-of-memory", "gpu" or "device-lost".
   */
  static async create(graph: Graph, weights: Weights, options: SessionOptions): Promise<Session> {
    const session = new Session(graph, weights, options);
    try {
      await session.program(session.parts(options.batch ?? 1)[0], options.onProgress);
      // A device lost before makes what look like buffers and pipelines, and no error.
      session.checkAlive();
      return session;
    } catch (error) {
      session.dispose();
      throw session.lost ?? error;
    }
  }

  /** The plan that `run` uses for a batch of this size, or for the first part of it where it has to be split. */
  async plan(batch = this.options.batch ?? 1): Promise<Plan> {
    return (await this.exclusive(() => this.program(this.parts(batch)[0]))).plan;
  }

  /** Bytes of GPU memory that the session holds. */
  get bytes(): number {
    return [...this.programs.values()].reduce((sum, program) => sum + program.bytes, this.parameters.bytes);
  }

  /**
   * Runs the graph on a batch: the inputs' first extent. Calls made meanwhile wait their turn.
   *
   * Rejects with EngineError "array" for inputs of the wrong shape, "usage" for outputs that the plan doesn't have,
   * "device-lost" where the device was lost before the results were back.
   */
  async run(inputs: Readonly<Record<ValueId, Tensor>>, { outputs }: RunOptions = {}): Promise<Record<ValueId, Tensor>> {
    const batch = this.checkInputs(inputs);
    return this.exclusive(async () => {
      const results = new Map<ValueId, Tensor[]>();
      let start = 0;
      for (const part of this.parts(batch)) {
        const program = await this.program(part);
        if (outputs) checkOutputs(program.plan, outputs);
        for (const [id, tensor] of await program.run(slice(inputs, start, part, batch), outputs)) {
          results.set(id, [...(results.get(id) ?? []), tensor]);
        }
        start += part;
      }
      return Object.fromEntries([...results].map(([id, parts]) => [id, join(parts)]));
    });
  }

  /**
   * The nanoseconds that each step takes on the GPU for this batch, which must fit the device whole. The device must
   * have the feature "timestamp-query".
   */
  async time(inputs: Readonly<Record<ValueId, Tensor>>): Promise<{ step: Step; nanoseconds: number }[]> {
    const batch = this.checkInputs(inputs);
    if (!this.device.features.has("timestamp-query")) {
      throw new EngineError("adapter", "GPU device", "it has no timestamp queries", "profile on another adapter");
    }
    return this.exclusive(async () => {
      const [part] = this.parts(batch);
      const program = await this.program(part);
      const times = await program.time(slice(inputs, 0, part, batch));
      return program.plan.steps.map((step, index) => ({ step, nanoseconds: times[index] }));
    });
  }

  /** Lets go of every buffer. Calls still waiting reject; the device stays the caller's. */
  dispose(): void {
    this.disposed = true;
    for (const program of this.programs.values()) program.dispose();
    this.programs.clear();
    this.parameters.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  private async exclusive<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.queue.then(async () => {
      this.checkAlive();
      try {
        const result = await work();
        this.checkAlive();
        return result;
      } catch (error) {
        // A lost device shows as one failed call or another; whatever they say, this is why. Its promise settles
        // before theirs do, or in the same turn of the event loop.
        await Promise.resolve();
        this.checkAlive();
        throw error;
      }
    });
    this.queue = turn.catch(() => undefined);
    return turn;
  }

  private checkAlive(): void {
    if (this.disposed) {
      throw new EngineError("device-lost", "session", "it was disposed of", "make a new one");
    }
    if (this.lost) throw this.lost;
  }

  private async program(batch: number, onProgress?: CompileProgress): Promise<Program> {
    let program = this.programs.get(batch);
    if (!program) {
      const plan = planGraph(inferShapesForBatch(this.graph, batch), this.limits, this.options);
      try {
        program = await Program.create(this.device, plan, this.pipelines, this.parameters, onProgress);
      } finally {
        // It may have uploaded parameters after the disposal.
        if (this.disposed) this.parameters.dispose();
      }
      if (this.disposed) {
        program.dispose();
        this.checkAlive();
      }
    }
    this.programs.delete(batch);
    this.programs.set(batch, program);
    if (this.programs.size > keptPrograms) {
      const [[oldest, unused]] = this.programs;
      unused.dispose();
      this.programs.delete(oldest);
    }
    return program;
  }

  /** The sizes of the batches that the device runs for one of this size. */
  private parts(batch: number): readonly number[] {
    if (batch <= this.fitting) return [batch];
    this.most ??= largestBatch(this.single, this.limits, batch, this.options);
    if (this.most >= batch) {
      // It fits whole; how much more would is not known.
      this.fitting = batch;
      this.most = undefined;
      return [batch];
    }
    // Where not even one image fits, planning says which value is too large.
    return this.most === 0 ? [batch] : splitBatch(batch, this.most);
  }

  /** What the inputs bind `N` to; one batch of a graph without is the graph as it stands. */
  private batchOf(inputs: Readonly<Record<ValueId, Tensor>>): number {
    const free = this.graph.inputs.find(({ shape }) => shape.includes("N"));
    return free ? (inputs[free.name]?.shape[free.shape.indexOf("N")] ?? 0) : 1;
  }

  private checkInputs(inputs: Readonly<Record<ValueId, Tensor>>): number {
    const batch = this.batchOf(inputs);
    for (const { name, shape } of this.graph.inputs) {
      const wanted = shape.map((extent) => (extent === "N" ? batch : extent));
      checkInput(name, inputs[name], wanted);
    }
    for (const name of Object.keys(inputs)) {
      if (!this.graph.inputs.some((input) => input.name === name)) {
        const known = this.graph.inputs.map((input) => input.name).join(", ");
        throw new EngineError("usage", `input "${name}"`, `${this.graph.name} has none`, `give ${known}`);
      }
    }
    return batch;
  }
}

function checkInput(name: ValueId, tensor: Tensor | undefined, wanted: readonly (number | string)[]): void {
  const subject = `input "${name}"`;
  if (!tensor) throw new EngineError("array", subject, "it is missing", `give ${formatShape(wanted)}`);
  const { shape, data } = tensor;
  if (shape.length !== wanted.length || shape.some((extent, axis) => extent !== wanted[axis] || extent < 1)) {
    throw new EngineError("array", subject, `its shape is ${formatShape(shape)}`, `give ${formatShape(wanted)}`);
  }
  if (data.length !== elementCount(shape)) {
    throw new EngineError(
      "array",
      subject,
      `it has ${data.length} elements for shape ${formatShape(shape)}`,
      `give ${elementCount(shape)}`,
    );
  }
}

function checkOutputs(plan: Plan, outputs: readonly ValueId[]): void {
  for (const id of outputs) {
    if (!Object.hasOwn(plan.values, id)) {
      throw new EngineError(
        "usage",
        `blob "${id}"`,
        "the plan does not keep it",
        "name another, or make the session with fuse: false for those that fusion removes",
      );
    }
  }
}

/** `count` images of every input, from the image `start` on. Only inputs that are all batches are ever cut. */
function slice(
  inputs: Readonly<Record<ValueId, Tensor>>,
  start: number,
  count: number,
  batch: number,
): Map<ValueId, Float32Array> {
  return new Map(
    Object.entries(inputs).map(([id, { shape, data }]) => {
      const image = elementsPerImage(shape);
      return [id, count === batch ? data : data.subarray(start * image, (start + count) * image)];
    }),
  );
}

/** Joins the parts of a batch along its first axis. */
function join(parts: readonly Tensor[]): Tensor {
  if (parts.length === 1) return parts[0];
  const shape: Shape = parts[0].shape.with(
    0,
    parts.reduce((sum, part) => sum + part.shape[0], 0),
  );
  const data = new Float32Array(elementCount(shape));
  let offset = 0;
  for (const part of parts) {
    data.set(part.data, offset);
    offset += part.data.length;
  }
  return { shape, data };
}
