/** The demonstration: the sample picture's labels, the GPU against the CPU, and how long each takes. */

import { runReference } from "../cpu/reference.ts";
import { EngineError } from "../errors.ts";
import { googLeNet } from "../graph/googlenet.ts";
import { inferShapesForBatch, type ShapedGraph } from "../graph/graph.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { Weights } from "../graph/weights.ts";
import { fetchWeights } from "../node/fetch-weights.ts";
import { samplePicture } from "../node/package.ts";
import { findWeights, readManifest, weightsFolder } from "../node/weights-manifest.ts";
import { compareBlob, widestTolerancesIn } from "../verify/compare.ts";
import { ranking, rankingTable } from "./classify.ts";
import type { Context } from "./context.ts";
import { type Engine, openEngine } from "./engine.ts";
import { formatTable, formatTime, significant } from "./format.ts";
import { pictureTensor } from "./inputs.ts";
import type { NetworkOptions } from "./options.ts";
import { exitStatus } from "./report.ts";
import { median } from "../tune/statistics.ts";
import { loadChosen, STAND_IN } from "./weights-choice.ts";

/** A server that says nothing for this long is taken for one that can't be reached. */
const SILENCE_MS = 10_000;
const TIMED_RUNS = 5;

export async function demo(options: NetworkOptions, context: Context): Promise<number> {
  const { terminal, signal } = context;
  const graph = googLeNet({ heads: options.heads });
  const shaped = inferShapesForBatch(graph, 1);
  const { source, problem } = await demoWeights(options.weights, context);
  if (problem !== undefined && !terminal.json) {
    await terminal.print(`No trained weights (${problem}): these are made up (${source}), so the labels mean nothing.`);
  }
  const { weights, name: weightsName } = await loadChosen(source, shaped.parameters);

  const input = await pictureTensor();
  using engine = await openDemoEngine(graph, weights, options, context);
  const { outputs, times } = await timeRuns(engine, input, context);
  const best = ranking(outputs["prob"].data, 5);

  const check =
    engine.backend === "webgpu" ? await checkAgainstReference(shaped, weights, input, outputs, engine, context) : null;
  signal.throwIfAborted();

  if (terminal.json) {
    await terminal.printJson({
      image: samplePicture,
      top: best,
      backend: engine.backend,
      adapter: engine.adapter,
      precision: engine.precision,
      weights: weightsName,
      ms: median(times),
      ...(problem === undefined ? {} : { weightsProblem: problem }),
      ...(check ? { maxAbsError: check.maxAbs, pass: check.pass, referenceMs: check.milliseconds } : {}),
    });
  } else {
    const facts = [
      ["Picture", `${samplePicture} (the project's own)`],
      ["Weights", weightsName],
      ["Runs on", `${engine.adapter} (${engine.backend === "cpu" ? "the CPU reference" : "WebGPU"})`],
      ["Inference", `${formatTime(median(times))} (median of ${times.length}, batch 1)`],
    ];
    if (check) {
      const { green, red } = terminal.colors;
      const verdict = check.pass ? green("agrees") : red("DIFFERS");
      const difference = `probabilities within ${significant(check.maxAbs, 2)}, tolerance ${widestTolerancesIn(engine.precision).probability}`;
      facts.push(["CPU check", `${verdict} (${difference}; the reference took ${formatTime(check.milliseconds)})`]);
    }
    await terminal.print(`${rankingTable(best, terminal)}\n`);
    await terminal.print(formatTable(facts));
  }
  if (check && !check.pass) {
    throw new EngineError("check", "demo", "the GPU's probabilities are wrong", "see `googlenet verify` for where");
  }
  return exitStatus.done;
}

/** Weights to show something with: those there are, else those that can be downloaded, else made-up ones. */
async function demoWeights(
  option: string | undefined,
  { terminal, signal }: Context,
): Promise<{ source: string; problem?: string }> {
  const choice = await findWeights(option);
  if (choice) return { source: choice.source };
  const [entry] = await readManifest();
  terminal.note(`no trained weights yet: downloading ${entry.url}`);
  const bar = terminal.progress("Trained weights", Math.round(entry.size / 1e6), " MB");
  try {
    const { path } = await fetchWeights(entry, weightsFolder(), {
      signal,
      silenceMs: SILENCE_MS,
      onProgress: (received) => bar.update(Math.round(received / 1e6)),
    });
    return { source: path };
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    signal.throwIfAborted();
    return { source: STAND_IN, problem: `they can't be downloaded: ${error.message.split("; ")[0]}` };
  } finally {
    bar.stop();
  }
}

/** The GPU; where there is none and nobody asked for one, the CPU. */
async function openDemoEngine(
  graph: Parameters<typeof openEngine>[0],
  weights: Weights,
  { backend, adapter, precision, tuning }: NetworkOptions,
  context: Context,
): Promise<Engine> {
  try {
    const options = { backend: backend ?? "webgpu", adapter, precision, batch: 1, tuning };
    return await openEngine(graph, weights, options, context);
  } catch (error) {
    const mayFallBack = backend === undefined && adapter === undefined && precision === "f32";
    if (!mayFallBack || !(error instanceof EngineError) || error.code !== "adapter") throw error;
    context.terminal.complain(`no WebGPU adapter (${error.message}): running on the CPU reference instead`);
    return openEngine(graph, weights, { backend: "cpu", batch: 1 }, context);
  }
}

async function timeRuns(
  engine: Engine,
  data: Tensor,
  { signal }: Context,
): Promise<{ outputs: Awaited<ReturnType<Engine["run"]>>; times: number[] }> {
  const runs = engine.backend === "cpu" ? 1 : TIMED_RUNS;
  let outputs = engine.backend === "cpu" ? {} : await engine.run({ data });
  const times: number[] = [];
  for (let run = 0; run < runs; run++) {
    signal.throwIfAborted();
    const start = performance.now();
    outputs = await engine.run({ data });
    times.push(performance.now() - start);
  }
  return { outputs, times };
}

async function checkAgainstReference(
  shaped: ShapedGraph,
  weights: Weights,
  data: Tensor,
  outputs: Readonly<Record<string, Tensor>>,
  { precision }: Engine,
  { terminal, signal }: Context,
): Promise<{ maxAbs: number; pass: boolean; milliseconds: number }> {
  const bar = terminal.progress("CPU reference", shaped.nodes.length, " layers");
  const start = performance.now();
  try {
    const expected = await runReference(shaped, weights, new Map([["data", data]]), {
      signal,
      onProgress: (done) => bar.update(done),
    });
    const verdicts = [...expected].map(([blob, tensor]) =>
      compareBlob(blob, outputs[blob], tensor, "probability", widestTolerancesIn(precision)),
    );
    return {
      maxAbs: Math.max(...verdicts.map(({ maxAbs }) => maxAbs)),
      pass: verdicts.every(({ pass }) => pass),
      milliseconds: performance.now() - start,
    };
  } finally {
    bar.stop();
  }
}
