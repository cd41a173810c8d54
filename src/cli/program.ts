/** Which commands there are and what they take. A command's own file is loaded when it is called. */

import { Command, CommanderError, Option } from "commander";
import { parseEngines } from "../bench/engines.ts";
import { EngineError } from "../errors.ts";
import { googlenetVersion } from "../node/package.ts";
import type { ClassifyOptions } from "./classify.ts";
import type { Context } from "./context.ts";
import {
  addGpuOptions,
  addMainHeadOptions,
  addNetworkOptions,
  addOutputOptions,
  BUILT_IN,
  ensembleOption,
  ListOption,
  MAX_BATCH,
  type NetworkOptions,
  parseAdapter,
  parseBatches,
  parseCrops,
  parseDimension,
  parseMemory,
  parsePair,
  parseRecipe,
  parseShard,
  refuseRepetition,
  seconds,
  wholeNumber,
} from "./options.ts";
import type { BenchOptions } from "./bench.ts";
import type { DevicesOptions } from "./devices.ts";
import type { EvaluateOptions } from "./evaluate.ts";
import type { PlanCommandOptions } from "./plan.ts";
import type { ProfileOptions } from "./profile.ts";
import { exitStatus } from "./report.ts";
import type { RunOptions } from "./run.ts";
import type { TuneOptions } from "./tune.ts";
import type { VerifyOptions } from "./verify.ts";

/**
 * Runs what the arguments ask for; without a command, the demo.
 *
 * @throws EngineError, CommanderError "usage" where the arguments make no sense
 */
export async function parse(argv: readonly string[], context: Context): Promise<number> {
  const [first] = argv;
  const demo = first === undefined || (first.startsWith("-") && !["-h", "--help", "-V", "--version"].includes(first));
  let status: number = exitStatus.done;
  let shown = "";
  const show = (text: string) => {
    shown += text;
  };
  const program = defineProgram(context, show, (result) => {
    status = result;
  });
  // Commander would show the help of all commands for `--help` after one that there is not.
  const known = ["help", ...program.commands.map(nameOf)];
  const asked = [argv[0], ...(first === "help" ? argv.slice(1, 2) : [])];
  const unknown = demo ? undefined : asked.find((name) => !name.startsWith("-") && !known.includes(name));
  let model: string = BUILT_IN;
  program.hook("preAction", (_, command) => {
    model = modelOf(command);
  });
  try {
    await program.parseAsync(demo ? ["demo", ...argv] : unknown === undefined ? argv : [unknown], { from: "user" });
  } catch (error) {
    // What can't be used gets its line among the results.
    if (context.terminal.json && error instanceof EngineError && ["model", "weights"].includes(error.code)) {
      await context.terminal.printJson({ model, error: error.message });
    }
    if (!(error instanceof CommanderError) || error.exitCode !== 0) throw error;
    // Help, or the version.
    await context.terminal.print(shown.trimEnd());
  }
  return status;
}

const nameOf = (command: Command) => command.name();

/** The model that a command is about: the one that it was given, or a file of weights, or the built-in network. */
function modelOf(command: Command): string {
  const index = command.registeredArguments.findIndex((argument) => ["MODEL", "FILE", "IN"].includes(argument.name()));
  const [named] = index < 0 ? [] : command.args.slice(index, index + 1);
  return named ?? BUILT_IN;
}

/** How pictures are looked at: options of every command that classifies them. */
const lookOptions = {
  resize: new Option("--resize <RECIPE>", "how to make it 224×224: squash256 (default), squash224, short256").argParser(
    parseRecipe,
  ),
  crops: new Option("--crops <N>", "crops whose probabilities are averaged: 1 (default), 10, 144").argParser(
    parseCrops,
  ),
  memory: new Option(
    "--memory <MB>",
    "GPU memory for activations and crops, which bounds the batch (default: 256)",
  ).argParser(parseMemory),
  batch: "crops that go through the network at once, at most (default: what --memory and the device hold)",
};

/** Adds a command that shows how it is used. */
type Define = (name: string, description: string, examples: readonly string[], parent?: Command) => Command;

function defineProgram(context: Context, show: (text: string) => void, end: (status: number) => void): Command {
  const program = new Command("googlenet")
    .description("GoogLeNet on WebGPU, with hand-written WGSL kernels. Without a command: a demonstration.")
    .version(googlenetVersion())
    .helpCommand("help [command]", "show what a command takes")
    .exitOverride()
    .configureOutput({ writeOut: show, outputError: () => undefined })
    .configureHelp({ showGlobalOptions: false });
  const define: Define = (name, description, examples, parent = program) => {
    const lines = examples.map((example) => `  $ ${example}`).join("\n");
    return parent.command(name).description(description).addHelpText("after", `\nExamples:\n${lines}\n`);
  };

  addNetworkOptions(
    define("demo", "label the sample picture, check the GPU against the CPU, and time it (no command does the same)", [
      "googlenet",
    ]),
  ).action(async (options: NetworkOptions) => end(await (await import("./demo.ts")).demo(options, context)));

  addNetworkOptions(
    define("classify", "label pictures with the 1000 classes of ImageNet", [
      "googlenet classify cat.jpg",
      "googlenet classify holiday/ --top 1 --batch 16",
      "googlenet classify cat.jpg --crops 144 --weights a.safetensors --weights b.caffemodel",
      "curl -s https://example.org/cat.jpg | googlenet classify - --json",
    ])
      .argument("<IMAGE...>", "pictures, folders of pictures, or - for standard input")
      .option("--top <N>", "classes to print", wholeNumber("--top", 1, 1000), 5)
      .addOption(lookOptions.resize)
      .addOption(lookOptions.crops)
      .addOption(lookOptions.memory),
    lookOptions.batch,
    wholeNumber("--batch", 1, MAX_BATCH),
    ensembleOption,
  ).action(async (paths: string[], options: ClassifyOptions) =>
    end(await (await import("./classify.ts")).classify(paths, options, context)),
  );

  defineEvaluate(define, context, end);

  addNetworkOptions(
    define("run", "run a model on arrays and write any of its blobs as float32 arrays", [
      "googlenet run googlenet --input data=batch.npy --output prob=prob.npy",
      "googlenet run googlenet --input data=batch.npy --output inception_3a/output=3a.npy --output prob=prob.npy",
      "googlenet run squeezenet.onnx --input data=batch.npy --output softmaxout_1=prob.npy",
      "googlenet run deploy.prototxt --weights net.caffemodel --input data=batch.npy --output prob=prob.npy",
    ])
      .argument("<MODEL>", "googlenet, the built-in network; or a model file: .onnx, or .prototxt with --weights")
      .addOption(
        new ListOption(
          "--input <NAME=FILE.npy>",
          "an input (repeatable); googlenet's is data, N×3×H×W, planes B, G, R less their means",
        ).argParser(parsePair("--input")),
      )
      .addOption(
        new ListOption("--output <NAME=FILE.npy>", "a blob to write (repeatable)").argParser(parsePair("--output")),
      ),
    "images that go through the network at once (default: as many as the array has)",
  ).action(async (model: string, options: RunOptions) =>
    end(await (await import("./run.ts")).run(model, options, context)),
  );

  addNetworkOptions(
    define("verify", "check WebGPU against the CPU reference, blob by blob", [
      "googlenet verify",
      "googlenet verify --against blobs/ --input data=batch.npy",
      "googlenet verify --backend cpu --write blobs/",
    ])
      .option("--against <DIR>", "check against arrays: NAME.npy with # for /, instead of the CPU reference")
      .option("--write <DIR>", "write the blobs as such arrays")
      .option("--image <FILE>", "the picture to run on (default: the project's own)")
      .option("--input <data=FILE.npy>", "the array to run on", parsePair("--input")),
    "images at once: the picture, then noise (default: 1; another batch runs by another plan, so check the one you use)",
  ).action(async (options: VerifyOptions) => end(await (await import("./verify.ts")).verify(options, context)));

  addGpuOptions(
    define("plan", "print the execution table: step, kernel, constants, workgroups, slots, bytes, MACs", [
      "googlenet plan",
      "googlenet plan --batch 64 --json",
      "googlenet plan squeezenet.onnx --dimension height=224 --dimension width=224",
    ])
      .argument("[MODEL]", "googlenet, the built-in network; or a model file, as run takes it", BUILT_IN)
      .addOption(
        new ListOption(
          "--dimension <NAME=N>",
          "an extent that a model file leaves open, but for the batch (repeatable)",
        ).argParser(parseDimension),
      ),
    "images at once (default: 1)",
    ["the CPU reference runs without a plan", "leave it out"],
  ).action(async (model: string, options: PlanCommandOptions) =>
    end(await (await import("./plan.ts")).plan(model, options, context)),
  );

  addNetworkOptions(
    define("bench", "time inference, and check what was timed", [
      "googlenet bench",
      "googlenet bench --batch 1,8 --runs 20 --json",
      "googlenet bench --peers --batch 1,8 --save",
    ])
      .option("--runs <N>", "timed runs of each batch size", wholeNumber("--runs", 1, 100_000))
      .option(
        "--seconds <S>",
        "time to spend on each batch size (default: 10, at most 50 runs)",
        seconds("--seconds", 3600),
      )
      .option("--warmups <N>", "runs before those that are timed", wholeNumber("--warmups", 1, 1000))
      .option("--unsafe", "without Dawn's validation and bounds checks")
      .addOption(
        new Option("--peers [ENGINES]", "beside other engines, in turns: all that there are, or some by name")
          .preset("all")
          .argParser(parseEngines),
      )
      .option("--rounds <N>", "with --peers, the turns of each engine (default: 5)", wholeNumber("--rounds", 1, 1000))
      .option("--save [FILE]", "with --peers, keep the results as JSON (default: in bench/results/)"),
    "batch sizes, say 1,8 (default: 1)",
    parseBatches,
  ).action(async (options: BenchOptions) => end(await (await import("./bench.ts")).bench(options, context)));

  addGpuOptions(
    define("profile", "time each step on the GPU, and hold it against a roofline that is measured too", [
      "googlenet profile",
      "googlenet profile --batch 8 --runs 20",
      "googlenet profile --html profile.html",
    ])
      .option("--runs <N>", "runs, of which the medians are printed", wholeNumber("--runs", 1, 100_000), 5)
      .option("--html <FILE>", "draw it too: a page with a bar a layer and the roofline plot"),
    "images at once (default: 1)",
    ["only a GPU has timestamps", "leave it out, or see `bench`"],
  ).action(async (options: ProfileOptions) => end(await (await import("./profile.ts")).profile(options, context)));

  addGpuOptions(
    define("tune", "time candidate kernels on this device, right ones alone, and keep the verdict for all commands", [
      "googlenet tune",
      "googlenet tune --batch 1,8",
    ]).option("--rounds <N>", "turns of each candidate (default: 5)", wholeNumber("--rounds", 1, 1000)),
    "batch sizes, say 1,8 (default: 1)",
    ["there is nothing to choose on it", "leave it out"],
    parseBatches,
    "keep nothing: show what is fastest, and no more",
  ).action(async (options: TuneOptions) => end(await (await import("./tune.ts")).tune(options, context)));

  addOutputOptions(
    define("devices", "list the WebGPU adapters, their limits and features, and what is missing", [
      "googlenet devices",
      "googlenet devices --json",
    ]).option("--adapter <TEXT>", "only those whose name has this in it", parseAdapter),
  ).action(async (options: DevicesOptions) => end(await (await import("./devices.ts")).devices(options, context)));

  defineWeights(define, context, end);
  refuseRepetition(program);
  return program;
}

function defineEvaluate(define: Define, context: Context, end: (status: number) => void): void {
  const command = define("evaluate", "top-1 and top-5 error over a folder of labelled pictures", [
    "googlenet evaluate photos/                       # photos/tench/1.jpg, photos/n01443537/2.jpg",
    "googlenet evaluate val/ --labels val.txt --crops 10 --state val.state",
    "googlenet evaluate val/ --labels val.txt --shard 2/8 --state 2.state",
    "googlenet evaluate val/ --html val.html --merge *.state",
    "googlenet evaluate --compare f32.json f16.json",
  ])
    .argument("[FOLDER]", "the pictures: a folder a class, named by WordNet id or name, unless --labels says it")
    .option("--labels <FILE>", "what they show: `path class` a line, class 0-based, or a class a line")
    .option("--synsets <FILE>", "ILSVRC's table, where --labels has its own numbers: `WordNet-id number` a line")
    .addOption(lookOptions.crops)
    .addOption(lookOptions.resize)
    .option("--state <FILE>", "keep progress there; the same command goes on where it was interrupted")
    .option("--shard <I/N>", "only the I-th of N parts", parseShard)
    .option("--skip-unreadable", "leave pictures that can't be read out, rather than count them as errors")
    .addOption(lookOptions.memory)
    .option("--merge <FILE...>", "join all shards' states, or what they printed with --json, into the whole")
    .option("--compare <FILE...>", "two such results, picture by picture: agreement, McNemar's test, what changed")
    .option("--html <FILE>", "draw it too: errors, the worst classes, the most confident mistakes as pictures")
    .option(
      "--beside <FILE...>",
      "other results of the same pictures (of other crops, say) to print and draw beside, in the paper's table",
    );
  addMainHeadOptions(command, lookOptions.batch, wholeNumber("--batch", 1, MAX_BATCH), ensembleOption).action(
    async (folder: string | undefined, options: EvaluateOptions) => {
      // Not those that stand there by default.
      const given = Object.keys(options).filter((name) => command.getOptionValueSource(name) === "cli");
      end(await (await import("./evaluate.ts")).evaluate(folder, options, given, context));
    },
  );
}

function defineWeights(define: Define, context: Context, end: (status: number) => void): void {
  const examples = [
    "googlenet weights fetch",
    "googlenet weights info bvlc_googlenet.caffemodel",
    "googlenet weights convert bvlc_googlenet.caffemodel bvlc_googlenet.safetensors",
  ];
  const weights = define("weights", "obtain, describe and convert trained weights", examples);
  // Commander would print the whole help for an error.
  weights
    .usage("COMMAND [options]")
    .argument("[COMMAND]")
    .action((name?: string) => {
      const problem = name === undefined ? "there is nothing to do" : `there is no command "${name}"`;
      throw new EngineError("usage", "weights", problem, "give fetch, info FILE or convert IN OUT");
    });
  const [fetch, info, convert] = examples;
  addOutputOptions(
    define(
      "fetch",
      "download trained weights and check them, where they are not there already",
      [fetch],
      weights,
    ).argument("[NAME]", "which, of those in weights/manifest.json (default: the first)"),
  ).action(async (name: string | undefined) => end(await (await import("./weights.ts")).weightsFetch(name, context)));
  addOutputOptions(
    define("info", "say what a weights file is", [info], weights).argument(
      "<FILE>",
      ".safetensors, .caffemodel or .onnx",
    ),
  ).action(async (file: string) => end(await (await import("./weights.ts")).weightsInfo(file, context)));
  addOutputOptions(
    define("convert", "write weights in another format, the one that the new file's name ends in", [convert], weights)
      .argument("<IN>", ".safetensors, .caffemodel or .onnx")
      .argument("<OUT>", "a name that ends in .safetensors, .caffemodel or .onnx"),
  ).action(async (input: string, output: string) =>
    end(await (await import("./weights.ts")).weightsConvert(input, output, context)),
  );
}
