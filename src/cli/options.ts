/** Options that several commands share, and how values are read from the command line. */

import { type Command, Option } from "commander";
import { EngineError } from "../errors.ts";
import type { Shard } from "../evaluate/record.ts";
import { CROP_COUNTS, type CropCount } from "../image/crops.ts";
import { isRecipe, RECIPES, type Recipe } from "../image/preprocess.ts";
import { type Precision, PRECISIONS } from "../plan/precision.ts";
import { isSeedSource, MAX_SEED, parseSeed } from "../weights/seed.ts";

export type Backend = "webgpu" | "cpu";
export type Heads = "main" | "all";

/** How results and notes are printed. */
export interface OutputOptions {
  readonly json?: true;
  readonly quiet?: true;
}

/** What a command that runs the network's main head is told. */
export interface MainHeadOptions extends OutputOptions {
  readonly weights?: string;
  /** Undefined where it was not given. */
  readonly backend?: Backend;
  readonly adapter?: string;
  readonly precision: Precision;
  readonly batch?: number;
  /** The folder of the tuner's verdicts; false for none. */
  readonly tuning?: string | false;
}

/** What a command that runs the network is told. */
export interface NetworkOptions extends MainHeadOptions {
  readonly heads: Heads;
}

/** The same of several models together. */
export type Ensemble<Options extends MainHeadOptions> = Omit<Options, "weights"> & {
  readonly weights?: readonly string[];
};

/** What the built-in network is called. */
export const BUILT_IN = "googlenet";

/** The most images in a batch: more than any device has use for. */
export const MAX_BATCH = 4096;

/** The most parts of an evaluation: more than ILSVRC's validation set has pictures for. */
const MAX_SHARDS = 10_000;

/**
 * Lets a command and those below it refuse an option whose value was given before, which would be lost, and one that
 * takes back what another says (`--no-tuning`).
 */
export function refuseRepetition(command: Command): void {
  const given = new Map<string, Option>();
  for (const option of command.options) {
    if (option instanceof ListOption || option.variadic) continue;
    command.on(`option:${option.name()}`, () => {
      const before = given.get(option.attributeName());
      given.set(option.attributeName(), option);
      if (before === undefined || (before === option && !option.required && !option.optional)) return;
      const [problem, remedy] =
        before === option
          ? ["it is given twice", "give it once"]
          : [`it conflicts with ${before.long}`, "give one of them"];
      throw new EngineError("usage", option.long!, problem, remedy);
    });
  }
  for (const below of command.commands) refuseRepetition(below);
}

export function addOutputOptions(command: Command): Command {
  return command
    .option("--json", "print one JSON object a line")
    .option("--quiet", "no notes and no progress on standard error");
}

/** An option that may be given several times, whose values its parser collects. */
export class ListOption extends Option {}

/** Trained weights: one file, or several. */
const weightsOption = new Option(
  "--weights <FILE|seed:N>",
  "trained weights, or made-up ones (default, of googlenet alone: $GOOGLENET_WEIGHTS, else the downloaded file)",
).argParser(parseWeights);
export const ensembleOption = new ListOption(
  "--weights <FILE|seed:N>",
  "trained weights, or made-up ones; given several times, models whose probabilities are averaged (default: $GOOGLENET_WEIGHTS, else the downloaded file)",
).argParser((value, before: readonly string[] | undefined) => [...(before ?? []), parseWeights(value)]);

type ParseBatch = (value: string) => number | readonly number[];

/**
 * Options of every command that runs the network.
 *
 * @param batch what the command's own `--batch` is for
 * @param weights what the command's own `--weights` takes
 */
export function addNetworkOptions(
  command: Command,
  batch = "pictures that go through the network at once",
  parseBatch: ParseBatch = wholeNumber("--batch", 1, MAX_BATCH),
  weights = weightsOption,
): Command {
  return addMainHeadOptions(command, batch, parseBatch, weights).addOption(headsOption());
}

/**
 * Options of a command that is about a GPU.
 *
 * @param batch what the command's own `--batch` is for
 * @param withoutCpu why it can't be asked for the CPU reference, and what to do instead
 * @param noTuning what the command's own `--no-tuning` does
 */
export function addGpuOptions(
  command: Command,
  batch: string,
  withoutCpu: readonly [problem: string, remedy: string],
  parseBatch: ParseBatch = wholeNumber("--batch", 1, MAX_BATCH),
  noTuning = defaultPlan,
): Command {
  const backend = new Option("--backend <NAME>", "what computes: webgpu").argParser((value) => {
    // Other commands take it, so whoever gives it is owed a reason.
    if (value === "cpu") throw new EngineError("usage", "--backend cpu", ...withoutCpu);
    if (value !== "webgpu") throw invalid("--backend", value, "webgpu");
    return value;
  });
  return addCommonOptions(command, batch, parseBatch, weightsOption, backend, noTuning).addOption(headsOption());
}

function headsOption(): Option {
  return choice("--heads <WHICH>", "with the auxiliary classifiers (all) or without", ["main", "all"], "main");
}

/** Options of a command that runs the network's main head alone. */
export function addMainHeadOptions(command: Command, batch: string, parseBatch: ParseBatch, weights: Option): Command {
  const backend = choice("--backend <NAME>", "what computes (default: webgpu)", ["webgpu", "cpu"]);
  return addCommonOptions(command, batch, parseBatch, weights, backend, defaultPlan);
}

const defaultPlan = "plan by default, whatever was tuned";

function addCommonOptions(
  command: Command,
  batch: string,
  parseBatch: ParseBatch,
  weights: Option,
  backend: Option,
  noTuning: string,
): Command {
  command
    .addOption(weights)
    .addOption(backend)
    .addOption(new Option("--adapter <TEXT>", "the WebGPU adapter whose name has this in it").argParser(parseAdapter))
    .addOption(choice("--precision <TYPE>", "type of the numbers on the GPU", PRECISIONS, "f32"))
    .addOption(new Option("--batch <N>", batch).argParser(parseBatch))
    .addOption(
      new Option("--tuning <FOLDER>", "where verdicts of `tune` are kept (default: $GOOGLENET_TUNING, else a cache)"),
    )
    .option("--no-tuning", noTuning)
    .hook("preAction", () => checkConflicts(command.opts<MainHeadOptions>()));
  return addOutputOptions(command);
}

function checkConflicts({ backend, adapter, precision, tuning }: MainHeadOptions): void {
  if (backend === "cpu" && typeof tuning === "string") {
    throw new EngineError("usage", "--tuning", "it conflicts with --backend cpu", "give one of them");
  }
  if (backend === "cpu" && adapter !== undefined) {
    throw new EngineError("usage", "--adapter", "it conflicts with --backend cpu", "give one of them");
  }
  if (backend === "cpu" && precision !== "f32") {
    const problem = "it conflicts with --backend cpu, which computes in float64 and gives float32";
    throw new EngineError("usage", `--precision ${precision}`, problem, "give one of them");
  }
}

/** An option whose value is one of a few. */
export function choice(flags: string, description: string, values: readonly string[], preset?: string): Option {
  const [name] = flags.split(" ");
  const option = new Option(flags, `${description}: ${values.join(", ")}`).argParser((value) => {
    if (!values.includes(value)) throw invalid(name, value, `one of ${values.join(", ")}`);
    return value;
  });
  return preset === undefined ? option : option.default(preset);
}

/** Reads a whole number in a range. */
export function wholeNumber(name: string, least: number, most: number): (value: string) => number {
  return (value) => {
    const number = Number(value);
    if (!/^\d+$/.test(value) || number < least || number > most) {
      throw invalid(name, value, `a whole number from ${least} to ${most}`);
    }
    return number;
  };
}

/** Reads batch sizes, `8` or `1,8,64`. */
export function parseBatches(value: string): readonly number[] {
  return value.split(",").map(wholeNumber("--batch", 1, MAX_BATCH));
}

/** Reads a number of seconds. */
export function seconds(name: string, most: number): (value: string) => number {
  return (value) => {
    const number = Number(value);
    if (!/^\d+(\.\d+)?$/.test(value) || number <= 0 || number > most) {
      throw invalid(name, value, `a number of seconds up to ${most}`);
    }
    return number;
  };
}

export function parseRecipe(value: string): Recipe {
  if (!isRecipe(value)) throw invalid("--resize", value, `one of ${RECIPES.join(", ")}`);
  return value;
}

/** Reads NAME=FILE into its two parts. Blobs have no `=` in their names; files may. */
export function parsePair(name: string): (value: string, before: readonly Pair[] | undefined) => readonly Pair[] {
  return (value, before = []) => {
    const split = value.indexOf("=");
    if (split < 1 || split === value.length - 1) throw invalid(name, value, "NAME=FILE.npy");
    const pair = { name: value.slice(0, split), file: value.slice(split + 1) };
    if (pair.file === "-") {
      const problem = "arrays don't go through standard input and output";
      throw new EngineError("usage", `${name} ${value}`, problem, "name a file (./- is one that is called so)");
    }
    if (before.some((other) => other.name === pair.name)) {
      throw new EngineError("usage", `${name} ${pair.name}`, "it is given twice", "give it once");
    }
    return [...before, pair];
  };
}

/** Reads `NAME=N`, which joins those before. */
export function parseDimension(value: string, before: Readonly<Record<string, number>> = {}): Record<string, number> {
  const split = value.lastIndexOf("=");
  const [name, extent] = [value.slice(0, split), value.slice(split + 1)];
  if (split < 1 || !/^[1-9]\d{0,8}$/.test(extent))
    throw invalid("--dimension", value, "NAME=N, N a whole number from 1");
  if (Object.hasOwn(before, name)) {
    throw new EngineError("usage", `--dimension ${name}`, "it is given twice", "give it once");
  }
  return Object.fromEntries([...Object.entries(before), [name, Number(extent)]]);
}

export interface Pair {
  readonly name: string;
  readonly file: string;
}

export function invalid(name: string, value: string, wanted: string): EngineError {
  return new EngineError("usage", name, `it can't be ${JSON.stringify(value)}`, `give ${wanted}`);
}

/** Reads the name of a weights file (not the file), or `seed:N`. */
function parseWeights(value: string): string {
  if (value === "") throw invalid("--weights", value, "a file, or seed:N");
  if (isSeedSource(value)) {
    try {
      parseSeed(value);
    } catch {
      throw invalid("--weights", value, `seed:N with N a whole number from 0 to ${MAX_SEED}`);
    }
  }
  return value;
}

/** Reads a part of an adapter's name; every name has the empty one. */
export function parseAdapter(value: string): string {
  if (value === "") throw invalid("--adapter", value, "a part of an adapter's name, which `devices` lists");
  return value;
}

/** Reads how many crops of a picture are looked at. */
export function parseCrops(value: string): CropCount {
  const count = CROP_COUNTS.find((each) => String(each) === value);
  if (count === undefined) throw invalid("--crops", value, CROP_COUNTS.join(", "));
  return count;
}

/** Reads which part of how many, `2/8`. */
export function parseShard(value: string): Shard {
  const [, index, of] = (/^(\d+)\/(\d+)$/.exec(value) ?? []).map(Number);
  if (index === undefined || of > MAX_SHARDS || index < 1 || index > of) {
    throw invalid("--shard", value, `I/N, N parts (at most ${MAX_SHARDS}) of which it is the I-th, from 1`);
  }
  return { index, of };
}

/** Reads megabytes, into bytes. */
export function parseMemory(value: string): number {
  return 1_000_000 * wholeNumber("--memory", 1, 1_000_000)(value);
}
