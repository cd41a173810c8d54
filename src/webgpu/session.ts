/// <reference lib="esnext.disposable" preserve="true" />
/**
 * A network ready to run batches of any size: it plans and compiles a program for each batch size that it meets, splits
 * batches that the device can't hold, and lets concurrent calls in one after another, a few of them under way at once.
 */

import { EngineError } from "../errors.ts";
import type { Graph, ValueId } from "../graph/graph.ts";
import type { Model } from "../graph/model.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { Weights } from "../graph/weights.ts";
import type { Plan, Step } from "../plan/plan.ts";
import type { Precision } from "../plan/precision.ts";
import { orAborted, untilAborted } from "./abort.ts";
import { checkInputs, describe, type Inputs, join, slice } from "./batches.ts";
import { type Buffers, IoBinding } from "./binding.ts";
import { Deployment, type DeploymentOptions, type Part, sessionDisposed } from "./deployment.ts";
import { guarded } from "./errors.ts";
import { checkDevice, checkKernels, checkLimits, checkOptions } from "./options.ts";
import { checkOutputs } from "./outputs.ts";
import type { CompileProgress, Program } from "./program.ts";
import { inOrder } from "./stream.ts";
import { Turns } from "./turns.ts";

/**
 * Batches under way on the device at once: while one is computed the next is uploaded and encoded, and the one before
 * read back. More would only wait.
 */
const underWay = 3;

/** Where and how a session runs. */
export interface SessionOptions extends DeploymentOptions {
  /**
   * The device; or a function that opens one, such as `openDevice`. The function is called at once, and again at
   * the first call after its device was lost: what was under way then rejects, and the session carries on.
   */
  readonly device: GPUDevice | (() => GPUDevice | Promise<GPUDevice>);
  /** Whether the device goes with the session: `dispose` destroys it. Unless given it stays the caller's. */
  readonly ownsDevice?: boolean;
  /** The batch size to compile for at once; others are compiled when they first come. 1 unless given. */
  readonly batch?: number;
  /** Told after each pipeline that is ready, while the session is made. */
  readonly onProgress?: CompileProgress;
  /** Gives up making the session: `create` rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** What one call of `run` gives back, and how it is followed and given up. */
export interface RunOptions {
  /**
   * The blobs to give back, any that the plan leaves in memory at some time; the graph's outputs unless given. With
   * none the call is done once the device is.
   */
  readonly outputs?: readonly ValueId[];
  /** Gives the call up: it rejects with the signal's reason, at once, and if it still waits for its turn, leaves. */
  readonly signal?: AbortSignal;
  /** Told how many images are done, after each part of a batch that has to be split. */
  readonly onProgress?: (images: number, of: number) => void;
}

/** What `stream` gives back, and how far it runs ahead. */
export interface StreamOptions extends Pick<RunOptions, "outputs" | "signal"> {
  /** Inputs under way or waiting to be fetched at once, at most. 3 unless given. */
  readonly depth?: number;
}

/** How large the batch in the caller's buffers is. */
export interface EncodeOptions {
  /** Images of the inputs; as many as the session was made for unless given. */
  readonly batch?: number;
  /** What the input buffers hold: `f32` unless given, or `f16`, in whole words, where the session computes in that. */
  readonly inputPrecision?: Precision;
}

/** Blobs by name. */
export type Outputs = Record<ValueId, Tensor>;

/** A network on a device, ready to run batches of any size, from any number of callers at once. */
export class Session implements Disposable {
  readonly graph: Graph;
  private readonly model: Model;
  private readonly options: SessionOptions;
  private readonly turns = new Turns();
  private deployment: Deployment;
  /** The next deployment, while it is made after a loss. */
  private recovery: Promise<Deployment> | undefined;
  private disposed = false;

  private constructor(model: Model, options: SessionOptions, device: GPUDevice) {
    this.graph = model.graph;
    this.model = model;
    this.options = options;
    this.deployment = deploy(device, model, options);
  }

  /**
   * Plans, compiles and uploads. The graph's first input extent must be the batch `N`.
   *
   * Rejects with EngineError "weights", "out-of-memory", "gpu", "device-lost", or "usage" for a wrong option.
   *
   * @example
   * ```ts
   * using session = await Session.create(model, { device, kernels, batch: 8 });
   * console.log(session.inputNames, session.outputNames);
   * ```
   */
  static create(model: Model, options: SessionOptions): Promise<Session>;
  static create(graph: Graph, weights: Weights, options: SessionOptions): Promise<Session>;
  static async create(
    first: Model | Graph,
    second: SessionOptions | Weights,
    third?: SessionOptions,
  ): Promise<Session> {
    const [model, options] = third
      ? [{ graph: first as Graph, weights: second as Weights }, third]
      : [first as Model, second as SessionOptions];
    checkOptions(options, {
      batch: "count",
      fuse: "boolean",
      merge: "boolean",
      onProgress: "callback",
      ownsDevice: "boolean",
      signal: "signal",
      tolerance: "fraction",
      workspace: "workspace",
    });
    checkKernels(options.kernels);
    checkLimits(options.limits);
    checkModel(model);
    return orAborted(Session.open(model, options), options.signal);
  }

  private static async open(model: Model, options: SessionOptions): Promise<Session> {
    const session = new Session(model, options, await openDevice(options.device));
    try {
      options.signal?.throwIfAborted();
      await session.deployment.guard(async () => {
        const [{ images }] = session.deployment.parts(session.batch);
        (await session.deployment.lease(images, untilAborted(options.onProgress, options.signal))).release();
      });
      options.signal?.throwIfAborted();
      return session;
    } catch (error) {
      session.dispose();
      throw error;
    }
  }

  /** The names of the arrays that `run` takes. */
  get inputNames(): readonly ValueId[] {
    return this.graph.inputs.map(({ name }) => name);
  }

  /** The names of the blobs that `run` gives unless asked for others. */
  get outputNames(): readonly ValueId[] {
    return this.graph.outputs;
  }

  /** The device that it runs on: another one after a loss. */
  get device(): GPUDevice {
    return this.deployment.device;
  }

  /** Bytes of GPU memory that the session holds. */
  get bytes(): number {
    return this.deployment.bytes;
  }

  /**
   * The plan that `run` uses for a batch of this size, or for the first part of it where it has to be split. It is
   * compiled then, so that the next run takes no longer than those after it.
   */
  async plan(batch = this.batch): Promise<Plan> {
    checkOptions({ batch }, { batch: "count" });
    return this.deployed(async (deployment) => {
      const [{ images }] = deployment.parts(batch);
      const { program, release } = await deployment.lease(images);
      release();
      return program.plan;
    });
  }

  /**
   * Runs the network on a batch: the inputs' first extent. Any number of calls may be made at once, and each gets its
   * own results; the arrays are read when the call's turn comes, so they have to stay as they are until then.
   *
   * Rejects with EngineError "array" for inputs of the wrong shape, "usage" for outputs that the plan doesn't have,
   * "device-lost" where the device was lost before the results were back; with the signal's reason where that came.
   *
   * @example
   * ```ts
   * const { prob } = await session.run({ data: { shape: [1, 3, 224, 224], data } }, { signal: AbortSignal.timeout(1000) });
   * console.log(prob.shape, prob.data);
   * ```
   */
  async run(inputs: Inputs, options: RunOptions = {}): Promise<Outputs> {
    checkOptions(options, { onProgress: "callback", signal: "signal" });
    return this.runAmong(underWay, inputs, options);
  }

  /**
   * Runs the network on each of many inputs, which may come slowly or without end, and gives the results in their
   * order. While one is computed the next are on their way. An input is taken only when fewer than `depth` are under
   * way or wait to be fetched, so memory is bounded however slow the consumer is.
   *
   * The first failure, of an input or of the source, is thrown in its place, after the results before it. Then, on an
   * early `return` or `break`, and on abortion, the source is closed and nothing stays under way.
   *
   * @example
   * ```ts
   * for await (const { prob } of session.stream(batches())) console.log(prob.data);
   * ```
   */
  stream(
    inputs: AsyncIterable<Inputs> | Iterable<Inputs>,
    options: StreamOptions = {},
  ): AsyncGenerator<Outputs, void, undefined> {
    checkOptions(options, { depth: "count", signal: "signal" });
    const { depth = underWay, signal, outputs } = options;
    if (!isIterable(inputs)) {
      throw new EngineError("usage", "inputs", `they are ${describe(inputs)}`, "give an iterable or async iterable");
    }
    const work = (each: Inputs, ended: AbortSignal) =>
      this.runAmong(depth, each, { signal: ended, ...(outputs ? { outputs } : {}) });
    return inOrder(inputs, work, depth, signal);
  }

  /**
   * Binds buffers of the caller's, for encoding runs that read from and write to them: each input's, and one for each
   * blob that is wanted. Checks them and compiles what is missing, so that encoding takes no time.
   *
   * Rejects with EngineError "buffer" for one that is missing, too small, misaligned, mapped, destroyed, of another
   * device, that lacks COPY_SRC (inputs) or COPY_DST (outputs), or that overlaps another; "usage" for unknown names.
   */
  async bind(inputs: Buffers, outputs: Buffers, options: EncodeOptions = {}): Promise<IoBinding> {
    return this.bindFor(false, inputs, outputs, options);
  }

  /**
   * Records one run into an encoder of the caller's, from and to buffers of the caller's: `bind`, then
   * `IoBinding.encode`. Nothing is recorded where it rejects. One program for each batch size stays in memory until
   * the session is disposed of, since nobody knows when it is submitted; who encodes often had better bind once.
   *
   * Runs in between don't disturb it: whatever is submitted first is computed first.
   *
   * @example
   * ```ts
   * const encoder = device.createCommandEncoder();
   * await session.encode(encoder, { data: images }, { prob: { buffer: results, offset: 4000 } });
   * device.queue.submit([encoder.finish()]);
   * ```
   */
  async encode(
    encoder: GPUCommandEncoder,
    inputs: Buffers,
    outputs: Buffers,
    options: EncodeOptions = {},
  ): Promise<void> {
    const binding = await this.bindFor(true, inputs, outputs, options);
    try {
      await guarded(this.device, "command encoder", () => binding.encode(encoder)).checked;
    } finally {
      binding.dispose();
    }
  }

  /**
   * The nanoseconds that each step takes on the GPU for this batch, which must fit the device whole. The device must
   * have the feature "timestamp-query".
   */
  async time(inputs: Inputs): Promise<{ step: Step; nanoseconds: number }[]> {
    const batch = checkInputs(this.graph, inputs);
    return this.turn(1, undefined, async (deployment) => {
      if (!deployment.device.features.has("timestamp-query")) {
        throw new EngineError("adapter", "GPU device", "it has no timestamp queries", "profile on another adapter");
      }
      const [part] = deployment.parts(batch.images);
      return withProgram(deployment, part, (program) => program.time(slice(batch, 0, part.images)));
    });
  }

  /** Lets go of every buffer, and of the device where the session owns it. Calls still waiting reject. */
  dispose(): void {
    this.disposed = true;
    this.abandon(this.deployment);
  }

  /** As `dispose`, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  /** @param keepsPrograms - whether its programs stay when it is disposed of */
  private async bindFor(
    keepsPrograms: boolean,
    inputs: Buffers,
    outputs: Buffers,
    options: EncodeOptions,
  ): Promise<IoBinding> {
    checkOptions(options, { batch: "count", inputPrecision: "precision" });
    const { batch = this.batch, inputPrecision } = options;
    return this.deployed((deployment) =>
      IoBinding.create(deployment, batch, inputs, outputs, inputPrecision, keepsPrograms),
    );
  }

  private get batch(): number {
    return this.options.batch ?? 1;
  }

  private async runAmong(most: number, inputs: Inputs, { outputs, signal, onProgress }: RunOptions): Promise<Outputs> {
    const batch = checkInputs(this.graph, inputs);
    const tell = untilAborted(onProgress, signal);
    return this.turn(most, signal, async (deployment) => {
      const results = new Map<ValueId, Tensor[]>();
      for (const part of deployment.parts(batch.images)) {
        signal?.throwIfAborted();
        const values = await withProgram(deployment, part, (program) => {
          if (outputs) checkOutputs(program.plan, outputs);
          return program.run(slice(batch, part.start, part.images), outputs);
        });
        for (const [id, tensor] of values) results.set(id, [...(results.get(id) ?? []), tensor]);
        tell?.(part.start + part.images, batch.images);
      }
      return Object.fromEntries([...results].map(([id, parts]) => [id, join(parts)]));
    });
  }

  /** Does something when its turn comes, with at most so many others. The turn ends with the work, given up or not. */
  private async turn<T>(
    most: number,
    signal: AbortSignal | undefined,
    work: (deployment: Deployment) => Promise<T>,
  ): Promise<T> {
    const end = await this.turns.take(most, signal);
    return orAborted(this.deployed(work).finally(end), signal);
  }

  /** Does something on the device, on a new one where the last was lost and there is a way to open another. */
  private async deployed<T>(work: (deployment: Deployment) => Promise<T>): Promise<T> {
    if (this.disposed) throw sessionDisposed();
    const { device } = this.options;
    let { deployment } = this;
    if (deployment.lost && typeof device === "function") {
      this.recovery ??= this.recover(device).finally(() => (this.recovery = undefined));
      deployment = await this.recovery;
    }
    return deployment.guard(() => work(deployment));
  }

  private async recover(open: () => GPUDevice | Promise<GPUDevice>): Promise<Deployment> {
    const deployment = deploy(await openDevice(open), this.model, this.options);
    if (this.disposed) {
      this.abandon(deployment);
      throw sessionDisposed();
    }
    this.abandon(this.deployment);
    this.deployment = deployment;
    return deployment;
  }

  private abandon(deployment: Deployment): void {
    deployment.dispose();
    if (this.options.ownsDevice === true) deployment.device.destroy();
  }
}

/** Destroys a device that would go with the session where there is none. */
function deploy(device: GPUDevice, model: Model, options: SessionOptions): Deployment {
  try {
    return new Deployment(device, model, options);
  } catch (error) {
    if (options.ownsDevice === true) device.destroy();
    throw error;
  }
}

async function openDevice(device: SessionOptions["device"]): Promise<GPUDevice> {
  const opened: unknown = typeof device === "function" ? await device() : device;
  checkDevice(opened, "give a GPUDevice, or what opens one");
  return opened;
}

async function withProgram<T>(
  deployment: Deployment,
  { images }: Part,
  work: (program: Program) => Promise<T>,
): Promise<T> {
  const { program, release } = await deployment.lease(images);
  try {
    return await work(program);
  } finally {
    release();
  }
}

/** Whether it is a model at all; whether graph and weights fit together, planning says. */
function checkModel(model: unknown): void {
  const { graph, weights } = Object(model) as Partial<Record<keyof Model, unknown>>;
  const { inputs, nodes, outputs } = Object(graph) as Partial<Record<keyof Graph, unknown>>;
  if (![inputs, nodes, outputs].every(Array.isArray)) {
    const problem = `its graph is ${describe(graph)}`;
    throw new EngineError("usage", "model", problem, "give { graph, weights }, say of openModel or googLeNetModel");
  }
  if (typeof (Object(weights) as Partial<Weights>).get !== "function") {
    throw new EngineError("usage", "model", `its weights are ${describe(weights)}`, "give a Map of tensors by name");
  }
}

function isIterable(value: unknown): boolean {
  return typeof value === "object" && value !== null && (Symbol.asyncIterator in value || Symbol.iterator in value);
}
