/** This engine, as the bench's workers run it. */

import { googLeNet } from "../graph/googlenet.ts";
import { inferShapesForBatch } from "../graph/graph.ts";
import type { Tensor } from "../graph/tensor.ts";
import { openGpu } from "../node/dawn.ts";
import { kernelsOnDisk } from "../node/kernels.ts";
import { dependencyVersion, googlenetVersion } from "../node/package.ts";
import { loadWeights } from "../node/weights-file.ts";
import { Session } from "../webgpu/session.ts";
import type { Job, OpenEngine } from "./job.ts";

/** Batches that are under way at once when throughput is measured. */
const IN_FLIGHT = 4;

export async function open({ batch, precision, adapter, unsafe, files }: Job): Promise<OpenEngine> {
  const graph = googLeNet();
  // Weights are read while Dawn starts. Should that fail first, it is heard of below.
  const loading = loadWeights(files.weights, inferShapesForBatch(graph, 1).parameters);
  loading.catch(() => undefined);
  const gpu = await openGpu({ unsafe, ...(adapter === null ? {} : { adapter }) });
  let session: Session;
  try {
    const { weights } = await loading;
    session = await Session.create(graph, weights, { device: gpu.device, kernels: kernelsOnDisk, batch, precision });
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
      await gpu.device.queue.onSubmittedWorkDone();
    },
    inFlight: IN_FLIGHT,
    close() {
      session.dispose();
      gpu.device.destroy();
    },
  };
}
