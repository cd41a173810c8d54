/** `bench`: how long inference takes, of outputs that were checked. */

import type { EngineName } from "../bench/engines.ts";
import { type EncodeTimes, encodeTimes } from "../bench/encode-time.ts";
import type { KnownImage } from "../bench/job-files.ts";
import type { OpenEngine } from "../bench/job.ts";
import { timeEngine } from "../bench/timing.ts";
import { runReference } from "../cpu/reference.ts";
import { EngineError } from "../errors.ts";
import { googLeNet } from "../graph/googlenet.ts";
import { type Graph, inferShapesForBatch } from "../graph/graph.ts";
import { elementsPerImage, type Tensor } from "../graph/tensor.ts";
import type { Weights } from "../graph/weights.ts";
import { describeEnvironment } from "../node/environment.ts";
import { median, quantile } from "../tune/statistics.ts";
import { widestTolerancesIn } from "../verify/compare.ts";
import type { Context } from "./context.ts";
import { type Engine, openEngine } from "./engine.ts";
import { environmentTable } from "./environment-table.ts";
import { formatBytes, formatTable, formatTime, significant } from "./format.ts";
import { batchOf, pictureTensor } from "./inputs.ts";
import type { NetworkOptions } from "./options.ts";
import { exitStatus } from "./report.ts";
import { anyWeights } from "./weights-choice.ts";

export interface BenchOptions extends Omit<NetworkOptions, "batch"> {
  readonly batch?: readonly number[];
  readonly runs?: number;
  readonly seconds?: number;
  readonly warmups?: number;
  readonly unsafe?: boolean;
  /** Engines to measure beside this one. */
  readonly peers?: readonly EngineName[];
  readonly rounds?: number;
  readonly save?: string | true;
}

const USUAL_SECONDS = 10;
const USUAL_RUNS = 50;
const USUAL_WARMUPS = { webgpu: 3, cpu: 1 } as const;
/**
 * The CPU reference takes seconds an image: batches hold these many different images, over and over, and every run
 * begins with another one, so that a result left over from the run before shows.
 */
const DISTINCT_IMAGES = 2;
const USUAL_ROUNDS = 5;

type OrNull<Fields> = { readonly [Name in keyof Fields]: Fields[Name] | null };

/** One case, as JSON has it. The reference has no commands to encode. */
interface Case extends OrNull<EncodeTimes> {
  readonly engine: "googlenet-wgsl";
  readonly backend: Engine["backend"];
  readonly adapter: string;
  readonly precision: Engine["precision"];
  readonly batch: number;
  readonly medianMs: number;
  readonly minMs: number;
  readonly p95Ms: number;
  readonly imagesPerSecond: number;
  /** From no device to the first probabilities: opening it, planning, compiling, uploading weights, one run. */
  readonly coldMs: number;
  /** Whether the output of every run was compared with the reference and was within tolerance. */
  readonly checked: boolean;
  readonly maxAbsError: number;
  readonly runs: number;
  readonly warmups: number;
  /** Whether it ran as it was tuned for this device. */
  readonly tuned: boolean;
  /** Dispatches, and bytes of activations and scratch memory; null for the reference, which plans nothing. */
  readonly steps: number | null;
  readonly peakBytes: number | null;
}

export async function bench(options: BenchOptions, context: Context): Promise<number> {
  const { terminal, signal } = context;
  const { backend, batch: batches = [1], peers } = options;
  checkConflicts(options);
  const graph = googLeNet({ heads: options.heads });
  const { weights, name: weightsName } = await anyWeights(
    options.weights,
    inferShapesForBatch(graph, 1).parameters,
    context,
  );
  const picture = await pictureTensor();
  const distinct = batchOf(picture, DISTINCT_IMAGES);
  // Taking seconds, it waits until it is known that there is something to compare with it.
  let reference: Promise<Float32Array> | undefined;
  const expected = () => (reference ??= referenceProbabilities(graph, weights, distinct, context));

  if (peers) {
    const images = imagesOf(distinct, await expected());
    const { benchPeers } = await import("./bench-peers.ts");
    const { adapter, precision, unsafe = false, rounds = USUAL_ROUNDS, save, tuning } = options;
    return benchPeers(
      { graph, weights, weightsName, images },
      { ...amounts(options, "webgpu"), peers, batches, precision, adapter, unsafe, rounds, save, tuning },
      context,
    );
  }

  const cases: Case[] = [];
  for (const batch of batches) {
    signal.throwIfAborted();
    const measured = await measure(graph, weights, { distinct, batch }, expected, options, context);
    if (cases.length === 0) await printEnvironment(measured.adapter, weightsName, options, context);
    cases.push(measured);
    if (terminal.json) await terminal.printJson(measured);
  }
  if (!terminal.json) {
    await terminal.print(`${table(cases)}\n`);
    await terminal.print("cold: from no device to the first probabilities (device, plan, kernels, weights, one run)");
    await terminal.print(
      "encode: the main thread's CPU time to record and submit a run, one waited for after the other; peak: planned activation memory",
    );
  }
  if (backend === "cpu") terminal.note("not checked: the CPU reference is what the others are checked against");
  // What is not a number is wrong as well.
  const { probability: tolerance } = widestTolerancesIn(options.precision);
  const wrong = cases.find(({ maxAbsError }) => !(maxAbsError <= tolerance));
  if (wrong) {
    throw new EngineError(
      "check",
      `batch ${wrong.batch}`,
      `its probabilities are off by ${significant(wrong.maxAbsError, 2)} (tolerance ${tolerance})`,
      "see `googlenet verify` for where; times of wrong results mean nothing",
    );
  }
  return exitStatus.done;
}

/** @throws EngineError "usage" for options that make no sense together */
function checkConflicts({ peers, backend, heads, unsafe, rounds, save }: BenchOptions): void {
  const refuse = (option: string, problem: string, remedy: string) => {
    throw new EngineError("usage", option, problem, remedy);
  };
  if (unsafe && backend === "cpu") refuse("--unsafe", "it conflicts with --backend cpu", "give one of them");
  if (peers) {
    if (backend === "cpu") refuse("--backend cpu", "peers are measured on a GPU", "leave one of them out");
    if (heads !== "main") refuse(`--heads ${heads}`, "peers run the main classifier", "leave one of them out");
  } else {
    if (rounds !== undefined)
      refuse("--rounds", "there are rounds with --peers alone", "give --peers, or leave it out");
    if (save !== undefined) refuse("--save", "it keeps what --peers measured", "give --peers, or leave it out");
  }
}

/** How often and for how long to run. */
function amounts({ runs, seconds, warmups }: BenchOptions, backend: Engine["backend"]) {
  return {
    warmups: warmups ?? USUAL_WARMUPS[backend],
    runs: runs ?? (seconds === undefined ? USUAL_RUNS : Number.MAX_SAFE_INTEGER),
    seconds: seconds ?? (runs === undefined ? USUAL_SECONDS : Number.MAX_SAFE_INTEGER),
  };
}

function imagesOf(batch: Tensor, probabilities: Float32Array): KnownImage[] {
  const images = batch.shape[0];
  const part = (all: Float32Array, index: number) =>
    all.subarray((index * all.length) / images, ((index + 1) * all.length) / images);
  return Array.from({ length: images }, (_, index) => ({
    data: part(batch.data, index),
    probabilities: part(probabilities, index),
  }));
}

async function measure(
  graph: Graph,
  weights: Weights,
  { distinct, batch }: { readonly distinct: Tensor; readonly batch: number },
  reference: () => Promise<Float32Array>,
  options: BenchOptions,
  context: Context,
): Promise<Case> {
  const { backend = "webgpu", adapter, precision, unsafe = false, tuning } = options;
  const { warmups, runs: mostRuns, seconds } = amounts(options, backend);
  const inputs = turnsOf((first) => repeated(distinct, batch, first));
  const shape = inputs[0].shape;
  const coldStart = performance.now();
  let coldMs = NaN;
  using engine = await openEngine(graph, weights, { backend, adapter, precision, unsafe, batch, tuning }, context);
  const openedEngine: OpenEngine = {
    adapter: engine.adapter,
    versions: {},
    prepare: (data): Tensor => ({ shape, data }),
    run: async (input) => (await engine.run({ data: input as Tensor })).prob.data,
    close: () => undefined,
  };
  const bar = context.terminal.progress(`Batch ${batch}`, 100, " %");
  const { times, maxAbsError } = await timeEngine(openedEngine, {
    inputs: inputs.map(({ data }) => data),
    expected: async () => {
      const probabilities = await reference();
      const rows = { shape: [DISTINCT_IMAGES, probabilities.length / DISTINCT_IMAGES], data: probabilities };
      return turnsOf((first) => repeated(rows, batch, first).data);
    },
    batch,
    // The first run is one.
    warmups: warmups - 1,
    runs: mostRuns,
    seconds,
    brief: true,
    onFirst: () => (coldMs = performance.now() - coldStart),
    onProgress: (share) => bar.update(Math.floor(100 * share)),
    signal: context.signal,
  });
  bar.stop();
  const medianMs = median(times);
  const { planned } = engine;
  const { signal } = context;
  const encoding =
    planned && (await encodeTimes({ graph, weights }, { ...planned, batch, precision, adapter, signal }));
  return {
    engine: "googlenet-wgsl",
    backend: engine.backend,
    adapter: engine.adapter,
    precision: engine.precision,
    batch,
    medianMs,
    minMs: Math.min(...times),
    p95Ms: quantile(times, 0.95),
    imagesPerSecond: (1000 * batch) / medianMs,
    coldMs,
    // The reference beside itself proves nothing.
    checked:
      engine.backend !== "cpu" &&
      maxAbsError !== null &&
      maxAbsError <= widestTolerancesIn(engine.precision).probability,
    maxAbsError: maxAbsError ?? NaN,
    runs: times.length,
    warmups,
    tuned: engine.tuned,
    steps: planned?.plan.steps.length ?? null,
    peakBytes: planned?.plan.arenaBytes ?? null,
    ...(encoding ?? { encodeMs: null, encodeStreamedMs: null, encodeUnsafeMs: null, encodeClock: null }),
  };
}

/** The reference's probabilities, image after image. */
async function referenceProbabilities(
  graph: Graph,
  weights: Weights,
  data: Tensor,
  { terminal, signal }: Context,
): Promise<Float32Array> {
  const shaped = inferShapesForBatch(graph, data.shape[0]);
  const bar = terminal.progress("CPU reference", shaped.nodes.length, " layers");
  try {
    const onProgress = (done: number) => bar.update(done);
    const outputs = await runReference(shaped, weights, new Map([["data", data]]), { signal, onProgress });
    return outputs.get("prob")!.data;
  } finally {
    bar.stop();
  }
}

/** A batch of images over and over, from one of them on. */
function repeated({ shape, data }: Tensor, batch: number, first: number): Tensor {
  const elements = elementsPerImage(shape);
  const all = new Float32Array(batch * elements);
  for (let image = 0; image < batch; image++) {
    const start = ((first + image) % shape[0]) * elements;
    all.set(data.subarray(start, start + elements), image * elements);
  }
  return { shape: shape.with(0, batch), data: all };
}

/** What each turn has, beginning with another image each. */
function turnsOf<T>(make: (first: number) => T): T[] {
  return Array.from({ length: DISTINCT_IMAGES }, (_, first) => make(first));
}

async function printEnvironment(
  adapter: string,
  weights: string,
  { unsafe = false }: BenchOptions,
  { terminal }: Context,
): Promise<void> {
  const environment = { adapter, ...describeEnvironment(), weights, validation: !unsafe };
  if (terminal.json) {
    await terminal.printJson({ environment });
    return;
  }
  const more = unsafe ? ([["unsafe", "Dawn's validation and bounds checks are off"]] as const) : [];
  await terminal.print(`${environmentTable(environment, more)}\n`);
}

function table(cases: readonly Case[]): string {
  const head = [
    "backend",
    "precision",
    "batch",
    "median",
    "min",
    "p95",
    "images/s",
    "cold",
    "encode",
    "peak",
    "runs",
    "max error",
    "checked",
  ];
  const align = ["left", "left", ...head.slice(2, -1).map(() => "right" as const)] as const;
  const rows = cases.map((each) => [
    each.backend,
    each.precision,
    each.batch,
    formatTime(each.medianMs),
    formatTime(each.minMs),
    formatTime(each.p95Ms),
    significant(each.imagesPerSecond, 3),
    formatTime(each.coldMs),
    each.encodeMs === null ? "" : `${each.encodeClock === "bound" ? "at most " : ""}${formatTime(each.encodeMs)}`,
    each.peakBytes === null ? "" : formatBytes(each.peakBytes),
    each.runs,
    each.maxAbsError.toExponential(1),
    each.checked ? "yes" : each.backend === "cpu" ? "no" : "NO",
  ]);
  return formatTable(rows, { head, align });
}
