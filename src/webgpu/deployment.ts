/**
 * A network on one device: its pipelines, its parameters, and a program for each batch size that it met lately. It
 * ends with the device.
 */

import { EngineError } from "../errors.ts";
import { inferShapesForBatch, type Parameter, type ShapedGraph } from "../graph/graph.ts";
import type { Model } from "../graph/model.ts";
import { elementCount, formatShape, sameShape } from "../graph/tensor.ts";
import type { Weights } from "../graph/weights.ts";
import type { PlanLimits } from "../plan/limits.ts";
import { largestBatch, splitBatch } from "../plan/batches.ts";
import { planGraph, type PlanOptions } from "../plan/planner.ts";
import { describe, isFloat32Array } from "./batches.ts";
import { limitsOf } from "./device.ts";
import type { KernelSource } from "./kernel_source.ts";
import { type Fate, fateOf } from "./loss.ts";
import { ParameterBuffers } from "./parameters.ts";
import { PipelineCache } from "./pipelines.ts";
import { type CompileProgress, Program } from "./program.ts";

/** Programs for this many batch sizes are kept; the one that was not used for longest makes room. */
const keptPrograms = 4;

export interface DeploymentOptions extends PlanOptions {
  readonly kernels: KernelSource;
  readonly limits?: PlanLimits;
}

/** A program that stays until it is released. */
export interface Lease {
  readonly program: Program;
  readonly release: () => void;
  /** Makes it the one program for its batch size that stays to the end, released or not. */
  readonly keep: () => void;
}

interface Entry {
  readonly program: Promise<Program>;
  users: number;
  kept: boolean;
}

/** One part of a batch: the images from `start` on. */
export interface Part {
  readonly start: number;
  readonly images: number;
}

export class Deployment {
  readonly device: GPUDevice;
  private readonly model: Model;
  private readonly options: DeploymentOptions;
  private readonly limits: PlanLimits;
  private readonly fate: Fate;
  private readonly pipelines: PipelineCache;
  private readonly parameters: ParameterBuffers;
  /** The least recently used first. */
  private readonly entries = new Map<number, Entry>();
  /** Every program that has memory, those that made room and are still in use among them. */
  private readonly programs = new Set<Program>();
  private readonly single: ShapedGraph;
  /** The largest batch that is known to fit the device whole. */
  private fitting = 0;
  /** The largest that does, once a batch was met that does not; 0 where none can be split. */
  private most: number | undefined;
  private disposed = false;

  constructor(device: GPUDevice, model: Model, options: DeploymentOptions) {
    this.device = device;
    this.model = model;
    this.options = options;
    this.limits = options.limits ?? limitsOf(device);
    this.single = inferShapesForBatch(model.graph, 1);
    checkParameters(this.single.parameters, model.weights);
    this.fate = fateOf(device);
    this.pipelines = new PipelineCache(device, options.kernels);
    this.parameters = new ParameterBuffers(device, model.weights);
  }

  /** Why nothing more comes of it, once the device was lost. */
  get lost(): EngineError | undefined {
    return this.fate.lost;
  }

  get bytes(): number {
    return [...this.programs].reduce((sum, program) => sum + program.bytes, this.parameters.bytes);
  }

  /** Does something on the device. Where that was lost meanwhile, this is what it rejects with. */
  async guard<T>(work: () => Promise<T>): Promise<T> {
    try {
      this.checkAlive();
      const result = await work();
      // A lost device makes what look like buffers and pipelines, and no error.
      this.checkAlive();
      return result;
    } catch (error) {
      // A lost device shows as one failed call or another; whatever they say, this is why. Its promise settles
      // before theirs do, or in the same turn of the event loop.
      await Promise.resolve();
      this.checkAlive();
      throw error;
    }
  }

  /** The parts in which the device runs a batch of this size: one, unless it is too large. */
  parts(batch: number): readonly Part[] {
    let start = 0;
    return this.sizes(batch).map((images) => {
      start += images;
      return { start: start - images, images };
    });
  }

  /** The program for batches of this size, compiled where there is none yet. */
  async lease(batch: number, onProgress?: CompileProgress): Promise<Lease> {
    const entry = this.entries.get(batch) ?? { program: this.compile(batch, onProgress), users: 0, kept: false };
    this.entries.delete(batch);
    this.entries.set(batch, entry);
    entry.users++;
    let released = false;
    const release = () => {
      if (released) return;
      released = true;
      entry.users--;
      this.letGo(batch, entry);
    };
    const keep = () => {
      // Where it made room meanwhile and another was compiled, it stays in use.
      if ((this.entries.get(batch) ?? entry) !== entry) entry.users++;
      else this.entries.set(batch, entry);
      entry.kept = true;
    };
    this.makeRoom();
    try {
      return { program: await entry.program, release, keep };
    } catch (error) {
      if (this.entries.get(batch) === entry) this.entries.delete(batch);
      release();
      throw error;
    }
  }

  dispose(): void {
    this.disposed = true;
    this.entries.clear();
    for (const program of this.programs) program.dispose();
    this.programs.clear();
    this.parameters.dispose();
  }

  /** Throws EngineError "device-lost" once the device was lost or the session disposed of. */
  checkAlive(): void {
    if (this.disposed) throw sessionDisposed();
    if (this.lost) throw this.lost;
  }

  private async compile(batch: number, onProgress?: CompileProgress): Promise<Program> {
    const plan = planGraph(inferShapesForBatch(this.model.graph, batch), this.limits, this.options);
    let program: Program;
    try {
      program = await Program.create(this.device, plan, this.pipelines, this.parameters, onProgress);
    } finally {
      // It may have uploaded parameters after the disposal.
      if (this.disposed) this.parameters.dispose();
    }
    if (this.disposed) {
      program.dispose();
      throw sessionDisposed();
    }
    this.programs.add(program);
    return program;
  }

  private makeRoom(): void {
    const passing = [...this.entries].filter(([, { kept }]) => !kept);
    if (passing.length <= keptPrograms) return;
    const [[batch, entry]] = passing;
    this.entries.delete(batch);
    this.letGo(batch, entry);
  }

  /** Frees a program that made room once nobody uses it. */
  private letGo(batch: number, entry: Entry): void {
    if (entry.users > 0 || this.entries.get(batch) === entry) return;
    entry.program.then(
      (program) => {
        program.dispose();
        this.programs.delete(program);
      },
      // It has no memory; whoever asked for it hears why.
      () => undefined,
    );
  }

  private sizes(batch: number): readonly number[] {
    if (batch <= this.fitting) return [batch];
    this.most ??= largestBatch(this.single, this.limits, batch, this.options);
    if (this.most >= batch) {
      // It fits whole; how much more would is not known.
      this.fitting = batch;
      this.most = undefined;
      return [batch];
    }
    return splitBatch(batch, this.most);
  }
}

/** Throws EngineError "weights" for a parameter that is missing, of another shape, or no float32 array of it. */
function checkParameters(parameters: readonly Parameter[], weights: Weights): void {
  for (const { name, shape } of parameters) {
    const tensor = weights.get(name);
    if (!tensor) throw new EngineError("weights", name, "it is missing", "give weights that hold it");
    const concern = { layer: name.slice(0, name.lastIndexOf(".")), shapes: { given: tensor.shape, expected: shape } };
    const remedy = `give ${formatShape(shape)} as float32`;
    if (!Array.isArray(tensor.shape) || !sameShape(tensor.shape, shape)) {
      const problem = `its shape is ${Array.isArray(tensor.shape) ? formatShape(tensor.shape) : describe(tensor.shape)}`;
      throw new EngineError("weights", name, problem, remedy, concern);
    }
    if (!isFloat32Array(tensor.data) || tensor.data.length !== elementCount(shape)) {
      const problem = `its data is ${describe(tensor.data)}`;
      throw new EngineError("weights", name, `${problem} of ${tensor.data?.length} elements`, remedy, concern);
    }
  }
}

export function sessionDisposed(): EngineError {
  return new EngineError("device-lost", "session", "it was disposed of", "make a new one");
}
