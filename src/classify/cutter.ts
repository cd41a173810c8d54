/**
 * Cuts crops on the GPU: a picture is uploaded once, reduced to what its crops look at, and kernels/crop.wgsl writes
 * any of them into a buffer of the network's input.
 */

import { CHANNEL_MEANS } from "../image/preprocess.ts";
import { CROP_WORDS, type Sampling } from "../image/sampling.ts";
import { type CropProblem, crop, launchCrop } from "../plan/kernels/crop.ts";
import { elementsOf } from "../plan/kernel.ts";
import type { Vec3 } from "../plan/plan.ts";
import type { Precision } from "../plan/precision.ts";
import { bufferUsage } from "../webgpu/constants.ts";
import { limitsOf } from "../webgpu/device.ts";
import { guarded } from "../webgpu/errors.ts";
import type { KernelSource } from "../webgpu/kernel_source.ts";
import { PipelineCache } from "../webgpu/pipelines.ts";

/** WebGPU's largest alignment of a binding's offset, in words; no `Layer` takes more. */
const alignment = 64;

/** Crops of a picture that are cut together, and their place among those in the target. */
export interface Cut {
  readonly firstCrop: number;
  readonly count: number;
  /** Crops of the target before the first of these. */
  readonly place: number;
}

export class CropCutter {
  private readonly device: GPUDevice;
  private readonly pipelines: PipelineCache;
  private readonly pipeline: GPUComputePipeline;
  private readonly side: number;

  private constructor(device: GPUDevice, pipelines: PipelineCache, pipeline: GPUComputePipeline, side: number) {
    this.device = device;
    this.pipelines = pipelines;
    this.pipeline = pipeline;
    this.side = side;
  }

  /**
   * Compiles the kernel, for crops of `side`×`side` of that precision. The device stays the caller's.
   * Rejects with EngineError "gpu" where it won't compile.
   */
  static async create(
    device: GPUDevice,
    kernels: KernelSource,
    side: number,
    precision: Precision = "f32",
  ): Promise<CropCutter> {
    const pipelines = new PipelineCache(device, kernels);
    const { values } = launchCrop(someProblem(side), limitsOf(device));
    const constants = { workgroupSize: values.workgroupSize };
    const elements = elementsOf({ kernel: crop }, precision);
    const pipeline = await pipelines.get({ kernel: crop.name, constants, tiles: {}, elements });
    return new CropCutter(device, pipelines, pipeline, side);
  }

  /**
   * Uploads a picture, ready for these cuts into `target`, whose crops lie one behind the other from its start.
   * Rejects with EngineError "out-of-memory" or "gpu".
   */
  async upload(
    { columns, pixels, taps, crops }: Sampling,
    cuts: readonly Cut[],
    target: GPUBuffer,
  ): Promise<CutPicture> {
    const { device, side } = this;
    const limits = limitsOf(device);
    const launches = cuts.map(({ firstCrop, count, place }) => {
      const image = 3 * side * side;
      return launchCrop(
        { firstCrop, count, side, columns, outOffset: place * image, outStride: image, means: CHANNEL_MEANS },
        limits,
      );
    });
    const layers = launches.map(({ values }) => layerWords(values));
    // One buffer for all that belongs to the picture, and so one upload.
    const parts = [...layers, pixels, taps, crops];
    const starts: number[] = [];
    const words = parts.reduce((sum, part) => {
      starts.push(sum);
      return sum + Math.ceil(part.length / alignment) * alignment;
    }, 0);
    const contents = new Uint32Array(words);
    parts.forEach((part, index) => {
      contents.set(part, starts[index]);
    });
    const { value: buffer, checked } = guarded(device, "picture", () => {
      const made = device.createBuffer({
        label: "picture",
        size: contents.byteLength,
        usage: bufferUsage.storage | bufferUsage.uniform | bufferUsage.copyDst,
      });
      device.queue.writeBuffer(made, 0, contents);
      return made;
    });
    try {
      await checked;
      const range = (part: number): GPUBufferBinding => ({
        buffer,
        offset: starts[part] * 4,
        size: parts[part].byteLength,
      });
      const [picture, tapTable, cropTable] = [0, 1, 2].map((part) => range(layers.length + part));
      const { value: dispatches, checked: bound } = guarded(device, "bind groups of a picture", () =>
        launches.map(({ workgroups }, index): Dispatch => ({
          workgroups,
          bindGroup: device.createBindGroup({
            label: crop.name,
            layout: this.pipelines.layout(crop.name),
            entries: [picture, tapTable, cropTable, { buffer: target }, range(index)].map((resource, binding) => ({
              binding,
              resource,
            })),
          }),
        })),
      );
      await bound;
      return new CutPicture(this.pipeline, buffer, dispatches);
    } catch (error) {
      buffer.destroy();
      throw error;
    }
  }
}

interface Dispatch {
  readonly bindGroup: GPUBindGroup;
  readonly workgroups: Vec3;
}

/** A picture on the device. */
export class CutPicture {
  private readonly pipeline: GPUComputePipeline;
  private readonly buffer: GPUBuffer;
  private readonly dispatches: readonly Dispatch[];

  constructor(pipeline: GPUComputePipeline, buffer: GPUBuffer, dispatches: readonly Dispatch[]) {
    this.pipeline = pipeline;
    this.buffer = buffer;
    this.dispatches = dispatches;
  }

  /** Records one of the cuts that it was uploaded for. */
  encode(pass: GPUComputePassEncoder, cut: number): void {
    const { bindGroup, workgroups } = this.dispatches[cut];
    pass.setPipeline(this.pipeline);
    pass.setBindGroup(0, bindGroup);
    pass.dispatchWorkgroups(...workgroups);
  }

  /** Lets go of it, once what was recorded is submitted. */
  dispose(): void {
    this.buffer.destroy();
  }
}

/** The kernel's `Layer`, at the length that bindings are aligned to. */
function layerWords(values: Readonly<Record<string, number>>): Uint32Array {
  const words = new Uint32Array(alignment);
  const bits = new Float32Array(words.buffer);
  crop.layer.forEach((field, index) => {
    if (crop.floats?.includes(field)) bits[index] = values[field];
    else words[index] = values[field];
  });
  return words;
}

/** For what does not hang on the picture. */
function someProblem(side: number): CropProblem {
  return { firstCrop: 0, count: 1, side, columns: 1, outOffset: 0, outStride: 0, means: CHANNEL_MEANS };
}

/** Crops in a sampling. */
export function cropsIn({ crops }: Sampling): number {
  return crops.length / CROP_WORDS;
}
