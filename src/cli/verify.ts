/** `verify`: WebGPU against the CPU reference, or against arrays in a folder, blob by blob. */

import { runReference } from "../cpu/reference.ts";
import { EngineError } from "../errors.ts";
import { googLeNet } from "../graph/googlenet.ts";
import { type Graph, inferShapesForBatch, type ShapedGraph } from "../graph/graph.ts";
import { elementCount, formatShape, type Tensor } from "../graph/tensor.ts";
import type { Weights } from "../graph/weights.ts";
import { readArray } from "../node/arrays.ts";
import { readBlobFolder, writeBlobFolder } from "../node/blob-folder.ts";
import { openGpu } from "../node/dawn.ts";
import { kernelsOnDisk } from "../node/kernels.ts";
import { bytesPerElement } from "../plan/plan.ts";
import { type BlobVerdict, type Tolerances, tolerances } from "../verify/compare.ts";
import { type Blobs, type Verification, verifyBlobs, webgpuBlobs } from "../verify/verify.ts";
import { limitsOf } from "../webgpu/device.ts";
import { abortable, type Context } from "./context.ts";
import { processorName } from "./engine.ts";
import { formatTable, plural, significant } from "./format.ts";
import { batchOf, checkInputName, googLeNetFor, pictureTensor } from "./inputs.ts";
import { requireMemory } from "./memory.ts";
import type { NetworkOptions, Pair } from "./options.ts";
import { errorLine, exitStatus } from "./report.ts";
import { choicesOption, findTuned, sayTuned } from "./tuning.ts";
import { anyWeights } from "./weights-choice.ts";

export interface VerifyOptions extends NetworkOptions {
  readonly against?: string;
  readonly write?: string;
  readonly image?: string;
  readonly input?: readonly Pair[];
}

export async function verify(options: VerifyOptions, context: Context): Promise<number> {
  const { terminal, signal } = context;
  checkOptions(options);
  const input = await verifiedInput(options).catch(async (error: unknown) => {
    const { image } = options;
    if (!terminal.json || image === undefined || !(error instanceof EngineError) || error.code !== "picture")
      throw error;
    await terminal.printJson({ image, error: error.message });
    terminal.complain(errorLine(error));
    return null;
  });
  if (!input) return exitStatus.failed;
  const { graph, data } = input;
  const shaped = inferShapesForBatch(graph, data.shape[0]);
  const { weights, name: weightsName } = await anyWeights(options.weights, shaped.parameters, context);
  const against = options.against === undefined ? null : await expectedBlobs(options.against, shaped, context);

  const wanted = new Set(against && options.write === undefined ? readable(against) : shaped.shapes.keys());
  const { blobs, allowed, adapter } = await computeBlobs(graph, shaped, weights, data, wanted, options, context);
  if (options.write !== undefined) {
    await writeBlobFolder(options.write, blobs);
    terminal.note(`${plural(blobs.size, "blob")} written to ${options.write}`);
    if (options.backend === "cpu" && !against) return exitStatus.done;
  }
  const expected = against ?? (await reference(shaped, weights, data, wanted, context));
  signal.throwIfAborted();
  const verification = verifyBlobs(shaped, blobs, expected, allowed);
  await printVerification(verification, allowed, adapter, weightsName, options, context);
  return verification.pass ? exitStatus.done : exitStatus.failed;
}

function checkOptions({ backend, against, write, image, input, batch }: VerifyOptions): void {
  const usage = (subject: string, problem: string, remedy: string) =>
    new EngineError("usage", subject, problem, remedy);
  if (backend === "cpu" && against === undefined && write === undefined) {
    throw usage(
      "--backend cpu",
      "the CPU reference can't be checked against itself",
      "add --against DIR or --write DIR",
    );
  }
  if (image !== undefined && input !== undefined)
    throw usage("--image", "it conflicts with --input", "give one of them");
  if (batch !== undefined && input !== undefined) {
    throw usage("--batch", "it conflicts with --input, which has a batch size of its own", "give one of them");
  }
}

async function verifiedInput({
  heads,
  image,
  input,
  batch = 1,
}: VerifyOptions): Promise<{ graph: Graph; data: Tensor }> {
  if (!input) {
    const graph = googLeNet({ heads });
    checkMemory(graph, batch);
    return { graph, data: batchOf(await pictureTensor(image), batch) };
  }
  for (const { name } of input) checkInputName(name, googLeNet());
  const [{ file }] = input;
  const data = await readArray(file);
  const graph = googLeNetFor(data, file, heads);
  checkMemory(graph, data.shape[0]);
  return { graph, data };
}

/** Every blob is there twice or more: read back from the device, and what it should be. */
function checkMemory(graph: Graph, batch: number): void {
  const { shapes } = inferShapesForBatch(graph, batch);
  const bytes = [...shapes.values()].reduce((sum, shape) => sum + elementCount(shape) * bytesPerElement, 0);
  requireMemory(3 * bytes, `verifying ${plural(batch, "image")}`);
}

async function computeBlobs(
  graph: Graph,
  shaped: ShapedGraph,
  weights: Weights,
  data: Tensor,
  wanted: ReadonlySet<string>,
  { backend, adapter, precision, tuning }: VerifyOptions,
  context: Context,
): Promise<{ blobs: Blobs; allowed: Tolerances; adapter: string }> {
  if (backend === "cpu") {
    const blobs = await reference(shaped, weights, data, wanted, context);
    return { blobs, allowed: tolerances, adapter: processorName() };
  }
  const gpu = await openGpu({ experiments: precision === "f16", ...(adapter === undefined ? {} : { adapter }) });
  const bar = context.terminal.progress("Compiling kernels", 100, " %");
  try {
    const tuned = await findTuned(gpu.adapter.info, tuning, context.terminal);
    sayTuned(tuned, graph, data.shape[0], precision, limitsOf(gpu.device), context.terminal);
    const onProgress = (done: number, total: number) => bar.update(Math.floor((100 * done) / total));
    const work = webgpuBlobs(
      graph,
      weights,
      { data },
      { device: gpu.device, kernels: kernelsOnDisk, precision, wanted, onProgress, ...choicesOption(tuned) },
    );
    return { ...(await abortable(work, context.signal)), adapter: gpu.name };
  } finally {
    bar.stop();
    gpu.device.destroy();
  }
}

async function reference(
  shaped: ShapedGraph,
  weights: Weights,
  data: Tensor,
  wanted: ReadonlySet<string>,
  { terminal, signal }: Context,
): Promise<Blobs> {
  const bar = terminal.progress("CPU reference", shaped.nodes.length, " layers");
  try {
    const onProgress = (done: number) => bar.update(done);
    const blobs = await runReference(shaped, weights, new Map([["data", data]]), { keep: wanted, signal, onProgress });
    return new Map([...blobs].filter(([id]) => wanted.has(id)));
  } finally {
    bar.stop();
  }
}

/** What a folder says that the blobs should be, or why it can't be told. */
async function expectedBlobs(
  folder: string,
  { shapes, graph }: ShapedGraph,
  { terminal }: Context,
): Promise<ReadonlyMap<string, Tensor | EngineError>> {
  const { blobs: found, others } = await readBlobFolder(folder, shapes.keys());
  if (found.size === 0) {
    throw new EngineError(
      "check",
      folder,
      `none of its files is named like a blob of ${graph.name}`,
      "name them NAME.npy with # for /, as `verify --write DIR` does",
    );
  }
  if (others.length > 0) {
    terminal.note(
      `${folder}: ${plural(others.length, "array")} named like no blob passed over (${others.slice(0, 3).join(", ")}${others.length > 3 ? ", …" : ""})`,
    );
  }
  for (const tensor of found.values()) if (tensor instanceof EngineError) terminal.complain(errorLine(tensor));
  return found;
}

/** The blobs whose arrays could be read. */
function readable(blobs: ReadonlyMap<string, Tensor | EngineError>): string[] {
  return [...blobs].flatMap(([blob, tensor]) => (tensor instanceof EngineError ? [] : [blob]));
}

async function printVerification(
  { verdicts, pass, firstFailure, worst }: Verification,
  allowed: Tolerances,
  adapter: string,
  weightsName: string,
  { against, precision }: VerifyOptions,
  { terminal }: Context,
): Promise<void> {
  if (terminal.json) {
    for (const { problem, ...verdict } of verdicts) {
      await terminal.printJson(problem === undefined ? verdict : { ...verdict, error: problem });
    }
    await terminal.printJson({
      pass,
      firstFailure,
      worst,
      tolerances: allowed,
      adapter,
      precision,
      weights: weightsName,
    });
    return;
  }
  const { colors } = terminal;
  const rows = verdicts.map((verdict) => verdictRow(verdict, colors.red("FAILS")));
  const head = ["blob", "shape", "max abs", "max rel", "nmse", ""];
  const align = ["left", "right", "right", "right", "right"] as const;
  await terminal.print(formatTable(rows, { head, align }));
  const beside = against ?? "the CPU reference";
  const furthest = verdicts.find(({ blob }) => blob === worst);
  const failures = verdicts.filter((verdict) => !verdict.pass).length;
  await terminal.print("");
  await terminal.print(
    pass
      ? `${colors.green("passes")}: ${plural(verdicts.length, "blob")} on ${adapter} agree with ${beside}; ` +
          `furthest off is ${worst} (max rel ${number(furthest?.maxRel ?? 0)}); weights ${weightsName}`
      : `${colors.red("FAILS")}: ${failures} of ${plural(verdicts.length, "blob")} on ${adapter} differ from ${beside}, ` +
          `first ${firstFailure}; weights ${weightsName}`,
  );
  await terminal.print(
    `tolerances: max rel ${number(allowed.activation)}, of probabilities max abs ${number(allowed.probability)}`,
  );
}

function verdictRow({ blob, shape, maxAbs, maxRel, nmse, pass, problem }: BlobVerdict, failure: string): string[] {
  const verdict = pass ? "" : problem === undefined ? failure : `${failure}: ${problem}`;
  return [blob, formatShape(shape), number(maxAbs), number(maxRel), number(nmse), verdict];
}

function number(value: number): string {
  return value === 0 || !Number.isFinite(value) ? significant(value, 1) : value.toExponential(1);
}
