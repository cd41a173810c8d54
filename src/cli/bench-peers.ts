/** `bench --peers`: this engine beside others, on the same device, in the same run. */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findContestants, type MissingEngine } from "../bench/contestants.ts";
import type { EngineName } from "../bench/engines.ts";
import { type KnownImage, writeJobFiles } from "../bench/job-files.ts";
import type { Precision, Settings } from "../bench/job.ts";
import { measureOwn, type OwnFigures } from "../bench/own-figures.ts";
import { type BenchRecord, saveRecord } from "../bench/record.ts";
import { type Failure, isOwn, type MeasuredCase, PEER_TOLERANCE, runTournament } from "../bench/tournament.ts";
import { workerScript } from "../bench/worker-script.ts";
import { EngineError } from "../errors.ts";
import type { Graph } from "../graph/graph.ts";
import type { Weights } from "../graph/weights.ts";
import { findAdapters } from "../node/adapters.ts";
import { isNamedLike, openAdapter } from "../node/dawn.ts";
import { describeEnvironment } from "../node/environment.ts";
import { tuningFolder } from "../node/tuning-file.ts";
import { limitsOfAdapter } from "../webgpu/device.ts";
import type { Context } from "./context.ts";
import { environmentTable } from "./environment-table.ts";
import { formatTable, formatTime, significant } from "./format.ts";
import { exitStatus } from "./report.ts";
import { findTuned, sayTuned, type Tuned } from "./tuning.ts";

export interface PeersOptions {
  readonly peers: readonly EngineName[];
  readonly batches: readonly number[];
  readonly precision: Precision;
  readonly adapter: string | undefined;
  readonly unsafe: boolean;
  readonly rounds: number;
  readonly warmups: number;
  readonly runs: number;
  readonly seconds: number;
  /** The folder of the tuner's verdicts; false for none. */
  readonly tuning: string | false | undefined;
  /** Where the record goes as one JSON document: a file, or bench/results/ under a name of its own. */
  readonly save: string | true | undefined;
}

export interface Network {
  readonly graph: Graph;
  readonly weights: Weights;
  readonly weightsName: string;
  readonly images: readonly KnownImage[];
}

export async function benchPeers(network: Network, options: PeersOptions, context: Context): Promise<number> {
  const { terminal, signal } = context;
  const { batches, precision } = options;
  const worker = await workerScript(() => terminal.note("compiling into dist/: workers run compiled code"));
  const { tuned, tunedBatches } = await findTunedBatches(network.graph, options, context);
  // As tuned and by default, of which the faster is measured.
  const asTuned = options.tuning === false ? [] : [{ tuning: tuningFolder(options.tuning) }];
  const field = (variants: readonly Settings[]) => findContestants(options.peers, precision, worker, variants);
  const { contestants: byDefault, missing } = await field([{}]);
  for (const each of missing) terminal.note(missingLine(each));
  const { adapter, only } = await findAdapter(options.adapter);
  if (only === null && options.peers.includes("onnxruntime-webgpu")) {
    terminal.note("there are several GPUs: ONNX Runtime takes the one that it likes, and does not say which");
  }
  const environment = {
    adapter,
    ...describeEnvironment(),
    precision,
    weights: network.weightsName,
    validation: !options.unsafe,
    missing,
    command: process.argv.slice(2),
  };
  if (terminal.json) await terminal.printJson({ environment });

  const folder = await mkdtemp(join(tmpdir(), "googlenet-bench-"));
  const cases: MeasuredCase[] = [];
  const failures: Failure[] = [];
  try {
    for (const batch of batches) {
      const files = await writeJobFiles(folder, network.graph, network.weights, network.images, { batch, precision });
      const bar = terminal.progress(`Batch ${batch}`, 100, " %");
      const contestants = tunedBatches.includes(batch) ? (await field([...asTuned, {}])).contestants : byDefault;
      const result = await runTournament(contestants, {
        ...options,
        adapter: options.adapter ?? null,
        folder,
        files,
        batch,
        signal,
        onProgress: (done, total) => bar.update(Math.floor((100 * done) / total)),
      });
      bar.stop();
      for (const failure of result.failures) terminal.note(failureLine(failure));
      failures.push(...result.failures);
      const measured: MeasuredCase[] = [];
      for (const each of result.cases) {
        const named = { ...each, adapter: each.adapter ?? (each.backend === "cpu" ? environment.cpu : only) };
        if (isOwn(each)) terminal.note(`batch ${batch}: memory, CPU time and roofline of this engine`);
        measured.push(isOwn(each) ? { ...named, own: await ownFigures(network, tuned, each, options, signal) } : named);
      }
      cases.push(...measured);
      if (terminal.json) for (const each of measured) await terminal.printJson(each);
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  const record: BenchRecord = { environment, cases, failures };
  if (options.save !== undefined) terminal.note(`written: ${await saveRecord(record, options.save)}`);
  if (!terminal.json) await print(record, context);
  checkOwn(cases, batches);
  return exitStatus.done;
}

/** What was tuned for this device, and the batches for which it was. */
async function findTunedBatches(
  graph: Graph,
  { adapter, batches, precision, tuning }: PeersOptions,
  { terminal }: Context,
): Promise<{ tuned: Tuned | undefined; tunedBatches: readonly number[] }> {
  const opened = await openAdapter(adapter === undefined ? {} : { adapter });
  const tuned = await findTuned(opened.info, tuning, terminal);
  const limits = limitsOfAdapter(opened);
  return { tuned, tunedBatches: batches.filter((batch) => sayTuned(tuned, graph, batch, precision, limits, terminal)) };
}

function ownFigures(
  { graph, weights }: Network,
  tuned: Tuned | undefined,
  { batch, settings }: MeasuredCase,
  { adapter, precision }: PeersOptions,
  signal: AbortSignal,
): Promise<OwnFigures> {
  const choices = settings["tuning"] === undefined ? undefined : tuned?.choices;
  return measureOwn({ graph, weights }, { batch, precision, adapter, choices, signal });
}

/**
 * The adapter that is measured, where it is known, and the one that every engine must get, since there is no other;
 * null where there are several.
 */
async function findAdapter(wanted: string | undefined): Promise<{ adapter: string | null; only: string | null }> {
  const adapters = (await findAdapters()).filter(({ backend }) => !backend.startsWith("opengl"));
  const only = new Set(adapters.map(({ name }) => name)).size === 1 ? adapters[0].name : null;
  const named = wanted === undefined ? undefined : adapters.find((found) => isNamedLike(found, wanted))?.name;
  return { adapter: only ?? named ?? null, only };
}

function missingLine({ engine, reason, install }: MissingEngine): string {
  return `${engine} is left out: ${reason}${install === null ? "" : `; to measure it: ${install}`}`;
}

function failureLine({ engine, mode, settings, reason }: Failure): string {
  const details = [mode, ...Object.entries(settings).map(([name, value]) => `${name} ${value}`)].filter(Boolean);
  return `${engine}${details.length === 0 ? "" : ` (${details.join(", ")})`} failed: ${reason}`;
}

async function print({ environment, cases }: BenchRecord, { terminal }: Context): Promise<void> {
  const validation = environment.validation ? "on in all WebGPU engines" : "off in all WebGPU engines";
  await terminal.print(`${environmentTable(environment, [["validation", validation]])}\n`);
  const head = [
    ...["engine", "mode", "batch", "median", "min", "p95", "spread", "no read-back"],
    ...["images/s", "cold", "max error", "checked"],
  ];
  const align = head.map((_, column) => (column < 2 || column === head.length - 1 ? "left" : "right"));
  const table = cases.map((each) => [
    each.engine,
    each.mode ?? "",
    each.batch,
    formatTime(each.medianMs),
    formatTime(each.minMs),
    formatTime(each.p95Ms),
    `${significant(100 * each.spread, 2)} %`,
    each.medianNoReadbackMs === null ? "" : formatTime(each.medianNoReadbackMs),
    significant(Math.max(each.imagesPerSecond, each.imagesPerSecondInFlight ?? 0), 3),
    formatTime(each.coldMs),
    each.maxAbsError.toExponential(1),
    each.checked ? "yes" : "NO",
  ]);
  await terminal.print(formatTable(table, { head, align }));
}

/** Peers may fail; this engine may not. */
function checkOwn(cases: readonly MeasuredCase[], batches: readonly number[]): void {
  for (const batch of batches) {
    const own = cases.find((each) => isOwn(each) && each.batch === batch);
    if (own?.checked) continue;
    throw new EngineError(
      "check",
      `batch ${batch}`,
      own
        ? `this engine's probabilities are off by ${significant(own.maxAbsError, 2)} (tolerance ${PEER_TOLERANCE[own.precision]})`
        : "this engine could not be measured",
      "see `googlenet verify` for where; times of wrong results mean nothing",
    );
  }
}
