/** Trained parameters on the GPU, packed and uploaded once for all the plans that use them. */

import { EngineError } from "../errors.ts";
import type { Weights } from "../graph/weights.ts";
import { floatsToHalves, LARGEST_HALF } from "../plan/half.ts";
import { packParameter } from "../plan/pack.ts";
import { type PackedParameter, parameterBytes } from "../plan/plan.ts";
import { bufferUsage } from "./constants.ts";
import { guarded } from "./errors.ts";
import { unshared } from "./shared_memory.ts";

/** The key of a buffer that is nobody's; those of parameters are JSON. */
const UNUSED = "unused";

export class ParameterBuffers {
  private readonly device: GPUDevice;
  private readonly weights: Weights;
  private readonly buffers = new Map<string, GPUBuffer>();
  /** The upload before, done or failed. */
  private last: Promise<unknown> = Promise.resolve();

  constructor(device: GPUDevice, weights: Weights) {
    this.device = device;
    this.weights = weights;
  }

  /** The buffer of each parameter, in their order; rejects with EngineError "out-of-memory" where there is no room. */
  async upload(parameters: readonly PackedParameter[]): Promise<GPUBuffer[]> {
    // One after another: what one of them made and lets go of, no other may have found.
    const uploaded = this.last.then(() => this.uploadAlone(parameters));
    this.last = uploaded.catch(() => undefined);
    return uploaded;
  }

  private async uploadAlone(parameters: readonly PackedParameter[]): Promise<GPUBuffer[]> {
    const before = new Set(this.buffers.keys());
    try {
      const { value, checked } = guarded(this.device, "weights", () => parameters.map((each) => this.buffer(each)));
      await checked;
      return value;
    } catch (error) {
      for (const [key, buffer] of this.buffers) {
        if (before.has(key) || key === UNUSED) continue;
        buffer.destroy();
        this.buffers.delete(key);
      }
      throw error;
    }
  }

  /** Some bytes for bindings that are left alone. */
  unused(): GPUBuffer {
    let buffer = this.buffers.get(UNUSED);
    if (!buffer) {
      buffer = this.device.createBuffer({ label: "unused", size: 16, usage: bufferUsage.storage });
      this.buffers.set(UNUSED, buffer);
    }
    return buffer;
  }

  get bytes(): number {
    return [...this.buffers.values()].reduce((sum, buffer) => sum + buffer.size, 0);
  }

  dispose(): void {
    for (const buffer of this.buffers.values()) buffer.destroy();
    this.buffers.clear();
  }

  private buffer(parameter: PackedParameter): GPUBuffer {
    const key = JSON.stringify(parameter);
    const known = this.buffers.get(key);
    if (known) return known;
    const packed = packParameter(parameter, (name) => this.tensor(name));
    if (packed.length !== parameter.elements) {
      throw new EngineError(
        "weights",
        "name" in parameter ? parameter.name : "bias",
        `it packs into ${packed.length} values instead of ${parameter.elements}`,
        "give weights of the shapes that the graph asks for",
      );
    }
    const contents = parameter.precision === "f16" ? halvesOf(parameter, packed) : packed;
    const buffer = this.device.createBuffer({
      label: "name" in parameter ? parameter.name : parameter.layout,
      // Kernels may read four values at a time.
      size: Math.ceil(parameterBytes(parameter) / 16) * 16,
      usage: bufferUsage.storage | bufferUsage.copyDst,
    });
    this.device.queue.writeBuffer(buffer, 0, unshared(contents));
    this.buffers.set(key, buffer);
    return buffer;
  }

  private tensor(name: string) {
    const tensor = this.weights.get(name);
    if (!tensor) throw new EngineError("weights", name, "it is missing", "give weights that hold it");
    return tensor;
  }
}

/** Rejects what float16 can't hold: an infinite weight would spoil every result, and nobody would know why. */
function halvesOf(parameter: PackedParameter, values: Float32Array): Uint16Array<ArrayBuffer> {
  const halves = floatsToHalves(values);
  const beyond = values.find((value, index) => Number.isFinite(value) && (halves[index] & 0x7fff) === 0x7c00);
  if (beyond === undefined) return halves;
  throw new EngineError(
    "weights",
    "name" in parameter ? parameter.name : parameter.layout,
    `its value ${beyond} is beyond float16's largest, ${LARGEST_HALF}`,
    "compute in f32",
  );
}
