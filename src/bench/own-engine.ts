/** This engine, as the bench's workers run it. */

import { googLeNet } from "../graph/googlenet.ts";
import { inferShapesForBatch } from "../graph/graph.ts";
import type { Tensor } from "../graph/tensor.ts";
import { openGpu } from "../node/dawn.ts";
import { kernelsOnDisk } from "../node/kernels.ts";
import { dependencyVersion, googlenetVersion } from "../node/package.ts";
import { loadTuning } from "../node/tuning-file.ts";
import { loadWeights } from "../node/weights-file.ts";
import { choicesOf } from "../tune/verdict.ts";
import { Session } from "../webgpu/session.ts";
import type { Job, OpenEngine, Precision } from "./job.ts";

/** Batches that are under way at once when throughput is measured. */
const IN_FLIGHT = 4;

/**
 * Settings: `tuning`, the folder of the tuner's verdicts (planned by default without); `precision`, another than the
 * job's.
 */
export async function open({ settings, batch, adapter, unsafe, files, ...job }: Job): Promise<OpenEngine> {
  const precision = (settings["precision"] as Precision | undefined) ?? job.precision;
  const graph = googLeNet();
  // Weights are read while Dawn starts. Should that fail first, it is heard of below.
  const loading = loadWeights(files.weights, inferShapesForBatch(graph, 1).parameters);
  loading.catch(() => undefined);
  const gpu = await openGpu({ unsafe, experiments: precision === "f16", ...(adapter === null ? {} : { adapter }) });
  let session: Session;
  try {
    const { tuning } = settings as { tuning?: string };
    const kept = tuning === undefined ? null : await loadTuning(gpu.adapter.info, tuning);
    const choices = kept && "verdict" in kept ? { choices: choicesOf(kept.verdict) } : {};
    const { weights } = await loading;
    session = await Session.create(graph, weights, {
      device: gpu.device,
      kernels: kernelsOnDisk,
      batch,
      precision,
      ...choices,
    });
  } catch (error) {
    gpu.device.destroy();
    throw error;
  }
  return {
    adapter: gpu.name,
    versions: { "googlenet-wgsl": googlenetVersion(), webgpu: dependencyVersion("webgpu") ?? "unknown" },
    prepare: (data): Tensor => ({ shape: [batch, 3, 224, 224], data }),
    async run(input) {
      return (await session.run({ data: input as Tensor })).prob.data;
    },
    async runWithoutReadback(input) {
      await session.run({ data: input as Tensor }, { outputs: [] });
    },
    inFlight: IN_FLIGHT,
    close() {
      session.dispose();
      gpu.device.destroy();
    },
  };
}
