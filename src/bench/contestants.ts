/** The engines that are measured beside each other, and which of them this machine has. */

import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { type EngineName, ENGINES } from "./engines.ts";
import type { Precision, Settings } from "./job.ts";

/** An engine in one of its ways of working, as a program to start with a job's file. */
export interface Contestant {
  readonly engine: EngineName;
  readonly backend: "webgpu" | "cpu" | "cuda";
  /** PyTorch's way of running: eager, compiled, cuda-graph; this engine in `float32` beside float16; else null. */
  readonly mode: string | null;
  /** What it computes in, where that is not what was asked for. */
  readonly precision?: Precision;
  readonly program: string;
  readonly argv: readonly string[];
  readonly module: string | null;
  /** Settings that its documentation offers: the fastest on the device at hand is measured. */
  readonly variants: readonly Settings[];
}

/** An engine that can't be measured here. */
export interface MissingEngine {
  readonly engine: EngineName;
  readonly reason: string;
  /** The command that mends it; null where there is none. */
  readonly install: string | null;
}

export interface Field {
  readonly contestants: readonly Contestant[];
  readonly missing: readonly MissingEngine[];
}

const peersFolder = new URL("../../bench/peers/", import.meta.url);
const INSTALL_PEERS = "npm --prefix bench/peers ci";
/** Importing PyTorch takes seconds, and a machine that was idle for long takes its time. */
const PROBE_MILLISECONDS = 120_000;

/**
 * This engine, and those of the named peers that this machine has.
 *
 * @param worker the script that workers of JavaScript engines run
 * @param own this engine's settings
 */
export async function findContestants(
  names: readonly EngineName[],
  precision: Precision,
  worker: string,
  own: readonly Settings[] = [{}],
): Promise<Field> {
  const contestants: Contestant[] = [];
  const missing: MissingEngine[] = [];
  const javascript = { program: process.execPath, argv: [worker], mode: null };
  for (const engine of ENGINES) {
    if (engine === "googlenet-wgsl") {
      const module = new URL("own-engine.js", pathToFileURL(worker)).href;
      contestants.push({ ...javascript, engine, backend: "webgpu", module, variants: own });
      // What half the precision is good for shows beside the whole.
      if (precision === "f16") {
        const variants = own.map((settings) => ({ ...settings, precision: "f32" }));
        contestants.push({
          ...javascript,
          engine,
          backend: "webgpu",
          module,
          mode: "float32",
          precision: "f32",
          variants,
        });
      }
    } else if (names.includes(engine)) {
      if (engine === "pytorch-cuda") {
        const absence = await pytorchAbsence();
        if (absence === null) contestants.push(...pytorch());
        else missing.push({ engine, ...absence });
        continue;
      }
      const { packages, module, precisions, ...rest } = javascriptPeers[engine];
      const reason = precisions.includes(precision) ? absenceOf(packages) : `it has no ${precision}`;
      const install = precisions.includes(precision) && inCheckout() ? INSTALL_PEERS : null;
      if (reason === null) {
        contestants.push({ ...javascript, engine, ...rest, module: new URL(module, peersFolder).href });
      } else {
        missing.push({ engine, reason, install });
      }
    }
  }
  return { contestants, missing };
}

const layouts = ["NCHW", "NHWC"] as const;

interface JavaScriptPeer {
  readonly backend: Contestant["backend"];
  readonly packages: readonly string[];
  readonly module: string;
  readonly precisions: readonly Precision[];
  readonly variants: readonly Settings[];
}

const javascriptPeers: Readonly<Record<Exclude<EngineName, "googlenet-wgsl" | "pytorch-cuda">, JavaScriptPeer>> = {
  "onnxruntime-webgpu": {
    backend: "webgpu",
    packages: ["onnxruntime-node"],
    module: "onnxruntime.mjs",
    precisions: ["f32", "f16"],
    variants: layouts.flatMap((preferredLayout) => [
      { provider: "webgpu", preferredLayout, lrn: "node" },
      { provider: "webgpu", preferredLayout, lrn: "spelled" },
      // A graph is captured only where every node is on the GPU.
      { provider: "webgpu", preferredLayout, lrn: "spelled", graphCapture: true },
    ]),
  },
  "onnxruntime-cpu": {
    backend: "cpu",
    packages: ["onnxruntime-node"],
    module: "onnxruntime.mjs",
    precisions: ["f32"],
    variants: [{ provider: "cpu", lrn: "node" }],
  },
  "tfjs-webgpu": {
    backend: "webgpu",
    packages: ["@tensorflow/tfjs-core", "@tensorflow/tfjs-backend-webgpu"],
    module: "tfjs.mjs",
    precisions: ["f32"],
    variants: [
      {},
      { WEBGPU_CONV_SEPARATE_IM2COL_SHADER: true },
      // Dispatches to a submit, 15 unless told: sooner, so that the device begins sooner, and all of a run in one.
      { WEBGPU_DEFERRED_SUBMIT_BATCH_SIZE: 5 },
      { WEBGPU_DEFERRED_SUBMIT_BATCH_SIZE: 1000 },
    ],
  },
};

function inCheckout(): boolean {
  return existsSync(new URL("package.json", peersFolder));
}

/** What keeps a peer from running; null where its packages are installed. */
function absenceOf(packages: readonly string[]): string | null {
  if (!inCheckout()) return "peers are measured from a checkout of googlenet-wgsl, not from an installed package";
  const { resolve } = createRequire(new URL("package.json", peersFolder));
  const absent = packages.filter((name) => {
    try {
      resolve(`${name}/package.json`);
      return false;
    } catch {
      return true;
    }
  });
  return absent.length === 0 ? null : `${absent.join(" and ")} ${absent.length === 1 ? "is" : "are"} not installed`;
}

const pytorchScript = fileURLToPath(new URL("pytorch.py", peersFolder));
const memoryFormats = ["channels_last", "contiguous"] as const;

function pytorch(): Contestant[] {
  return ["eager", "compiled", "cuda-graph"].map((mode) => ({
    engine: "pytorch-cuda",
    backend: "cuda",
    mode,
    program: "python3",
    argv: [pytorchScript],
    module: null,
    variants: memoryFormats.map((memoryFormat) => ({ mode, memoryFormat })),
  }));
}

/** What keeps PyTorch from running on a GPU here; null where nothing does. */
async function pytorchAbsence(): Promise<Omit<MissingEngine, "engine"> | null> {
  if (!inCheckout()) return { reason: absenceOf([])!, install: null };
  const install = "python3 -m pip install torch numpy (on a machine with an NVIDIA GPU)";
  try {
    const { stdout } = await promisify(execFile)("python3", [pytorchScript, "--probe"], {
      timeout: PROBE_MILLISECONDS,
    });
    const { problem } = JSON.parse(stdout) as { problem: string | null };
    return problem === null ? null : { reason: problem, install };
  } catch {
    return { reason: "python3 does not run", install };
  }
}
