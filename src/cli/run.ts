/** `run`: a model on arrays, any of its blobs written as arrays. */

import { stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { EngineError } from "../errors.ts";
import { modelFor } from "../formats/model-file.ts";
import { googLeNet } from "../graph/googlenet.ts";
import { type Graph, inferShapesForBatch, subgraphFor, type ValueId } from "../graph/graph.ts";
import { elementCount, formatShape, type Tensor } from "../graph/tensor.ts";
import type { Weights } from "../graph/weights.ts";
import { readArray, writeArrays } from "../node/arrays.ts";
import { imageValues } from "../plan/images.ts";
import { bytesPerElement } from "../plan/plan.ts";
import { checkInputs, join, slice } from "../webgpu/batches.ts";
import type { Context } from "./context.ts";
import { openEngine, type Tensors } from "./engine.ts";
import { formatBytes, formatTable } from "./format.ts";
import { checkInputName, googLeNetFor } from "./inputs.ts";
import { requireMemory } from "./memory.ts";
import { openNamedModel } from "./models.ts";
import { nearNames } from "../labels/near-names.ts";
import { BUILT_IN, type NetworkOptions, type Pair } from "./options.ts";
import { exitStatus } from "./report.ts";
import { trainedWeights } from "./weights-choice.ts";

export interface RunOptions extends NetworkOptions {
  readonly input?: readonly Pair[];
  readonly output?: readonly Pair[];
}

/** A network and arrays that fit it. */
interface Job {
  /** What leads to the wanted blobs. */
  readonly graph: Graph;
  readonly weights: Weights;
  readonly weightsName: string;
  readonly inputs: Readonly<Record<ValueId, Tensor>>;
}

export async function run(model: string, options: RunOptions, context: Context): Promise<number> {
  const { terminal } = context;
  const { output = [] } = options;
  if (output.length === 0)
    throw new EngineError("usage", "run", "there is nothing to do", "add --output NAME=FILE.npy");
  const job = await (model === BUILT_IN ? builtIn(options) : fromFile(model, options));
  const blobs = await compute(job, options, context).catch((error: unknown) => {
    throw tooLarge(error, options.input ?? [], job.inputs);
  });
  context.signal.throwIfAborted();
  await writeArrays(output.map(({ name, file: path }) => ({ path, tensor: blobs.get(name)! })));

  const written = output.map(({ name, file: target }) => ({ blob: name, shape: blobs.get(name)!.shape, file: target }));
  if (terminal.json) {
    for (const line of written) await terminal.printJson({ ...line, weights: job.weightsName });
  } else {
    await terminal.print(
      formatTable(written.map(({ blob, shape, file: target }) => [blob, formatShape(shape), target])),
    );
  }
  return exitStatus.done;
}

async function builtIn({ input = [], output = [], heads, weights: option }: RunOptions): Promise<Job> {
  const paperSize = googLeNet({ heads });
  for (const { name } of input) checkInputName(name, paperSize);
  if (input.length === 0) throw new EngineError("usage", "run", "it has no input", "add --input data=FILE.npy");
  const withHeads = googLeNet({ heads: "all" });
  for (const { name } of output) {
    if (heads === "main" && !blobsOf(paperSize).includes(name) && blobsOf(withHeads).includes(name)) {
      throw new EngineError("usage", `blob "${name}"`, "it belongs to an auxiliary head", "add --heads all");
    }
    checkBlob(name, blobsOf(paperSize), paperSize.name);
  }
  await checkFiles(output);
  const [{ file }] = input;
  const data = await readArray(file);
  const whole = googLeNetFor(data, file, heads);
  // What leads to none of the wanted blobs needs no computing; and wanted blobs are never fused away.
  const wanted = output.map(({ name }) => name);
  const { weights, name } = await trainedWeights(option, inferShapesForBatch(whole, 1).parameters);
  return { graph: subgraphFor(whole, wanted), weights, weightsName: name, inputs: { data } };
}

/** A model file and the arrays. */
async function fromFile(path: string, options: RunOptions): Promise<Job> {
  const { input = [], output = [], weights } = options;
  const file = await openNamedModel(path, options);
  for (const { name } of input) checkInputName(name, { ...file, name: path });
  for (const { name } of output) checkBlob(name, file.blobs, path);
  const missing = file.inputs.find(({ name }) => !input.some((each) => each.name === name));
  if (missing) {
    const { name, shape } = missing;
    const remedy = `add --input ${name}=FILE.npy, ${formatShape(shape)}`;
    throw new EngineError("usage", "run", `the input ${name} is missing`, remedy);
  }
  await checkFiles(output);
  const inputs: Record<ValueId, Tensor> = {};
  for (const { name, file: array } of input) inputs[name] = await readArray(array);
  const shapes = new Map(Object.entries(inputs).map(([name, { shape }]) => [name, shape]));
  const model = await modelFor(file, shapes, { outputs: output.map(({ name }) => name) });
  return { ...model, weightsName: weights ?? path, inputs };
}

function blobsOf({ inputs, nodes }: Graph): ValueId[] {
  return [...inputs.map((input) => input.name), ...nodes.map((node) => node.output)];
}

function checkBlob(name: ValueId, known: readonly ValueId[], model: string): void {
  if (known.includes(name)) return;
  throw new EngineError(
    "usage",
    `blob "${name}"`,
    `${model} has none`,
    `near ones are ${nearNames(name, known).join(", ")}`,
  );
}

/** Finds out before anything is computed whether the results can be written. */
async function checkFiles(output: readonly Pair[]): Promise<void> {
  checkDistinct(output);
  for (const { file } of output) await checkWritable(file);
}

function checkDistinct(output: readonly Pair[]): void {
  const files = output.map(({ file }) => resolve(file));
  const twice = output.find((_, index) => files.indexOf(files[index]) !== index)?.file;
  if (twice !== undefined) {
    throw new EngineError("usage", `--output ${twice}`, "two blobs would go into the same file", "give each its own");
  }
}

async function checkWritable(file: string): Promise<void> {
  const folder = dirname(file);
  const there = await stat(folder).then(
    (status) => status.isDirectory(),
    () => false,
  );
  if (!there) throw new EngineError("write", file, `there is no folder ${folder}`, "make it, or choose another place");
}

/** What was too large for the device or the machine is the arrays, so that they are named. */
function tooLarge(error: unknown, files: readonly Pair[], inputs: Job["inputs"]): unknown {
  if (!(error instanceof EngineError) || error.code !== "out-of-memory") return error;
  const bytes = formatBytes(Object.values(inputs).reduce((sum, { data }) => sum + data.length, 0) * bytesPerElement);
  const reason = `${error.subject}: ${error.problem}`;
  const subject = files.map(({ file }) => file).join(" and ");
  return new EngineError("out-of-memory", subject, `its ${bytes} are too much (${reason})`, error.remedy, {
    cause: error,
  });
}

async function compute(
  { graph, weights, inputs }: Job,
  { backend = "webgpu", adapter, precision, batch, tuning }: RunOptions,
  context: Context,
): Promise<Map<ValueId, Tensor>> {
  const { images: total, tensors } = checkInputs(graph, inputs);
  const { shapes } = inferShapesForBatch(graph, total);
  const bytes = graph.outputs.reduce((sum, id) => sum + elementCount(shapes.get(id)!) * bytesPerElement, 0);
  requireMemory(bytes, "output");
  const size = Math.min(batch ?? total, total);
  if (size < total && !imageValues(graph, total)) {
    throw new EngineError("usage", "--batch", `images of ${graph.name} can't be computed apart`, "leave it out");
  }
  using engine = await openEngine(graph, weights, { backend, adapter, precision, batch: size, tuning }, context);
  const bar = context.terminal.progress("Images", total);
  const parts: Tensors[] = [];
  for (let start = 0; start < total; start += size) {
    const count = Math.min(size, total - start);
    const data = slice({ images: total, tensors }, start, count);
    parts.push(
      await engine.run(
        Object.fromEntries(
          [...data].map(([id, values]) => {
            const { shape } = tensors.get(id)!;
            return [id, { shape: count === total ? shape : shape.with(0, count), data: values }];
          }),
        ),
      ),
    );
    bar.update(start + count);
  }
  bar.stop();
  return new Map(graph.outputs.map((id) => [id, join(parts.map((part) => part[id]))]));
}
