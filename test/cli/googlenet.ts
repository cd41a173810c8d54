/** The command line as its users call it: a process of its own, its output and how it ended. */
import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { writeNpy } from "../../src/formats/npy.ts";

const REPOSITORY = path.resolve(import.meta.dirname, "../..");
export const MAIN = path.join(REPOSITORY, "src/cli/main.ts");
/** Found from any folder. */
export const TSX = path.join(REPOSITORY, "node_modules/tsx/dist/esm/index.mjs");

export interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  /** Without what the driver itself writes there. */
  readonly stderr: string;
}

export interface Call {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Standard input; empty unless given. */
  readonly input?: Uint8Array;
  /** Told of the process, to send it signals. */
  readonly onStart?: (child: ChildProcess) => void;
  /** Whether nobody reads its standard output, as when `head` has seen enough. */
  readonly closeEarly?: boolean;
}

/** No driver at all, as on a machine without a GPU. */
export const NO_ADAPTER = { VK_DRIVER_FILES: "/nonexistent", VK_ICD_FILENAMES: "/nonexistent" };

/** Whether trained weights were downloaded into this checkout, so that commands find some. */
export const weightsAreDownloaded = readdirSync(path.join(REPOSITORY, "weights")).some((file) =>
  /\.(caffemodel|safetensors)$/.test(file),
);

/** Runs `googlenet ARGV…`; nothing of this run's own settings reaches it. */
export function googlenet(
  argv: readonly string[],
  { cwd, env, input, onStart, closeEarly }: Call = {},
): Promise<Outcome> {
  const inherited = Object.entries(process.env).filter(
    ([name]) => !/^(GOOGLENET_|INIT_CWD$|DEBUG$|NO_COLOR$|FORCE_COLOR$|CI$|NODE_OPTIONS$|VITEST)/.test(name),
  );
  const child = spawn(process.execPath, ["--import", TSX, MAIN, ...argv], {
    cwd: cwd ?? REPOSITORY,
    // What somebody tuned on this machine must not change what is tested.
    env: { ...Object.fromEntries(inherited), GOOGLENET_TUNING: "/nonexistent", ...env },
    stdio: ["pipe", "pipe", "pipe"],
  });
  onStart?.(child);
  if (closeEarly) child.stdout.destroy();
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  // A command that reads no input may have ended before it was written.
  child.stdin.on("error", () => undefined);
  child.stdin.end(input);
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (status) => resolve({ status, stdout, stderr: withoutDriver(stderr) }));
  });
}

/** Dawn and the Vulkan loader write warnings of their own, which nobody can turn off. */
function withoutDriver(stderr: string): string {
  return stderr
    .split("\n")
    .filter((line) => !/^Warning: (maxDynamic|vkCreateInstance)|^ {4}at CheckVkSuccess|^$/.test(line))
    .map((line) => `${line}\n`)
    .join("");
}

/** The objects of `--json`'s lines. */
export function objects(stdout: string): Record<string, unknown>[] {
  return stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

/** Writes an array file of such values. */
export function writeArrayFile(file: string, shape: readonly number[], value: (index: number) => number): string {
  const count = shape.reduce((product, extent) => product * extent, 1);
  writeFileSync(file, writeNpy({ shape, data: Float32Array.from({ length: count }, (_, index) => value(index)) }));
  return file;
}
