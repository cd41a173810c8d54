/** The network made ready on the backend that a command was asked for. */

import { cpus } from "node:os";
import { runReference } from "../cpu/reference.ts";
import { type Graph, inferShapesForBatch, type ValueId } from "../graph/graph.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { Weights } from "../graph/weights.ts";
import { kernelsOnDisk } from "../node/kernels.ts";
import { openGpu } from "../node/dawn.ts";
import type { Choices } from "../plan/choices.ts";
import type { Plan } from "../plan/plan.ts";
import { checkInputs } from "../webgpu/batches.ts";
import type { Precision } from "../plan/precision.ts";
import { limitsOf } from "../webgpu/device.ts";
import { Session } from "../webgpu/session.ts";
import { abortable, type Context } from "./context.ts";
import type { Backend, NetworkOptions } from "./options.ts";
import { choicesOption, findTuned, sayTuned } from "./tuning.ts";

export type Tensors = Readonly<Record<ValueId, Tensor>>;

export interface Engine extends Disposable {
  readonly backend: Backend;
  /** Whether it runs the batch that it was opened for as that was tuned for this device. */
  readonly tuned: boolean;
  /** What it plans by, and the plan for that batch; null for the reference, which has none. */
  readonly planned: { readonly plan: Plan; readonly choices: Choices | undefined } | null;
  /** The adapter's name, or the processor's. */
  readonly adapter: string;
  readonly precision: Precision;
  /** Makes ready for a batch of this size, so that running it takes no longer than the next time. */
  prepare(batch: number): Promise<void>;
  /** The graph's outputs for a batch. */
  run(inputs: Tensors): Promise<Tensors>;
}

export interface EngineOptions {
  readonly backend: Backend;
  readonly adapter?: string | undefined;
  /** f32 unless given. */
  readonly precision?: Precision;
  readonly unsafe?: boolean;
  readonly tuning?: NetworkOptions["tuning"] | undefined;
  /** The batch size to make ready for at once. */
  readonly batch: number;
}

/** @throws EngineError "adapter", "gpu", "out-of-memory" */
export function openEngine(graph: Graph, weights: Weights, options: EngineOptions, context: Context): Promise<Engine> {
  return options.backend === "cpu"
    ? Promise.resolve(cpuEngine(graph, weights, context))
    : webgpuEngine(graph, weights, options, context);
}

/** What the CPU reference runs on. */
export function processorName(): string {
  return cpus()[0]?.model.trim() || "CPU";
}

function cpuEngine(graph: Graph, weights: Weights, { signal }: Context): Engine {
  return {
    backend: "cpu",
    tuned: false,
    planned: null,
    adapter: processorName(),
    precision: "f32",
    prepare: () => Promise.resolve(),
    async run(inputs) {
      const { images, tensors } = checkInputs(graph, inputs);
      const shaped = inferShapesForBatch(graph, images);
      return Object.fromEntries(await runReference(shaped, weights, tensors, { signal }));
    },
    [Symbol.dispose]: () => undefined,
  };
}

async function webgpuEngine(
  graph: Graph,
  weights: Weights,
  { adapter, precision = "f32", unsafe = false, batch, tuning }: EngineOptions,
  { terminal, signal }: Context,
): Promise<Engine> {
  const gpu = await openGpu({
    unsafe,
    experiments: precision === "f16",
    ...(adapter === undefined ? {} : { adapter }),
  });
  const bar = terminal.progress("Compiling kernels", 100, " %");
  try {
    const tuned = await findTuned(gpu.adapter.info, tuning, terminal);
    const session = await abortable(
      Session.create(graph, weights, {
        device: gpu.device,
        kernels: kernelsOnDisk,
        batch,
        ...choicesOption(tuned),
        precision,
        onProgress: (done, total) => bar.update(Math.floor((100 * done) / total)),
      }),
      signal,
    );
    return {
      backend: "webgpu",
      tuned: sayTuned(tuned, graph, batch, precision, limitsOf(gpu.device), terminal),
      planned: { plan: await session.plan(batch), choices: tuned?.choices },
      adapter: gpu.name,
      precision,
      async prepare(size) {
        await abortable(session.plan(size), signal);
      },
      run: (inputs) => abortable(session.run(inputs), signal),
      [Symbol.dispose]() {
        session.dispose();
        gpu.device.destroy();
      },
    };
  } catch (error) {
    gpu.device.destroy();
    throw error;
  } finally {
    bar.stop();
  }
}
