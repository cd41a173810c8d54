/** `profile`: where the GPU's time goes, step by step, and how much of the device's roofline that is. */

import { medianSteps } from "../bench/timed-steps.ts";
import { googLeNet } from "../graph/googlenet.ts";
import { inferShapesForBatch } from "../graph/graph.ts";
import { requireWritable, writeFileAtomically } from "../node/atomic-write.ts";
import { type OpenGpu, openGpu } from "../node/dawn.ts";
import { describeEnvironment } from "../node/environment.ts";
import { kernelsOnDisk } from "../node/kernels.ts";
import type { Step } from "../plan/plan.ts";
import { measureRoofline } from "../profile/measure-roofline.ts";
import { profilePage } from "../profile/page.ts";
import { shortName } from "../profile/names.ts";
import { describeRaised, makeProfile, type Profile } from "../profile/profile.ts";
import { highest, type MeasuredRoofline } from "../profile/roofline.ts";
import { limitsOf } from "../webgpu/device.ts";
import { Session } from "../webgpu/session.ts";
import { abortable, type Context } from "./context.ts";
import { formatTable, formatTime, longName, significant } from "./format.ts";
import { batchOf, pictureTensor } from "./inputs.ts";
import type { NetworkOptions } from "./options.ts";
import { exitStatus } from "./report.ts";
import { choicesOption, findTuned, sayTuned } from "./tuning.ts";
import { anyWeights } from "./weights-choice.ts";

/** Measurements of the roofline before and between the runs; one more follows. */
const bursts = 6;

export interface ProfileOptions extends NetworkOptions {
  readonly runs: number;
  /** The page to write. */
  readonly html?: string;
}

export async function profile(options: ProfileOptions, context: Context): Promise<number> {
  const { terminal, signal } = context;
  const { heads, precision, batch = 1, runs, adapter } = options;
  if (options.html !== undefined) await requireWritable(options.html);
  const graph = googLeNet({ heads });
  const parameters = inferShapesForBatch(graph, 1).parameters;
  const { weights, name: weightsName } = await anyWeights(options.weights, parameters, context);
  const data = batchOf(await pictureTensor(), batch);

  const gpu = await openGpu({
    exactTimestamps: true,
    experiments: precision === "f16",
    ...(adapter === undefined ? {} : { adapter }),
  });
  let tuned = false;
  let series: { step: Step; nanoseconds: number }[][];
  const ceilings: MeasuredRoofline[] = [];
  try {
    series = await abortable(timeSteps(), signal);
  } finally {
    gpu.device.destroy();
  }

  async function timeSteps(): Promise<{ step: Step; nanoseconds: number }[][]> {
    const kept = await findTuned(gpu.adapter.info, options.tuning, terminal);
    tuned = sayTuned(kept, graph, batch, precision, limitsOf(gpu.device), terminal);
    const compiling = terminal.progress("Compiling kernels", 100, " %");
    using session = await Session.create(graph, weights, {
      device: gpu.device,
      kernels: kernelsOnDisk,
      batch,
      ...choicesOption(kept),
      precision,
      onProgress: (done, total) => compiling.update(Math.floor((100 * done) / total)),
    });
    compiling.stop();
    const bar = terminal.progress("Runs", runs);
    const timed = [];
    for (let run = 0; run < runs; run++) {
      signal.throwIfAborted();
      // Spread over the whole time, so that what disturbs a moment does not lower the ceilings.
      if (run % Math.ceil(runs / bursts) === 0) {
        ceilings.push(await measureRoofline(gpu.device));
        // The first run warms caches and clocks up.
        await session.time({ data });
      }
      timed.push(await session.time({ data }));
      bar.update(run + 1);
    }
    ceilings.push(await measureRoofline(gpu.device));
    bar.stop();
    return timed;
  }

  const measured = makeProfile(medianSteps(series), highest(ceilings));
  if (options.html !== undefined) {
    await writeFileAtomically(options.html, page(measured, gpu, { precision, batch, runs, weights: weightsName }));
    terminal.note(`wrote ${options.html}`);
  }
  if (terminal.json) {
    for (const { name, kernel, ...step } of measured.steps) await terminal.printJson(row(name, kernel, step));
    await terminal.printJson({
      ...row("total", null, { ...measured.totals, share: 1 }),
      steps: measured.steps.length,
      batch,
      runs,
      tuned,
      adapter: gpu.name,
      precision,
      weights: weightsName,
      ceilings: measured.ceilings,
      raised: measured.raised,
    });
  } else {
    await terminal.print(table(measured));
    await terminal.print("");
    await terminal.print(
      `medians of ${runs} runs of batch ${batch} in ${longName[precision]} on ${gpu.name}; weights ${weightsName}`,
    );
    for (const line of rooflineNotes(measured)) await terminal.print(line);
  }
  return exitStatus.done;
}

/** The ceilings, what of them was not measured by itself, and what goes beyond them and why. */
function rooflineNotes(measured: Profile): string[] {
  const { ceilings, steps } = measured;
  const beyond = new Set(steps.map((step) => step.beyond));
  return [
    `roofline, measured: ${significant(ceilings.gflops, 3)} GFLOP/s, ${significant(ceilings.gbps, 3)} GB/s`,
    ...describeRaised(measured, shortName),
    ...(beyond.has("Winograd")
      ? ["beyond it, Winograd: its product counts the direct convolution's operations, 2.25 or 4 times those it makes"]
      : []),
    ...(beyond.has("cache")
      ? ["beyond it, cache: the step's data still lay in a cache, which is faster than memory"]
      : []),
    ...(beyond.size > 1 ? ["in the total, a step beyond the roofline counts as one at it"] : []),
  ];
}

/** What of a step, or of all, people and programs are shown. */
type Figures = Pick<Profile["steps"][number], "gpuMs" | "gflops" | "gbps" | "share" | "roofline">;

/** A step, or all of them, as JSON has it. */
function row(step: string, kernel: string | null, { gpuMs, gflops, gbps, share, roofline }: Figures) {
  return { step, kernel, gpuMs, gflops, gbps, share, roofline };
}

function table({ steps, totals }: Profile): string {
  const head = ["step", "kernel", "GPU time", "GFLOP/s", "GB/s", "share", "roofline", "beyond"];
  const align = ["left", "left", "right", "right", "right", "right", "right", "left"] as const;
  const percent = (part: number) => `${(100 * part).toFixed(1)} %`;
  const cells = (name: string, kernel: string, { gpuMs, gflops, gbps, share, roofline }: Figures, beyond = "") => [
    name,
    kernel,
    formatTime(gpuMs),
    gflops === 0 ? "" : significant(gflops, 3),
    significant(gbps, 3),
    percent(share),
    percent(roofline),
    beyond,
  ];
  return formatTable(
    [
      ...steps.map((step) => cells(shortName(step.name), step.kernel, step, step.beyond ?? "")),
      cells("total", "", { ...totals, share: 1 }),
    ],
    { head, align },
  );
}

function page(
  measured: Profile,
  { adapter, name }: OpenGpu,
  {
    precision,
    batch,
    runs,
    weights,
  }: Pick<ProfileOptions, "precision" | "runs"> & Record<"batch", number> & Record<"weights", string>,
): string {
  const { version, commit, date, webgpu, node, cpu, cores, os } = describeEnvironment();
  const { vendor, architecture, device, subgroupMinSize, subgroupMaxSize } = adapter.info;
  const facts: [string, string | null][] = [
    ["Date", date],
    ["Device and driver", name],
    ["Adapter", [vendor, architecture, device].filter(Boolean).join(", ")],
    ["Subgroups", subgroupMaxSize ? `${subgroupMinSize} to ${subgroupMaxSize} lanes` : null],
    ["Batch", String(batch)],
    ["Runs", `${runs}, of which each step's median is shown`],
    ["Precision", longName[precision]],
    ["Weights", weights],
    ["googlenet-wgsl", commit === null ? version : `${version} (${commit})`],
    ["webgpu (Dawn)", webgpu],
    ["Node.js", node],
    ["Processor", `${cpu}, ${cores} cores`],
    ["System", os],
  ];
  return profilePage({
    profile: measured,
    subject: "GoogLeNet",
    device: name,
    batch,
    date,
    facts: facts.flatMap(([label, value]) => (value ? [[label, value] as const] : [])),
  });
}
