/// <reference lib="esnext.disposable" preserve="true" />
/**
 * Classification on the GPU: crops are cut into the network's input there, go through every model of the ensemble, and
 * only probabilities come back. While a batch is computed, the next pictures are uploaded and recorded behind it.
 */

import { EngineError } from "../errors.ts";
import type { ValueId } from "../graph/graph.ts";
import { inferShapesForBatch } from "../graph/graph.ts";
import type { Model } from "../graph/model.ts";
import { elementCount } from "../graph/tensor.ts";
import { cropCount, type Protocol } from "../image/crops.ts";
import { prepareBy, type SamplingPreparation } from "../image/preparation.ts";
import type { RgbImage } from "../image/resize.ts";
import type { Sampling } from "../image/sampling.ts";
import type { PlanLimits } from "../plan/limits.ts";
import { bytesPerElement } from "../plan/plan.ts";
import { elementBytes, type Precision } from "../plan/precision.ts";
import type { PlanOptions } from "../plan/planner.ts";
import type { IoBinding } from "../webgpu/binding.ts";
import { bufferUsage, mapModeRead } from "../webgpu/constants.ts";
import { limitsOf } from "../webgpu/device.ts";
import { guarded } from "../webgpu/errors.ts";
import type { KernelSource } from "../webgpu/kernel_source.ts";
import { fateOf } from "../webgpu/loss.ts";
import { checkDevice, checkKernels, checkOptions } from "../webgpu/options.ts";
import { Patience, pollingDevices } from "../webgpu/patience.ts";
import type { CompileProgress } from "../webgpu/program.ts";
import { Session } from "../webgpu/session.ts";
import { inOrder } from "../webgpu/stream.ts";
import { type Batching, batching, cropsAtOnce, DEFAULT_MEMORY } from "./batches.ts";
import type { Classification, Classified, Classifier, ClassifyOptions, Probabilities } from "./classifier.ts";
import { CropCutter, type Cut, type CutPicture } from "./cutter.ts";
import { IdleTime } from "./idle.ts";
import { inputOf } from "./input.ts";
import { MeanProbabilities, meanOf } from "./mean.ts";

/** Groups of pictures under way: one is computed while the next is uploaded. */
const underWay = 2;

/** Where and how pictures are classified. */
export interface GpuClassifierOptions extends PlanOptions {
  /** It stays the caller's. */
  readonly device: GPUDevice;
  /** Gives the text of kernels/NAME.wgsl. */
  readonly kernels: KernelSource;
  /** How pictures are looked at; `squash256` unless given. */
  readonly protocol?: Protocol;
  /** Crops that go through the networks at once, at most; as many as memory and device hold unless given. */
  readonly batch?: number;
  /** Bytes that all models' activations and the crops may take on the device: 256 MB unless given. */
  readonly memory?: number;
  /** How many pictures there will be, where that is known: no more are made room for. */
  readonly pictures?: number;
  /** Limits to plan for, where they should be tighter than the device's. */
  readonly limits?: PlanLimits;
  /** Told after each pipeline that is ready. */
  readonly onProgress?: CompileProgress;
}

/** A model's outputs, and how many classes each has. */
type ModelOutputs = readonly (readonly [id: ValueId, classes: number])[];

/** Items that are taken together, and the pictures among them. */
interface Group<Item> {
  readonly items: { readonly item: Item; readonly sampling: Sampling | undefined }[];
  readonly samplings: readonly Sampling[];
}

/** What came back of a batch of crops: for each model its outputs, (crops, classes) each. */
interface BatchResults {
  readonly models: readonly Readonly<Record<ValueId, Float32Array>>[];
  readonly milliseconds: number;
}

/** Buffers that all batches go through, one after the other. */
interface Buffers {
  /** The networks' input. */
  readonly crops: GPUBuffer;
  /** The networks' outputs, model after model. */
  readonly results: GPUBuffer;
}

/** Classifies pictures by crops and ensembles on the GPU. */
export class GpuClassifier implements Classifier<Sampling> {
  readonly crops: number;
  /** Crops that are computed at once. */
  readonly batch: number;
  readonly preparation: SamplingPreparation;
  private readonly device: GPUDevice;
  private readonly precision: Precision;
  private readonly input: ReturnType<typeof inputOf>;
  private readonly batching: Batching;
  private readonly sessions: readonly Session[];
  /** Of each model. */
  private readonly outputs: readonly ModelOutputs[];
  private readonly cutter: CropCutter;
  private readonly buffers: Buffers;
  /** For each batch size the sessions bound to the buffers. */
  private readonly bindings = new Map<number, Promise<readonly IoBinding[]>>();
  /** Read-back buffers that no batch uses. */
  private readonly idle: GPUBuffer[] = [];
  private readonly patience: Patience;
  private lastDone = 0;
  private busy = false;
  private disposed = false;

  private constructor(
    models: readonly Model[],
    { device, protocol = "squash256", precision = "f32" }: GpuClassifierOptions,
    parts: { batching: Batching; batch: number; sessions: readonly Session[]; cutter: CropCutter; buffers: Buffers },
  ) {
    this.device = device;
    this.patience = new Patience(pollingDevices.has(device));
    this.precision = precision;
    this.crops = cropCount(protocol);
    this.input = inputOf(models);
    this.preparation = { kind: "sampling", protocol, side: this.input.side };
    this.outputs = models.map(outputsOf);
    this.batch = parts.batch;
    this.batching = parts.batching;
    this.sessions = parts.sessions;
    this.cutter = parts.cutter;
    this.buffers = parts.buffers;
  }

  /**
   * Plans, compiles and uploads every model's weights, once.
   *
   * Rejects with EngineError "usage" for no models, or for models whose inputs differ or are no square pictures;
   * "weights", "out-of-memory", "gpu" or "device-lost".
   *
   * @example
   * ```ts
   * import { GpuClassifier, topK } from "googlenet-wgsl";
   * import { kernels } from "googlenet-wgsl/kernels";
   * import { decodeImage, openGpu, openModel } from "googlenet-wgsl/node";
   *
   * const { device } = await openGpu();
   * const models = [await openModel("googlenet")];
   * using classifier = await GpuClassifier.create(models, { device, kernels, protocol: "crops144" });
   * const picture = classifier.prepare(await decodeImage("cat.jpg"));
   * for await (const { classification } of classifier.classify([picture], (each) => each)) {
   *   console.log(topK(classification!.probabilities.prob, 5));
   * }
   * ```
   */
  static async create(models: readonly Model[], options: GpuClassifierOptions): Promise<GpuClassifier> {
    checkOptions(options, { batch: "count", memory: "count", onProgress: "callback", pictures: "count" });
    checkDevice(options.device, "give a GPUDevice");
    checkKernels(options.kernels);
    const { device, kernels, protocol = "squash256", batch: wanted = Infinity, memory = DEFAULT_MEMORY } = options;
    const { pictures = Infinity, limits = limitsOf(device), onProgress, ...plan } = options;
    const { side } = inputOf(models);
    const { precision = "f32" } = plan;
    const crops = cropCount(protocol);
    const graphs = models.map(({ graph }) => graph);
    const most = cropsAtOnce(graphs, Math.min(wanted, crops * pictures), { memory, limits, options: plan });
    const batches = batching(crops, most, pictures);
    const batch = batches.pictures * batches.parts[0].count;
    const sessions: Session[] = [];
    const made: GPUBuffer[] = [];
    try {
      const cutter = await CropCutter.create(device, kernels, side, precision);
      for (const [index, model] of models.entries()) {
        const compiled: CompileProgress = (done, total) => onProgress?.(index * total + done, models.length * total);
        sessions.push(await Session.create(model, { ...plan, device, kernels, batch, limits, onProgress: compiled }));
      }
      const { value: buffers, checked } = guarded(device, "crops", () => {
        const make = (label: string, size: number, usage: number) => {
          const buffer = device.createBuffer({ label, size, usage });
          made.push(buffer);
          return buffer;
        };
        const { storage, copySrc, copyDst } = bufferUsage;
        return {
          crops: make(
            "crops",
            Math.ceil((batch * 3 * side * side * elementBytes[precision]) / 4) * 4,
            storage | copySrc | copyDst,
          ),
          results: make("results", resultBytes(models.map(outputsOf), batch), copySrc | copyDst),
        };
      });
      await checked;
      return new GpuClassifier(models, options, { batching: batches, batch, sessions, cutter, buffers });
    } catch (error) {
      for (const session of sessions) session.dispose();
      for (const buffer of made) buffer.destroy();
      throw error;
    }
  }

  get picturesTogether(): number {
    return this.batching.pictures;
  }

  get picturesUnderWay(): number {
    return underWay * this.batching.pictures;
  }

  /** Bytes of GPU memory that it holds: weights, activations, crops; pictures under way come on top. */
  get bytes(): number {
    const own = [this.buffers.crops, this.buffers.results, ...this.idle].reduce((sum, { size }) => sum + size, 0);
    return this.sessions.reduce((sum, session) => sum + session.bytes, own);
  }

  prepare(image: RgbImage): Sampling {
    return prepareBy(this.preparation, image);
  }

  async *classify<Item>(
    items: AsyncIterable<Item> | Iterable<Item>,
    preparedOf: (item: Item) => Sampling | undefined,
    options: ClassifyOptions = {},
  ): AsyncGenerator<Classified<Item>, void, undefined> {
    checkOptions(options, { onIdle: "callback", onProgress: "callback", signal: "signal" });
    const { signal, onProgress, onIdle } = options;
    if (this.disposed) throw classifierDisposed();
    if (this.busy) throw new EngineError("usage", "classifier", "it has a stream under way", "wait for its end");
    this.busy = true;
    try {
      const idle = new IdleTime((milliseconds) => onIdle?.(milliseconds));
      const work = (group: Group<Item>, ended: AbortSignal) => this.classifyGroup(group, ended, { idle, onProgress });
      const groups = this.groups(idle.watch(items), preparedOf);
      for await (const results of inOrder(groups, work, underWay, signal)) yield* results;
    } finally {
      this.busy = false;
    }
  }

  /** Lets go of all its buffers. The device stays the caller's. */
  dispose(): void {
    this.disposed = true;
    for (const session of this.sessions) session.dispose();
    for (const buffer of [this.buffers.crops, this.buffers.results, ...this.idle.splice(0)]) buffer.destroy();
  }

  /** As `dispose`, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  private async *groups<Item>(
    items: AsyncIterable<Item>,
    preparedOf: (item: Item) => Sampling | undefined,
  ): AsyncGenerator<Group<Item>, void, undefined> {
    let group: Group<Item>["items"] = [];
    let samplings: Sampling[] = [];
    for await (const item of items) {
      const sampling = preparedOf(item);
      group.push({ item, sampling });
      if (sampling) samplings.push(sampling);
      if (samplings.length === this.batching.pictures) {
        yield { items: group, samplings };
        [group, samplings] = [[], []];
      }
    }
    if (group.length > 0) yield { items: group, samplings };
  }

  private async classifyGroup<Item>(
    { items, samplings }: Group<Item>,
    signal: AbortSignal,
    { idle, onProgress }: { readonly idle: IdleTime; readonly onProgress: ClassifyOptions["onProgress"] },
  ): Promise<Classified<Item>[]> {
    const compute = () => idle.during(() => this.classifyPictures(samplings, signal, onProgress));
    const results = samplings.length === 0 ? [] : await compute();
    let next = 0;
    return items.map(({ item, sampling }) => ({ item, classification: sampling && results[next++] }));
  }

  /** Pictures that are computed together, in one batch or part by part. */
  private async classifyPictures(
    samplings: readonly Sampling[],
    signal: AbortSignal,
    onProgress: ClassifyOptions["onProgress"],
  ): Promise<Classification[]> {
    const { parts } = this.batching;
    const batches = await this.submit(samplings, signal);
    const arriving = batches.map(async (batch, part) => {
      const results = await batch;
      onProgress?.(parts[part].count * samplings.length);
      return results;
    });
    // Where one fails, the others are waited for all the same: they use the buffers.
    await Promise.allSettled(arriving);
    const results = await Promise.all(arriving);
    const milliseconds = results.reduce((sum, each) => sum + each.milliseconds, 0) / samplings.length;
    return samplings.map((_, picture) => {
      const models = this.outputs.map((outputs, model) => {
        const mean = new MeanProbabilities();
        results.forEach((batch, part) => {
          const { count } = parts[part];
          for (let crop = picture * count; crop < (picture + 1) * count; crop++) {
            mean.add(rowOf(outputs, batch.models[model], crop));
          }
        });
        return mean.value();
      });
      return { probabilities: meanOf(models), models, milliseconds };
    });
  }

  /** Uploads pictures and submits their batches, one command buffer each; gives what will come back of each. */
  private async submit(samplings: readonly Sampling[], signal: AbortSignal): Promise<Promise<BatchResults>[]> {
    const { parts } = this.batching;
    const uploaded: CutPicture[] = [];
    const bound: (readonly IoBinding[])[] = [];
    try {
      for (const { count } of parts) bound.push(await this.bind(count * samplings.length));
      for (const [picture, sampling] of samplings.entries()) {
        signal.throwIfAborted();
        const cuts = parts.map(({ first, count }): Cut => ({ firstCrop: first, count, place: picture * count }));
        uploaded.push(await this.cutter.upload(sampling, cuts, this.buffers.crops));
      }
      return parts.map(({ count }, part) => this.submitBatch(uploaded, part, bound[part], count * samplings.length));
    } catch (error) {
      throw await this.reasonOf(error);
    } finally {
      // What was submitted keeps what it needs.
      for (const picture of uploaded) picture.dispose();
      // A stream's last batch may have any size; its programs' memory is not worth keeping.
      if (samplings.length < this.batching.pictures) this.unbind(parts[0].count * samplings.length);
    }
  }

  private async submitBatch(
    pictures: readonly CutPicture[],
    part: number,
    bindings: readonly IoBinding[],
    crops: number,
  ): Promise<BatchResults> {
    const { device } = this;
    const submitted = performance.now();
    const bytes = resultBytes(this.outputs, crops);
    const { value: readback, checked: made } = guarded(device, "read-back buffer", () => {
      return this.idle.pop() ?? this.makeReadback();
    });
    try {
      const { checked } = guarded(device, "crops", () => {
        const encoder = device.createCommandEncoder();
        const pass = encoder.beginComputePass();
        for (const picture of pictures) picture.encode(pass, part);
        pass.end();
        for (const binding of bindings) binding.encode(encoder);
        encoder.copyBufferToBuffer(this.buffers.results, 0, readback, 0, bytes);
        device.queue.submit([encoder.finish()]);
      });
      const mapped = this.patience.await(() => readback.mapAsync(mapModeRead, 0, bytes));
      // All must settle before the buffer is used again, whichever of them fails.
      await Promise.allSettled([made, checked, mapped]);
      await Promise.all([made, checked, mapped]);
      const done = performance.now();
      const milliseconds = done - Math.max(submitted, this.lastDone);
      this.lastDone = done;
      const range = readback.getMappedRange(0, bytes);
      let offset = 0;
      const models = this.outputs.map((outputs) =>
        Object.fromEntries(
          outputs.map(([id, classes]) => {
            const values = new Float32Array(range, offset, crops * classes).slice();
            offset += values.byteLength;
            return [id, values];
          }),
        ),
      );
      readback.unmap();
      if (this.disposed) readback.destroy();
      else this.idle.push(readback);
      return { models, milliseconds };
    } catch (error) {
      readback.destroy();
      throw await this.reasonOf(error);
    }
  }

  private makeReadback(): GPUBuffer {
    return this.device.createBuffer({
      label: "read-back",
      size: this.buffers.results.size,
      usage: bufferUsage.mapRead | bufferUsage.copyDst,
    });
  }

  /** The sessions bound to the buffers for a batch of this size. */
  private bind(crops: number): Promise<readonly IoBinding[]> {
    let bindings = this.bindings.get(crops);
    if (!bindings) {
      bindings = this.makeBindings(crops);
      this.bindings.set(crops, bindings);
      bindings.catch(() => this.bindings.delete(crops));
    }
    return bindings;
  }

  private unbind(crops: number): void {
    const bindings = this.bindings.get(crops);
    this.bindings.delete(crops);
    bindings?.then(
      (each) => {
        for (const binding of each) binding.dispose();
      },
      // Nothing is bound; whoever asked for it hears why.
      () => undefined,
    );
  }

  private async makeBindings(crops: number): Promise<readonly IoBinding[]> {
    let offset = 0;
    const bindings: IoBinding[] = [];
    for (const [model, session] of this.sessions.entries()) {
      const outputs = Object.fromEntries(
        this.outputs[model].map(([id, classes]) => {
          const range = { buffer: this.buffers.results, offset };
          offset += crops * classes * bytesPerElement;
          return [id, range];
        }),
      );
      bindings.push(
        await session.bind({ [this.input.name]: this.buffers.crops }, outputs, {
          batch: crops,
          inputPrecision: this.precision,
        }),
      );
    }
    return bindings;
  }

  /** Why something failed: a lost device and a disposal show as one failed call or another. */
  private async reasonOf(error: unknown): Promise<unknown> {
    await Promise.resolve();
    const lost = fateOf(this.device).lost;
    if (lost) return lost;
    return this.disposed ? classifierDisposed() : error;
  }
}

function classifierDisposed(): EngineError {
  return new EngineError("device-lost", "classifier", "it was disposed of", "make a new one");
}

function outputsOf({ graph }: Model): ModelOutputs {
  const { shapes } = inferShapesForBatch(graph, 1);
  return graph.outputs.map((id) => [id, elementCount(shapes.get(id)!)]);
}

function resultBytes(models: readonly ModelOutputs[], crops: number): number {
  return models.flat().reduce((sum, [, classes]) => sum + crops * classes * bytesPerElement, 0);
}

/** A model's probabilities of one crop of a batch. */
function rowOf(outputs: ModelOutputs, values: Readonly<Record<ValueId, Float32Array>>, crop: number): Probabilities {
  return Object.fromEntries(
    outputs.map(([id, classes]) => [id, values[id].subarray(crop * classes, (crop + 1) * classes)]),
  );
}
