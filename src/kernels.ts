/**
 * googlenet-wgsl/kernels: the text of every WGSL kernel inside one module, for pages, workers and runtimes without a
 * file system. The build writes the texts in; what bundles the sources does with `kernelTexts` of
 * scripts/kernel-texts.mjs.
 */

import { EngineError } from "./errors.ts";
import type { KernelSource } from "./webgpu/kernel_source.ts";

const texts: Readonly<Record<string, string>> = {};

/**
 * The kernels of this version of the engine.
 *
 * Throws EngineError "usage" for a name that no kernel has.
 *
 * @example
 * ```ts
 * import { googLeNet, inferShapesForBatch, openDevice, seededWeights, Session } from "googlenet-wgsl";
 * import { kernels } from "googlenet-wgsl/kernels";
 *
 * const adapter = await navigator.gpu.requestAdapter();
 * if (!adapter) throw new Error("there is no WebGPU here");
 * const graph = googLeNet();
 * const weights = seededWeights(inferShapesForBatch(graph, 1).parameters, 1);
 * using session = await Session.create({ graph, weights }, { device: await openDevice(adapter), kernels });
 * ```
 */
export const kernels: KernelSource = (name) => {
  if (!Object.hasOwn(texts, name)) {
    const names = Object.keys(texts);
    const remedy = names.length === 0 ? "build the package, which writes them in" : `name one of ${names.join(", ")}`;
    throw new EngineError("usage", `kernel "${name}"`, "there is none", remedy);
  }
  return texts[name];
};
