/** `plan`: how the network is executed, step by step, without executing it. */

import { existsSync } from "node:fs";
import { EngineError } from "../errors.ts";
import { checkOverrides, modelFor } from "../formats/model-file.ts";
import { googLeNet } from "../graph/googlenet.ts";
import { type Graph, inferShapesForBatch } from "../graph/graph.ts";
import { openAdapter } from "../node/dawn.ts";
import { findWeights } from "../node/weights-manifest.ts";
import { defaultLimits, type PlanLimits } from "../plan/limits.ts";
import { partsOf } from "../plan/batches.ts";
import { planKey } from "../plan/choices.ts";
import { conversionBytes } from "../plan/convert.ts";
import { type Plan, type Step, weightBytes } from "../plan/plan.ts";
import { planGraph } from "../plan/planner.ts";
import { shortName } from "../profile/names.ts";
import { adapterName, limitsOfAdapter } from "../webgpu/device.ts";
import type { Context } from "./context.ts";
import { formatBytes, formatTable, longName, significant } from "./format.ts";
import { openNamedModel } from "./models.ts";
import { BUILT_IN, type NetworkOptions } from "./options.ts";
import { Choice } from "./plan-choice.ts";
import { exitStatus } from "./report.ts";
import { choicesOption, findTuned, sayTuned } from "./tuning.ts";
import { loadChosen, STAND_IN } from "./weights-choice.ts";

export interface PlanCommandOptions extends NetworkOptions {
  /** What a model file leaves open. */
  readonly dimension?: Readonly<Record<string, number>>;
}

/** The steps of the plan that `classify`, `bench` and `run` compute for this batch on this device. */
export async function plan(model: string, options: PlanCommandOptions, context: Context): Promise<number> {
  const { terminal } = context;
  const { precision, batch = 1 } = options;
  const graph = await (model === BUILT_IN ? builtIn(options, context) : fromFile(model, options));
  const { limits, source, info } = await limitsFor(options);
  terminal.note(`planned for the limits of ${source}`);
  const tuned = info && (await findTuned(info, options.tuning, terminal));
  // As a session does with a batch that the device can't hold.
  const parts = partsOf(inferShapesForBatch(graph, 1), limits, batch, { precision, ...choicesOption(tuned) });
  if (parts.length > 1) {
    terminal.note(`a batch of ${batch} is run as ${parts.length} of up to ${parts[0]}, which is the plan below`);
  }
  sayTuned(tuned, graph, batch, precision, limits, terminal);
  const shaped = inferShapesForBatch(graph, parts[0]);
  const planned = planGraph(shaped, limits, { precision, ...choicesOption(tuned) });
  const choice = new Choice(planned, tuned, planKey(shaped, precision));
  await (terminal.json
    ? printJson(
        planned,
        choice,
        { requestedBatch: options.batch ?? planned.batch, parts: parts.length, limits: source },
        context,
      )
    : printTable(planned, choice, context));
  return exitStatus.done;
}

async function builtIn(options: PlanCommandOptions, context: Context): Promise<Graph> {
  if (options.dimension) {
    throw new EngineError("usage", "--dimension", `${BUILT_IN} leaves nothing open but the batch`, "leave it out");
  }
  const graph = googLeNet({ heads: options.heads });
  await checkWeights(options, inferShapesForBatch(graph, 1).parameters, context);
  return graph;
}

/** The graph of a model file. */
async function fromFile(path: string, options: PlanCommandOptions): Promise<Graph> {
  // A bare word is a mistake on the command line rather than a file that got lost.
  if (!/[./\\]/.test(path) && !existsSync(path)) {
    throw new EngineError("usage", `plan ${path}`, "there is no such model", `give ${BUILT_IN}, or a model file`);
  }
  const file = await openNamedModel(path, options);
  const { dimension = {}, batch } = options;
  checkOverrides(file, dimension);
  if (file.batch === undefined && batch !== undefined) {
    throw new EngineError("usage", `--batch ${batch}`, `${path} is of a fixed batch size`, "leave it out");
  }
  if (file.batch !== undefined && Object.hasOwn(dimension, file.batch)) {
    throw new EngineError("usage", `--dimension ${file.batch}`, "it is the batch size", "give --batch N");
  }
  const sizes = file.batch === undefined ? dimension : { [file.batch]: batch ?? 1, ...dimension };
  const extentOf = (input: string, extent: number | string): number => {
    if (typeof extent === "number") return extent;
    if (Object.hasOwn(sizes, extent)) return sizes[extent];
    throw new EngineError(
      "usage",
      `input "${input}"`,
      `its extent ${extent} is open`,
      `say what it is: --dimension "${extent}=N"`,
    );
  };
  const shapes = new Map(file.inputs.map(({ name, shape }) => [name, shape.map((each) => extentOf(name, each))]));
  return (await modelFor(file, shapes)).graph;
}

/** A plan hangs on no weights; those that there are should fit it all the same. */
async function checkWeights(
  { weights }: NetworkOptions,
  parameters: Parameters<typeof loadChosen>[1],
  { terminal }: Context,
): Promise<void> {
  const choice = await findWeights(weights);
  if (choice) await loadChosen(choice.source, parameters);
  else terminal.note(`no trained weights: planned for ${STAND_IN}, which makes no difference to a plan`);
}

/** The adapter's limits; without one, unless it was asked for, what every WebGPU device offers. */
async function limitsFor({
  backend,
  adapter,
  precision,
}: NetworkOptions): Promise<{ limits: PlanLimits; source: string; info?: GPUAdapterInfo }> {
  const standard = { limits: defaultLimits, source: "WebGPU's defaults" };
  try {
    const found = await openAdapter({
      experiments: precision === "f16",
      ...(adapter === undefined ? {} : { adapter }),
    });
    return { limits: limitsOfAdapter(found), source: adapterName(found), info: found.info };
  } catch (error) {
    const wanted = backend !== undefined || adapter !== undefined;
    if (wanted || !(error instanceof EngineError) || error.code !== "adapter") throw error;
    return { ...standard, source: `${standard.source} (there is no adapter)` };
  }
}

interface Circumstances {
  /** What was asked for; the plan is that of the largest of the `parts` that it is run in. */
  readonly requestedBatch: number;
  readonly parts: number;
  /** Whose limits. */
  readonly limits: string;
}

async function printJson(
  planned: Plan,
  choice: Choice,
  circumstances: Circumstances,
  { terminal }: Context,
): Promise<void> {
  for (const [index, step] of planned.steps.entries()) {
    await terminal.printJson({
      step: step.name,
      kernel: step.kernel,
      constants: { ...step.tiles, ...step.constants },
      workgroups: step.workgroups,
      slots: slotsOf(step),
      bytes: step.bytes,
      macs: step.macs,
      ...choice.ofStep(index),
    });
  }
  await terminal.printJson({
    steps: planned.steps.length,
    dispatches: planned.steps.length,
    peakBytes: planned.arenaBytes,
    unplannedBytes: planned.unplannedBytes,
    weightBytes: weightBytes(planned),
    macs: planned.macs,
    parameters: planned.parameterCount,
    batch: planned.batch,
    precision: planned.precision,
    conversionBytes: conversionBytes(planned),
    slots: planned.slots.length,
    tuned: choice.variants.length > 0,
    variants: choice.variants,
    ...circumstances,
  });
}

async function printTable(planned: Plan, choice: Choice, { terminal }: Context): Promise<void> {
  const rows = planned.steps.map((step, index) => [
    index + 1,
    shortName(step.name),
    step.kernel,
    workgroupsOf(step),
    slotsOf(step).join(" "),
    formatBytes(step.bytes),
    step.macs === 0 ? "" : `${significant(step.macs / 1e6, 3)} M`,
    // The longest last, and not in columns: most lines fit a terminal of 160.
    [choice.whyOfStep(index, step.kernel), constantsOf(step)].filter(Boolean).join(", "),
  ]);
  const head = ["", "step", "kernel", "workgroups", "slots", "bytes", "MACs", "algorithm and why, constants"];
  const align = ["right", "left", "left", "right", "left", "right", "right", "left"] as const;
  await terminal.print(formatTable(rows, { head, align }));
  await terminal.print("");
  await terminal.print(
    `${planned.steps.length} steps for a batch of ${planned.batch} in ${longName[planned.precision]}: ${(planned.macs / 1e6).toFixed(1)} M multiply-accumulates, ` +
      `${planned.parameterCount.toLocaleString("en")} parameters (${formatBytes(weightBytes(planned))} packed)`,
  );
  await terminal.print(
    `activation memory reduced from ${formatBytes(planned.unplannedBytes)} to ${formatBytes(planned.arenaBytes)} ` +
      `(${planned.slots.length} slots, ranges of one buffer that overlap where their values are never needed at once)`,
  );
  const beside = conversionBytes(planned);
  if (beside > 0) {
    await terminal.print(`${formatBytes(beside)} beside it for inputs and outputs in float32, on their way in and out`);
  }
  const bought = choice.whatMemoryBuys();
  if (bought !== undefined) await terminal.print(bought);
}

/** `448 of 8`: how many workgroups, along as many axes as they need, and of how many threads. */
function workgroupsOf({ workgroups, constants }: Step): string {
  const along = workgroups.slice(0, workgroups.findLastIndex((each) => each > 1) + 1);
  const count = along.length === 0 ? "1" : along.join("×");
  return Object.hasOwn(constants, "workgroupSize") ? `${count} of ${constants["workgroupSize"]}` : count;
}

/** `TAPS=3×2 relu=1`: what a kernel is specialised by, those along X and Y together. */
function constantsOf({ tiles, constants }: Step): string {
  const values = { ...tiles, ...constants };
  const along = (axis: "X" | "Y", name: string) => `${name.slice(0, -1)}${axis}`;
  return Object.entries(values)
    .filter(([name]) => name !== "workgroupSize" && !(name.endsWith("_Y") && Object.hasOwn(values, along("X", name))))
    .map(([name, value]) =>
      name.endsWith("_X") && Object.hasOwn(values, along("Y", name))
        ? `${name.slice(0, -2)}=${value}×${values[along("Y", name)]}`
        : `${name}=${value}`,
    )
    .join(" ");
}

/** The ranges of activation memory that a step binds, in the order of the kernel's bindings. */
function slotsOf({ bindings }: Step): number[] {
  return bindings.flatMap((binding) => (binding.kind === "slot" ? [binding.slot] : []));
}
