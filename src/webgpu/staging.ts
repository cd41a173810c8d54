/**
 * Values on their way between a float16 arena and the float32 that callers have. Each lies in a buffer of its own
 * beside the arena, and a dispatch converts it. Copies could not: they move whole words, and in float16 a value that is
 * a slice of a wider one may begin in the middle of a word.
 */

import type { ValueId } from "../graph/graph.ts";
import { elementCount } from "../graph/tensor.ts";
import { conversionStep, type Direction } from "../plan/convert.ts";
import { bytesPerElement, type Plan, type Step } from "../plan/plan.ts";
import { bufferUsage } from "./constants.ts";
import { limitsOf } from "./device.ts";
import { type Dispatch, makeDispatches, makeLayers } from "./dispatches.ts";
import { guarded } from "./errors.ts";
import type { PipelineCache } from "./pipelines.ts";

/** A value in float32, and the dispatch that takes it into the arena or out of it. */
export interface Staged {
  readonly buffer: GPUBuffer;
  readonly bytes: number;
  readonly dispatch: Dispatch;
}

export class Staging {
  readonly values: ReadonlyMap<ValueId, Staged>;
  private readonly layers: GPUBuffer;

  private constructor(values: ReadonlyMap<ValueId, Staged>, layers: GPUBuffer) {
    this.values = values;
    this.layers = layers;
  }

  /** Rejects with EngineError "out-of-memory" or "gpu", having let go of what it made. */
  static async create(
    device: GPUDevice,
    plan: Plan,
    arena: GPUBuffer,
    pipelines: PipelineCache,
    ids: readonly ValueId[],
    direction: Direction,
  ): Promise<Staging> {
    const limits = limitsOf(device);
    const wanted = [...new Set(ids)];
    const steps = wanted.map((id) => conversionStep(plan, id, direction, limits));
    const compiled = await Promise.all(steps.map((step) => pipelines.get(step)));
    const made: GPUBuffer[] = [];
    try {
      const { value, checked } = guarded(device, "float32 values", () => {
        const bytes = wanted.map((id) => elementCount(plan.values[id].shape) * bytesPerElement);
        const { storage, copySrc, copyDst } = bufferUsage;
        const buffers = wanted.map((id, index) => {
          const buffer = device.createBuffer({ label: id, size: bytes[index], usage: storage | copySrc | copyDst });
          made.push(buffer);
          return buffer;
        });
        const layers = makeLayers(device, steps);
        made.push(layers);
        const dispatches = makeDispatches(device, steps, compiled, pipelines, layers, (bound, step: Step) => {
          if (bound.kind !== "slot") return { buffer: buffers[steps.indexOf(step)] };
          const { offset, bytes: size } = plan.slots[bound.slot];
          return { buffer: arena, offset, size };
        });
        const values = wanted.map((id, index): [ValueId, Staged] => [
          id,
          { buffer: buffers[index], bytes: bytes[index], dispatch: dispatches[index] },
        ]);
        return new Staging(new Map(values), layers);
      });
      await checked;
      return value;
    } catch (error) {
      for (const buffer of made) buffer.destroy();
      throw error;
    }
  }

  get bytes(): number {
    return [...this.values.values()].reduce((sum, { buffer }) => sum + buffer.size, this.layers.size);
  }

  dispose(): void {
    for (const { buffer } of this.values.values()) buffer.destroy();
    this.layers.destroy();
  }
}
