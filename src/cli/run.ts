/** `run`: a model on arrays, any of its blobs written as arrays. */

import { stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { EngineError } from "../errors.ts";
import { googLeNet } from "../graph/googlenet.ts";
import { type Graph, inferShapesForBatch, subgraphFor, type ValueId } from "../graph/graph.ts";
import { elementCount, formatShape, type Tensor } from "../graph/tensor.ts";
import type { Weights } from "../graph/weights.ts";
import { readArray, writeArrays } from "../node/arrays.ts";
import { bytesPerElement } from "../plan/plan.ts";
import type { Context } from "./context.ts";
import { openEngine } from "./engine.ts";
import { formatBytes, formatTable } from "./format.ts";
import { checkInputName, googLeNetFor } from "./inputs.ts";
import { requireMemory } from "./memory.ts";
import { nearNames } from "../labels/near-names.ts";
import type { NetworkOptions, Pair } from "./options.ts";
import { errorLine, exitStatus } from "./report.ts";
import { trainedWeights } from "./weights-choice.ts";

export interface RunOptions extends NetworkOptions {
  readonly input?: readonly Pair[];
  readonly output?: readonly Pair[];
}

const BUILT_IN = "googlenet";

export async function run(model: string, options: RunOptions, context: Context): Promise<number> {
  const { terminal } = context;
  const { input = [], output = [], heads } = options;
  if (output.length === 0)
    throw new EngineError("usage", "run", "there is nothing to do", "add --output NAME=FILE.npy");
  if (model !== BUILT_IN) {
    const error = await refuseModel(model);
    if (terminal.json) await terminal.printJson({ model, error: error.message });
    terminal.complain(errorLine(error));
    return exitStatus.failed;
  }
  const paperSize = googLeNet({ heads });
  for (const { name } of input) checkInputName(name, paperSize);
  if (input.length === 0) throw new EngineError("usage", "run", "it has no input", "add --input data=FILE.npy");
  for (const { name } of output) checkBlob(name, paperSize);
  checkDistinct(output);
  for (const { file } of output) await checkWritable(file);

  const [{ file }] = input;
  const data = await readArray(file);
  const whole = googLeNetFor(data, file, heads);
  const wanted = output.map(({ name }) => name);
  // What leads to none of the wanted blobs needs no computing; and wanted blobs are never fused away.
  const graph = subgraphFor(whole, wanted);
  const { weights, name: weightsName } = await trainedWeights(
    options.weights,
    inferShapesForBatch(whole, 1).parameters,
  );
  const blobs = await compute(graph, weights, data, options, context).catch((error: unknown) => {
    throw tooLarge(error, file, data);
  });
  context.signal.throwIfAborted();
  await writeArrays(output.map(({ name, file: path }) => ({ path, tensor: blobs.get(name)! })));

  const written = output.map(({ name, file: target }) => ({ blob: name, shape: blobs.get(name)!.shape, file: target }));
  if (terminal.json) {
    for (const line of written) await terminal.printJson({ ...line, weights: weightsName });
  } else {
    await terminal.print(
      formatTable(written.map(({ blob, shape, file: target }) => [blob, formatShape(shape), target])),
    );
  }
  return exitStatus.done;
}

async function refuseModel(model: string): Promise<EngineError> {
  const there = await stat(model).then(
    () => true,
    () => false,
  );
  return there
    ? new EngineError("graph", model, "model files can't be read yet", `give ${BUILT_IN}, the built-in network`)
    : new EngineError(
        "graph",
        model,
        "there is no such file",
        `check the path, or give ${BUILT_IN}, the built-in network`,
      );
}

function checkBlob(name: ValueId, graph: Graph): void {
  const known = [...graph.inputs.map((input) => input.name), ...graph.nodes.map((node) => node.output)];
  if (known.includes(name)) return;
  const ofAuxiliaryHead = googLeNet({ heads: "all" }).nodes.some((node) => node.output === name);
  throw new EngineError(
    "usage",
    `blob "${name}"`,
    ofAuxiliaryHead ? "it belongs to an auxiliary head" : `${graph.name} has none`,
    ofAuxiliaryHead ? "add --heads all" : `near ones are ${nearNames(name, known).join(", ")}`,
  );
}

function checkDistinct(output: readonly Pair[]): void {
  const files = output.map(({ file }) => resolve(file));
  const twice = output.find((_, index) => files.indexOf(files[index]) !== index)?.file;
  if (twice !== undefined) {
    throw new EngineError("usage", `--output ${twice}`, "two blobs would go into the same file", "give each its own");
  }
}

/** Finds out before anything is computed. */
async function checkWritable(file: string): Promise<void> {
  const folder = dirname(file);
  const there = await stat(folder).then(
    (status) => status.isDirectory(),
    () => false,
  );
  if (!there) throw new EngineError("write", file, `there is no folder ${folder}`, "make it, or choose another place");
}

/** What was too large for the device or the machine is this file's array. */
function tooLarge(error: unknown, file: string, { data }: Tensor): unknown {
  if (!(error instanceof EngineError) || error.code !== "out-of-memory") return error;
  const bytes = formatBytes(data.length * bytesPerElement);
  const reason = error.message.slice(0, -`; ${error.remedy}`.length);
  return new EngineError("out-of-memory", file, `its ${bytes} are too much (${reason})`, error.remedy, {
    cause: error,
  });
}

async function compute(
  graph: Graph,
  weights: Weights,
  data: Tensor,
  { backend = "webgpu", adapter, batch = data.shape[0], tuning }: RunOptions,
  context: Context,
): Promise<Map<ValueId, Tensor>> {
  const total = data.shape[0];
  const { shapes } = inferShapesForBatch(graph, total);
  const bytes = graph.outputs.reduce((sum, id) => sum + elementCount(shapes.get(id)!) * bytesPerElement, 0);
  requireMemory(bytes, "output");
  const image = elementCount(data.shape.slice(1));
  const results = new Map(graph.outputs.map((id) => [id, new Float32Array(elementCount(shapes.get(id)!))]));
  const size = Math.min(batch, total);
  using engine = await openEngine(graph, weights, { backend, adapter, batch: size, tuning }, context);
  const bar = context.terminal.progress("Images", total);
  for (let start = 0; start < total; start += size) {
    const count = Math.min(size, total - start);
    const part = { shape: data.shape.with(0, count), data: data.data.subarray(start * image, (start + count) * image) };
    for (const [id, tensor] of Object.entries(await engine.run({ data: part }))) {
      results.get(id)!.set(tensor.data, (start * tensor.data.length) / count);
    }
    bar.update(start + count);
  }
  bar.stop();
  return new Map([...results].map(([id, values]) => [id, { shape: shapes.get(id)!, data: values }]));
}
