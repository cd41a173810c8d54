/** `profile`: where the GPU's time goes, step by step. */

import { EngineError } from "../errors.ts";
import { googLeNet } from "../graph/googlenet.ts";
import { inferShapesForBatch } from "../graph/graph.ts";
import { openGpu } from "../node/dawn.ts";
import { kernelsOnDisk } from "../node/kernels.ts";
import type { Step } from "../plan/plan.ts";
import { Session } from "../webgpu/session.ts";
import { abortable, type Context } from "./context.ts";
import { formatTable, formatTime, significant } from "./format.ts";
import { batchOf, pictureTensor } from "./inputs.ts";
import type { NetworkOptions } from "./options.ts";
import { exitStatus } from "./report.ts";
import { median } from "../bench/statistics.ts";
import { anyWeights } from "./weights-choice.ts";

export interface ProfileOptions extends NetworkOptions {
  readonly runs: number;
}

/** A step, or all of them, as JSON has it. */
interface Row {
  readonly step: string;
  readonly kernel: string | null;
  readonly gpuMs: number;
  readonly gflops: number;
  readonly gbps: number;
  readonly share: number;
}

export async function profile(options: ProfileOptions, context: Context): Promise<number> {
  const { terminal, signal } = context;
  const { heads, batch = 1, runs, adapter } = options;
  if (options.backend === "cpu") {
    throw new EngineError("usage", "--backend cpu", "only a GPU has timestamps", "leave it out, or see `bench`");
  }
  const graph = googLeNet({ heads });
  const parameters = inferShapesForBatch(graph, 1).parameters;
  const { weights, name: weightsName } = await anyWeights(options.weights, parameters, context);
  const data = batchOf(await pictureTensor(), batch);

  const gpu = await openGpu({ exactTimestamps: true, ...(adapter === undefined ? {} : { adapter }) });
  let series: { step: Step; nanoseconds: number }[][];
  try {
    series = await abortable(timeSteps(), signal);
  } finally {
    gpu.device.destroy();
  }

  async function timeSteps(): Promise<{ step: Step; nanoseconds: number }[][]> {
    const compiling = terminal.progress("Compiling kernels", 100, " %");
    using session = await Session.create(graph, weights, {
      device: gpu.device,
      kernels: kernelsOnDisk,
      batch,
      onProgress: (done, total) => compiling.update(Math.floor((100 * done) / total)),
    });
    compiling.stop();
    // The first run warms caches and clocks up.
    await session.time({ data });
    const bar = terminal.progress("Runs", runs);
    const timed = [];
    for (let run = 1; run <= runs; run++) {
      signal.throwIfAborted();
      timed.push(await session.time({ data }));
      bar.update(run);
    }
    bar.stop();
    return timed;
  }

  const steps = series[0].map(({ step }, index) => ({
    step,
    milliseconds: median(series.map((run) => run[index].nanoseconds)) / 1e6,
  }));
  const total = steps.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
  const rows = steps.map(({ step, milliseconds }) => row(step.name, step.kernel, step, milliseconds, total));
  const sums = {
    macs: steps.reduce((sum, { step }) => sum + step.macs, 0),
    bytes: steps.reduce((sum, { step }) => sum + step.bytes, 0),
  };
  const totals = row("total", null, sums, total, total);
  if (terminal.json) {
    for (const each of rows) await terminal.printJson(each);
    await terminal.printJson({ ...totals, steps: rows.length, batch, runs, adapter: gpu.name, weights: weightsName });
  } else {
    await terminal.print(table([...rows, totals]));
    await terminal.print("");
    await terminal.print(`medians of ${runs} runs of batch ${batch} on ${gpu.name}; weights ${weightsName}`);
  }
  return exitStatus.done;
}

function row(
  step: string,
  kernel: string | null,
  { macs, bytes }: { readonly macs: number; readonly bytes: number },
  gpuMs: number,
  totalMs: number,
): Row {
  // A step that is shorter than the clock's tick has no rate.
  const perSecond = (count: number) => (gpuMs > 0 ? count / gpuMs / 1e6 : 0);
  return {
    step,
    kernel,
    gpuMs,
    gflops: perSecond(2 * macs),
    gbps: perSecond(bytes),
    share: totalMs > 0 ? gpuMs / totalMs : 0,
  };
}

function table(rows: readonly Row[]): string {
  const head = ["step", "kernel", "GPU time", "GFLOP/s", "GB/s", "share"];
  const align = ["left", "left", "right", "right", "right", "right"] as const;
  const cells = rows.map(({ step, kernel, gpuMs, gflops, gbps, share }) => [
    step,
    kernel ?? "",
    formatTime(gpuMs),
    gflops === 0 ? "" : significant(gflops, 3),
    significant(gbps, 3),
    `${(100 * share).toFixed(1)} %`,
  ]);
  return formatTable(cells, { head, align });
}
