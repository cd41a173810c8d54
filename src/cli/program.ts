/** Which commands there are and what they take. A command's own file is loaded when it is called. */

import { Command, CommanderError } from "commander";
import { EngineError } from "../errors.ts";
import { googlenetVersion } from "../node/package.ts";
import type { ClassifyOptions } from "./classify.ts";
import type { Context } from "./context.ts";
import {
  addNetworkOptions,
  addOutputOptions,
  type NetworkOptions,
  parseBatches,
  parseCrops,
  parsePair,
  parseRecipe,
  seconds,
  wholeNumber,
} from "./options.ts";
import { exitStatus } from "./report.ts";

/** Options of commands to come: known, so that it can be said. */
const laterCommands = ["tune", "evaluate"];

/**
 * Runs what the arguments ask for; without a command, the demo.
 *
 * @throws EngineError, CommanderError "usage" where the arguments make no sense
 */
export async function parse(argv: readonly string[], context: Context): Promise<number> {
  const [first] = argv;
  const demo = first === undefined || (first.startsWith("-") && !["-h", "--help", "-V", "--version"].includes(first));
  let status: number = exitStatus.done;
  const program = defineProgram(context, (result) => {
    status = result;
  });
  if (first !== undefined && laterCommands.includes(first)) {
    throw new EngineError("usage", first, "this command is not there yet", "--help shows those that are");
  }
  try {
    await program.parseAsync(demo ? ["demo", ...argv] : argv, { from: "user" });
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return exitStatus.done;
    throw error;
  }
  return status;
}

function defineProgram(context: Context, end: (status: number) => void): Command {
  const program = new Command("googlenet")
    .description("GoogLeNet on WebGPU, with hand-written WGSL kernels. Without a command: a demonstration.")
    .version(googlenetVersion())
    .helpCommand("help [command]", "show what a command takes")
    .exitOverride()
    .configureOutput({ outputError: () => undefined })
    .configureHelp({ showGlobalOptions: false });
  const define = (name: string, description: string, examples: readonly string[]) => {
    const lines = examples.map((example) => `  $ ${example}`).join("\n");
    return program.command(name).description(description).addHelpText("after", `\nExamples:\n${lines}\n`);
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
      "curl -s https://example.org/cat.jpg | googlenet classify - --json",
    ])
      .argument("<IMAGE...>", "pictures, folders of pictures, or - for standard input")
      .option("--top <N>", "classes to print", wholeNumber("--top", 1, 1000), 5)
      .option("--resize <RECIPE>", "how to make it 224×224: squash256, squash224, short256", parseRecipe, "squash256")
      .option("--crops <N>", "crops whose probabilities are averaged: 1", parseCrops),
  ).action(async (paths: string[], options: ClassifyOptions) =>
    end(await (await import("./classify.ts")).classify(paths, options, context)),
  );
  return program;
}
void addOutputOptions;
void parseBatches;
void parsePair;
void seconds;
