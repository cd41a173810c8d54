/// <reference lib="esnext.disposable" preserve="true" />
/** A network bound to buffers of the caller's, to be recorded into command encoders of the caller's. */

import { EngineError } from "../errors.ts";
import type { ValueId } from "../graph/graph.ts";
import { elementCount, elementsPerImage, type Shape } from "../graph/tensor.ts";
import type { Plan } from "../plan/plan.ts";
import { elementBytes, type Precision } from "../plan/precision.ts";
import { describe } from "./batches.ts";
import { type BufferRange, type CheckedRange, checkOverlaps, checkRange, probeBuffers } from "./caller_buffers.ts";
import type { Deployment, Lease, Part } from "./deployment.ts";
import { checkOutputs } from "./outputs.ts";
import type { EncodeSources } from "./program.ts";
import type { Place } from "./readback.ts";

/** Buffers by the names of the blobs that they hold, in C order as float32 (inputs as float16 where that is said). */
export type Buffers = Readonly<Record<ValueId, BufferRange>>;

/** A part of the batch, its program, and where the part's blobs lie. */
interface BoundPart {
  readonly lease: Lease;
  readonly sources: EncodeSources;
  readonly targets: ReadonlyMap<ValueId, Place>;
}

/**
 * What `Session.bind` gives. It keeps its programs in memory until it is disposed of, and ends with the session and
 * with the device.
 */
export class IoBinding implements Disposable {
  /** Images of the inputs. */
  readonly batch: number;
  private readonly deployment: Deployment;
  private readonly parts: readonly BoundPart[];
  private disposed = false;

  private constructor(batch: number, deployment: Deployment, parts: readonly BoundPart[]) {
    this.batch = batch;
    this.deployment = deployment;
    this.parts = parts;
  }

  /** See `Session.bind`, and `Session.encode` for programs that stay. */
  static async create(
    deployment: Deployment,
    batch: number,
    inputs: Buffers,
    outputs: Buffers,
    inputPrecision: Precision = "f32",
    keepsPrograms = false,
  ): Promise<IoBinding> {
    checkBuffers("input", inputs);
    checkBuffers("output", outputs);
    const parts = deployment.parts(batch);
    const leases: Lease[] = [];
    try {
      for (const { images } of parts) leases.push(await deployment.lease(images));
      const { plan } = leases[0].program;
      checkNames(plan.graph, plan.inputs, inputs);
      checkOutputs(plan, Object.keys(outputs));
      checkInputPrecision(plan, inputPrecision);
      const precisions = { input: inputPrecision, output: "f32" } as const;
      const wholeShape = (id: ValueId): Shape => {
        const { shape } = plan.values[id];
        return parts.length === 1 ? shape : shape.with(0, batch);
      };
      const check = (role: "input" | "output", buffers: Buffers) =>
        new Map(
          Object.entries(buffers).map(([id, range]) => {
            const shape = wholeShape(id);
            const bytes = elementCount(shape) * elementBytes[precisions[role]];
            return [id, checkRange(id, role, range, shape, Math.ceil(bytes / 4) * 4)];
          }),
        );
      const [sources, targets] = [check("input", inputs), check("output", outputs)];
      const ranges = [...sources.values(), ...targets.values()];
      checkOverlaps(ranges);
      await probeBuffers(deployment.device, ranges);
      for (const { program } of leases) await program.prepare([...targets.keys()], inputPrecision !== "f32");
      const bound = parts.map((part, index): BoundPart => ({
        lease: leases[index],
        sources: { places: placesOf(part, sources, plan, inputPrecision), asStored: inputPrecision !== "f32" },
        targets: placesOf(part, targets, plan, "f32"),
      }));
      if (keepsPrograms) for (const { keep } of leases) keep();
      return new IoBinding(batch, deployment, bound);
    } catch (error) {
      for (const { release } of leases) release();
      throw error;
    }
  }

  /**
   * Records a run: the inputs are copied from their buffers, the network computes, the outputs are copied into theirs.
   * Nothing happens before the caller submits, and nothing comes by the CPU. The encoder may hold other commands
   * before and behind, and must have no pass open.
   *
   * Throws EngineError "device-lost" once the session or this binding was disposed of, or the device lost, "usage" for
   * what is no encoder. An encoder of another device, or a buffer destroyed since, fails as WebGPU has it: the
   * encoder's `finish`, or the submission, is invalid and computes nothing.
   */
  encode(encoder: GPUCommandEncoder): void {
    if (this.disposed) throw new EngineError("device-lost", "binding", "it was disposed of", "bind the buffers again");
    this.deployment.checkAlive();
    if (typeof (Object(encoder) as Partial<GPUCommandEncoder>).beginComputePass !== "function") {
      const remedy = "give what device.createCommandEncoder() makes";
      throw new EngineError("usage", "command encoder", `it is ${describe(encoder)}`, remedy);
    }
    for (const { lease, sources, targets } of this.parts) lease.program.encode(encoder, sources, targets);
  }

  /** Lets its programs go, once what was encoded has been submitted. The buffers stay the caller's. */
  dispose(): void {
    this.disposed = true;
    for (const { lease } of this.parts) lease.release();
  }

  /** As `dispose`, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}

function checkBuffers(role: "input" | "output", buffers: unknown): void {
  if (typeof buffers === "object" && buffers !== null) return;
  const remedy = `give an object of buffers by ${role} name`;
  throw new EngineError("usage", `${role} buffers`, `they are ${describe(buffers)}`, remedy);
}

function checkNames(network: string, wanted: readonly ValueId[], inputs: Buffers): void {
  for (const name of wanted) {
    if (!Object.hasOwn(inputs, name)) {
      throw new EngineError("buffer", `buffer of input "${name}"`, "it is missing", "give a GPUBuffer");
    }
  }
  for (const name of Object.keys(inputs)) {
    if (!wanted.includes(name)) {
      throw new EngineError("usage", `input "${name}"`, `${network} has none`, `give ${wanted.join(", ")}`);
    }
  }
}

/** Where a part's images lie in ranges that hold those of the whole batch. */
function placesOf(
  { start }: Part,
  ranges: ReadonlyMap<ValueId, CheckedRange>,
  { values }: Plan,
  precision: Precision,
): ReadonlyMap<ValueId, Place> {
  return new Map(
    [...ranges].map(([id, { subject, buffer, offset }]) => {
      const before = start === 0 ? 0 : start * elementsPerImage(values[id].shape) * elementBytes[precision];
      if (before % 4 === 0) return [id, { buffer, offset: offset + before }];
      const problem = `the device computes its batch in parts, and image ${start} begins in the middle of a word`;
      throw new EngineError("buffer", subject, problem, "give float32, or a smaller batch");
    }),
  );
}

/** float16 goes only where it stays what it is: nothing converts it. */
function checkInputPrecision({ precision }: Plan, given: Precision): void {
  if (given === "f32" || given === precision) return;
  const problem = `it is ${JSON.stringify(given)}, and the session's precision ${precision}`;
  throw new EngineError(
    "usage",
    "option inputPrecision",
    problem,
    `give ${[...new Set(["f32", precision])].join(" or ")}`,
  );
}
