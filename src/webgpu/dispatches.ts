/** Steps made ready to be dispatched: a pipeline and a bind group each, and one buffer of all their uniforms. */

import type { Binding, Step } from "../plan/plan.ts";
import { kernelNamed } from "../plan/registry.ts";
import { bufferUsage } from "./constants.ts";
import type { PipelineCache } from "./pipelines.ts";

export interface Dispatch {
  readonly step: Step;
  readonly pipeline: GPUComputePipeline;
  readonly bindGroup: GPUBindGroup;
}

/**
 * @param compiled - the steps' pipelines, in their order
 * @param layers - what `makeLayers` made of the steps
 * @param resourceOf - what a binding of a step is bound to
 */
export function makeDispatches(
  device: GPUDevice,
  steps: readonly Step[],
  compiled: readonly GPUComputePipeline[],
  pipelines: PipelineCache,
  layers: GPUBuffer,
  resourceOf: (bound: Binding, step: Step) => GPUBufferBinding,
): Dispatch[] {
  return steps.map((step, index) => ({
    step,
    pipeline: compiled[index],
    bindGroup: device.createBindGroup({
      label: step.name,
      layout: pipelines.layout(step.kernel),
      entries: [
        ...step.bindings.map((bound) => resourceOf(bound, step)),
        { buffer: layers, offset: index * layerStride, size: layerStride },
      ].map((resource, binding) => ({ binding, resource })),
    }),
  }));
}

/** @param current - the pipeline that the pass has, if any: to set it again costs the CPU time and changes nothing */
export function dispatch(
  pass: GPUComputePassEncoder,
  { step, pipeline, bindGroup }: Dispatch,
  current?: GPUComputePipeline,
): void {
  if (pipeline !== current) pass.setPipeline(pipeline);
  pass.setBindGroup(0, bindGroup);
  pass.dispatchWorkgroups(...step.workgroups);
}

/** Bytes from one step's `Layer` to the next: WebGPU's alignment of uniform bindings, and more than any takes. */
const layerStride = 256;

/** Every step's `Layer` in one uniform buffer. */
export function makeLayers(device: GPUDevice, steps: readonly Step[]): GPUBuffer {
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
