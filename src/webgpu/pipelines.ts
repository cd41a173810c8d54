/** Compiles kernels: one pipeline for each set of constants, whoever asks for it. */

import { EngineError } from "../errors.ts";
import type { Step } from "../plan/plan.ts";
import { kernelNamed } from "../plan/registry.ts";
import { describe } from "./batches.ts";
import { shaderStageCompute } from "./constants.ts";
import { gpuError, guarded } from "./errors.ts";
import { type KernelSource, setElements, setTiles } from "./kernel_source.ts";

/** What of a step its pipeline depends on. */
export type PipelineKey = Pick<Step, "kernel" | "constants" | "tiles" | "elements">;

/** The pipelines of one device. */
export class PipelineCache {
  private readonly device: GPUDevice;
  private readonly source: KernelSource;
  private readonly modules = new Map<string, Promise<GPUShaderModule>>();
  private readonly pipelines = new Map<string, Promise<GPUComputePipeline>>();
  private readonly layouts = new Map<string, GPUBindGroupLayout>();

  constructor(device: GPUDevice, source: KernelSource) {
    this.device = device;
    this.source = source;
  }

  /** The pipeline for a step, compiled at the first call; rejects with EngineError "gpu" where it won't compile. */
  get(step: PipelineKey): Promise<GPUComputePipeline> {
    const key = JSON.stringify([step.kernel, sorted(step.constants), sorted(step.tiles), sorted(step.elements ?? {})]);
    let pipeline = this.pipelines.get(key);
    if (!pipeline) {
      pipeline = this.compile(step);
      this.pipelines.set(key, pipeline);
      pipeline.catch(() => this.pipelines.delete(key));
    }
    return pipeline;
  }

  /** The layout of a kernel's bindings. */
  layout(kernel: string): GPUBindGroupLayout {
    let layout = this.layouts.get(kernel);
    if (!layout) {
      layout = this.device.createBindGroupLayout({
        label: kernel,
        entries: [
          ...kernelNamed(kernel).bindings.map(({ access }) =>
            access === "read" ? ("read-only-storage" as const) : ("storage" as const),
          ),
          "uniform" as const,
        ].map((type, binding) => ({ binding, visibility: shaderStageCompute, buffer: { type } })),
      });
      this.layouts.set(kernel, layout);
    }
    return layout;
  }

  private async compile({ kernel, constants, tiles, elements = {} }: PipelineKey): Promise<GPUComputePipeline> {
    const source = await this.text(kernel);
    const module = await this.module(kernel, setElements(kernel, setTiles(kernel, source, tiles), elements));
    try {
      return await this.device.createComputePipelineAsync({
        label: kernel,
        layout: this.device.createPipelineLayout({ bindGroupLayouts: [this.layout(kernel)] }),
        compute: { module, entryPoint: "main", constants },
      });
    } catch (error) {
      throw gpuError(`kernel ${kernel}`, error instanceof Error ? error.message : String(error));
    }
  }

  private async text(kernel: string): Promise<string> {
    const subject = `kernel ${kernel}`;
    const remedy = "mend the function that was given as kernels";
    let text: unknown;
    try {
      text = await this.source(kernel);
    } catch (cause) {
      if (cause instanceof EngineError) throw cause;
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new EngineError("gpu", subject, `its text can't be had (${why})`, remedy, { cause });
    }
    if (typeof text !== "string") throw new EngineError("gpu", subject, `its text is ${describe(text)}`, remedy);
    return text;
  }

  private module(kernel: string, code: string): Promise<GPUShaderModule> {
    let module = this.modules.get(code);
    if (!module) {
      module = this.compileModule(kernel, code);
      this.modules.set(code, module);
    }
    return module;
  }

  private async compileModule(kernel: string, code: string): Promise<GPUShaderModule> {
    // What is wrong is a device error besides; the messages say where.
    const { value: module, checked } = guarded(this.device, `kernel ${kernel}`, () =>
      this.device.createShaderModule({ label: kernel, code }),
    );
    const { messages } = await module.getCompilationInfo();
    const [message] = messages.filter(({ type }) => type === "error");
    if (message) throw gpuError(`kernel ${kernel}.wgsl:${message.lineNum}:${message.linePos}`, message.message);
    await checked;
    return module;
  }
}

function sorted<T>(record: Readonly<Record<string, T>>): [string, T][] {
  return Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1));
}
