/** A classifier made ready on the backend that a command was asked for. */

import { createHash } from "node:crypto";
import type { Classifier } from "../classify/classifier.ts";
import { GpuClassifier } from "../classify/gpu.ts";
import { ReferenceClassifier } from "../classify/reference.ts";
import type { Model } from "../graph/model.ts";
import type { Protocol } from "../image/crops.ts";
import type { Precision } from "../plan/precision.ts";
import { openGpu } from "../node/dawn.ts";
import { kernelsOnDisk } from "../node/kernels.ts";
import { limitsOf } from "../webgpu/device.ts";
import { abortable, type Context } from "./context.ts";
import { processorName } from "./engine.ts";
import type { Backend, NetworkOptions } from "./options.ts";
import { choicesOption, findTuned, sayTuned } from "./tuning.ts";

export interface ClassifierOptions {
  readonly protocol: Protocol;
  readonly backend: Backend;
  readonly adapter?: string | undefined;
  readonly tuning?: NetworkOptions["tuning"] | undefined;
  readonly precision: Precision;
  /** Crops at once, at most. */
  readonly batch?: number | undefined;
  /** Bytes of GPU memory for activations and crops. */
  readonly memory?: number | undefined;
  /** How many pictures there will be. */
  readonly pictures: number;
}

/** A classifier, and what it runs on; letting go of it closes the device too. */
export interface OpenClassifier extends Disposable {
  readonly classifier: Classifier<unknown>;
  readonly backend: Backend;
  /** The adapter's name, or the processor's. */
  readonly adapter: string;
  /** SHA-256 of the choices that it was tuned to; null by default. */
  readonly tuning: string | null;
  /** Crops at once, at most. */
  readonly batch: number;
  readonly precision: Precision;
}

/** @throws EngineError "adapter", "gpu", "out-of-memory" */
export async function openClassifier(
  models: readonly Model[],
  { protocol, backend, adapter, precision, batch, memory, pictures, tuning }: ClassifierOptions,
  { terminal, signal }: Context,
): Promise<OpenClassifier> {
  if (backend === "cpu") {
    const classifier = new ReferenceClassifier(models, { protocol });
    const own = { adapter: processorName(), tuning: null, batch: 1, precision: "f32" } as const;
    return { classifier, backend, ...own, [Symbol.dispose]: () => undefined };
  }
  const gpu = await openGpu({ experiments: precision === "f16", ...(adapter === undefined ? {} : { adapter }) });
  const bar = terminal.progress("Compiling kernels", 100, " %");
  try {
    const tuned = await findTuned(gpu.adapter.info, tuning, terminal);
    const made = GpuClassifier.create(models, {
      device: gpu.device,
      kernels: kernelsOnDisk,
      protocol,
      precision,
      pictures: Math.max(pictures, 1),
      ...(batch === undefined ? {} : { batch }),
      ...(memory === undefined ? {} : { memory }),
      ...choicesOption(tuned),
      onProgress: (done, total) => bar.update(Math.floor((100 * done) / total)),
    });
    const classifier = await abortable(made, signal);
    sayTuned(tuned, models[0].graph, classifier.batch, precision, limitsOf(gpu.device), terminal);
    return {
      classifier,
      backend,
      adapter: gpu.name,
      tuning: tuned ? createHash("sha256").update(JSON.stringify(tuned.choices)).digest("hex") : null,
      batch: classifier.batch,
      precision,
      [Symbol.dispose]() {
        classifier.dispose();
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
