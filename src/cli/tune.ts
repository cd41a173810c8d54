/** `tune`: which algorithms are fastest on this device, checked before they are timed, and kept for all commands. */

import { googLeNet } from "../graph/googlenet.ts";
import { inferShapesForBatch } from "../graph/graph.ts";
import { openGpu } from "../node/dawn.ts";
import { kernelsOnDisk } from "../node/kernels.ts";
import { requireFolder, saveTuning, tuningFolder } from "../node/tuning-file.ts";
import type { Precision } from "../plan/precision.ts";
import { type TunedNetwork, tune as tuneModel, type Tuning } from "../tune/tune.ts";
import type { PlanVariant, ProblemVerdict } from "../tune/verdict.ts";
import type { Context } from "./context.ts";
import { formatBytes, formatTable, formatTime, longName, significant } from "./format.ts";
import type { NetworkOptions } from "./options.ts";
import { describeVariant } from "./plan-choice.ts";
import { exitStatus } from "./report.ts";
import { anyWeights } from "./weights-choice.ts";

export interface TuneOptions extends Omit<NetworkOptions, "batch"> {
  readonly batch?: readonly number[];
  readonly rounds?: number;
}

export async function tune(options: TuneOptions, context: Context): Promise<number> {
  const { terminal, signal } = context;
  const { heads, precision, batch: batches = [1], rounds, adapter, tuning } = options;
  const folder = tuning === false ? undefined : tuningFolder(tuning);
  // Rather before the minutes that it takes than after them.
  if (folder !== undefined) await requireFolder(folder);
  const graph = googLeNet({ heads });
  const { weights } = await anyWeights(options.weights, inferShapesForBatch(graph, 1).parameters, context);
  const gpu = await openGpu({
    exactTimestamps: true,
    experiments: precision === "f16",
    ...(adapter === undefined ? {} : { adapter }),
  });
  try {
    const bar = terminal.progress("Tuning", 100, " %");
    let tuned: Tuning;
    try {
      tuned = await tuneModel(
        { graph, weights },
        {
          device: gpu.device,
          kernels: kernelsOnDisk,
          precision,
          batches,
          signal,
          ...(rounds === undefined ? {} : { rounds }),
          onProgress: (done, total) => bar.update(Math.floor((100 * done) / total)),
        },
      );
    } finally {
      bar.stop();
    }
    for (const note of tuned.notes) terminal.complain(note);
    // Whoever reads the table may have seen enough before its end.
    const file = folder === undefined ? null : await saveTuning(gpu.adapter.info, tuned.verdict, folder);
    for (const network of tuned.networks) await printNetwork(tuned, network, precision, gpu.name, context);
    if (file !== null) terminal.note(`kept in ${file}; commands use it on this device unless told --no-tuning`);
  } finally {
    gpu.device.destroy();
  }
  return exitStatus.done;
}

async function printNetwork(
  { verdict }: Tuning,
  network: TunedNetwork,
  precision: Precision,
  adapter: string,
  { terminal }: Context,
): Promise<void> {
  const { batch, preferredMs, chosenMs } = network;
  const { problems, variants, chosen } = verdict.plans[network.plan];
  const layers = network.problems.map((key, index) => layerRow(problems[key], network.used[index]));
  if (terminal.json) {
    for (const [index, layer] of layers.entries()) {
      await terminal.printJson({
        batch,
        precision,
        ...layer,
        candidates: problems[network.problems[index]].candidates,
      });
    }
    const plans = variants.map((variant, index) => ({ ...variant, chosen: index === chosen }));
    const gain = preferredMs === null ? null : preferredMs / chosenMs;
    await terminal.printJson({
      batch,
      precision,
      layers: layers.length,
      plans,
      defaultMs: preferredMs,
      tunedMs: chosenMs,
      gain,
      adapter,
    });
    return;
  }
  const time = (microseconds: number | null) => (microseconds === null ? "–" : formatTime(microseconds / 1000));
  const rows = layers.map(({ layer, algorithm, microseconds, preferred, preferredMicroseconds, used, failed }) => [
    layer,
    algorithm,
    time(microseconds),
    algorithm === preferred ? "" : preferred,
    algorithm === preferred ? "" : time(preferredMicroseconds),
    used === null ? "(not in the plan)" : used === algorithm ? "" : used,
    failed === 0 ? "" : `${failed} failed`,
  ]);
  const align = ["left", "left", "right", "left", "right"] as const;
  const head = ["layer (the first of its kind)", "fastest", "time", "instead of", "time", "used, where another", ""];
  await terminal.print(terminal.colors.bold(`batch ${batch} in ${longName[precision]} on ${adapter}`));
  await terminal.print(`${formatTable(rows, { head, align })}\n`);
  await terminal.print(
    `${formatTable(
      variants.map((variant, index) => planRow(variant, index === chosen)),
      {
        head: ["the network as a whole", "steps", "peak memory", "GPU time", ""],
        align: ["left", "right", "right", "right"],
      },
    )}\n`,
  );
  await terminal.print(outcome(network, variants[chosen]));
}

function outcome({ preferredMs, chosenMs }: TunedNetwork, { tuned }: PlanVariant): string {
  const time = `${formatTime(chosenMs)} from input to probabilities`;
  if (!tuned) return `the default plan stays: ${time}`;
  if (preferredMs === null) return `tuned: ${time}; the default plan can't be used here`;
  const gain = significant(preferredMs / chosenMs, 3);
  return `tuned: ${time}, by default ${formatTime(preferredMs)} (${gain}×, medians in turns)`;
}

/**
 * The fastest algorithm of a problem beside the one by default, null for what could not be timed, and the one that the
 * chosen plan uses, null where that has no such problem.
 */
function layerRow({ layer, preferred, candidates }: ProblemVerdict, used: string | null) {
  const timed = candidates.filter(({ microseconds }) => microseconds !== null);
  const timeOf = (name: string) => timed.find(({ algorithm }) => algorithm === name)?.microseconds ?? null;
  const fastest = timed.toSorted((a, b) => a.microseconds! - b.microseconds!)[0]?.algorithm ?? preferred;
  return {
    layer,
    algorithm: fastest,
    microseconds: timeOf(fastest),
    preferred,
    preferredMicroseconds: timeOf(preferred),
    used,
    failed: candidates.filter(({ failure }) => failure !== undefined).length,
  };
}

function planRow(variant: PlanVariant, chosen: boolean): (string | number)[] {
  const { steps, peakBytes, microseconds } = variant;
  return [
    describeVariant(variant),
    steps,
    formatBytes(peakBytes),
    formatTime(microseconds / 1000),
    chosen ? "chosen" : "",
  ];
}
