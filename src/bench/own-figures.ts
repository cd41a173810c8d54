/** What a bench says of this engine alone, beside how it stands to others: memory, CPU time, and what bounds it. */

import { inferShapesForBatch } from "../graph/graph.ts";
import type { Model } from "../graph/model.ts";
import { elementCount } from "../graph/tensor.ts";
import { openGpu } from "../node/dawn.ts";
import { kernelsOnDisk } from "../node/kernels.ts";
import { planGraph } from "../plan/planner.ts";
import { measureRoofline } from "../profile/measure-roofline.ts";
import { makeProfile } from "../profile/profile.ts";
import { highest, type Roofline, together } from "../profile/roofline.ts";
import { fillWithNoise } from "../verify/noise.ts";
import { limitsOf } from "../webgpu/device.ts";
import { Session } from "../webgpu/session.ts";
import { type EncodeOptions, type EncodeTimes, encodeTimes } from "./encode-time.ts";
import { medianSteps } from "./timed-steps.ts";

export interface OwnFigures extends EncodeTimes {
  /** Whether it ran as it was tuned for the device. */
  readonly tuned: boolean;
  /** Dispatches. */
  readonly steps: number;
  /** Bytes of activations and scratch memory, of this plan and of the default one. */
  readonly peakBytes: number;
  readonly defaultPeakBytes: number;
  /** The steps' time on the GPU, and the least that the roofline allows them; null without timestamps. */
  readonly gpu: { readonly gpuMs: number; readonly leastMs: number; readonly ceilings: Roofline } | null;
}

/** Runs of which each step's median counts. */
const RUNS = 5;

export async function measureOwn(model: Model, options: EncodeOptions): Promise<OwnFigures> {
  const { batch, precision, adapter, choices, signal } = options;
  const shaped = inferShapesForBatch(model.graph, batch);
  const { device } = await openGpu({
    exactTimestamps: true,
    experiments: precision === "f16",
    ...(adapter === undefined ? {} : { adapter }),
  });
  let figures: Omit<OwnFigures, keyof EncodeTimes>;
  try {
    const create = { device, kernels: kernelsOnDisk, batch, precision, ...(choices && { choices }) };
    using session = await Session.create(model, create);
    const { steps, arenaBytes } = await session.plan();
    figures = {
      tuned: choices !== undefined,
      steps: steps.length,
      peakBytes: arenaBytes,
      defaultPeakBytes: planGraph(shaped, limitsOf(device), { precision }).arenaBytes,
      gpu: device.features.has("timestamp-query") ? await profileSteps(session) : null,
    };
  } finally {
    device.destroy();
  }
  return { ...figures, ...(await encodeTimes(model, options)) };

  async function profileSteps(session: Session): Promise<OwnFigures["gpu"]> {
    const inputs = Object.fromEntries(
      model.graph.inputs.map(({ name }) => {
        const shape = shaped.shapes.get(name)!;
        const data = new Float32Array(elementCount(shape));
        fillWithNoise(data, 1);
        return [name, { shape, data }];
      }),
    );
    const before = await measureRoofline(device);
    // The first run warms caches and clocks up.
    await session.time(inputs);
    const series: Awaited<ReturnType<Session["time"]>>[] = [];
    for (let run = 0; run < RUNS; run++) {
      signal?.throwIfAborted();
      series.push(await session.time(inputs));
    }
    const after = await measureRoofline(device);
    const { steps, ceilings } = makeProfile(medianSteps(series), highest([before, after]));
    const { gpuMs, roofline } = together(steps, ceilings);
    return { gpuMs, leastMs: roofline * gpuMs, ceilings };
  }
}
