/** The ratios that the engine is meant to reach, and what a record says of them. */

import type { EngineName } from "../../src/bench/engines.ts";
import type { BenchRecord } from "../../src/bench/record.ts";
import type { MeasuredCase } from "../../src/bench/tournament.ts";

export interface Target {
  readonly title: string;
  /** The devices that it speaks of. */
  readonly device: "lavapipe" | "nvidia";
  readonly batch: number;
  readonly precision: MeasuredCase["precision"];
  readonly peers: readonly EngineName[];
  readonly measure: "time" | "throughput" | "cold";
  /** How many times faster than the fastest of these peers. */
  readonly atLeast: number;
}

const webgpu: readonly EngineName[] = ["onnxruntime-webgpu", "tfjs-webgpu"];
const base = { batch: 1, precision: "f32", measure: "time" } as const;

export const targets: readonly Target[] = [
  {
    ...base,
    title: "lavapipe, batch 1, against the faster of ONNX Runtime and TensorFlow.js on WebGPU",
    ...{ device: "lavapipe", peers: webgpu, atLeast: 5 },
  },
  {
    ...base,
    title: "lavapipe, batch 8, an image",
    ...{ device: "lavapipe", batch: 8, peers: webgpu, atLeast: 5 },
  },
  {
    ...base,
    title: "lavapipe, first result from process start, warm driver cache, against ONNX Runtime on WebGPU",
    ...{ device: "lavapipe", peers: ["onnxruntime-webgpu"], measure: "cold", atLeast: 1 },
  },
  {
    ...base,
    title: "NVIDIA, batch 1, input in memory to probabilities in memory, against ONNX Runtime on WebGPU",
    ...{ device: "nvidia", peers: ["onnxruntime-webgpu"], atLeast: 3 },
  },
  {
    ...base,
    title: "NVIDIA, batch 1, against PyTorch float32 (TF32 off): eager, compiled, CUDA graph",
    ...{ device: "nvidia", peers: ["pytorch-cuda"], atLeast: 1 },
  },
  {
    ...base,
    title: "NVIDIA, batch 64, images a second, against PyTorch float32 (TF32 off)",
    ...{ device: "nvidia", batch: 64, peers: ["pytorch-cuda"], measure: "throughput", atLeast: 1 },
  },
  {
    ...base,
    title: "NVIDIA, batch 64, images a second, float16, against PyTorch float16",
    ...{ device: "nvidia", batch: 64, precision: "f16", peers: ["pytorch-cuda"], measure: "throughput", atLeast: 1 },
  },
];

export interface Standing {
  readonly target: Target;
  /** How many times faster; null where it was not measured, or an output was wrong. */
  readonly ratio: number | null;
  /** The peer that it was held against. */
  readonly against: MeasuredCase | null;
}

export function isTargetOf({ device }: Target, adapter: string | null): boolean {
  return (device === "lavapipe" ? /llvmpipe|lavapipe/i : /nvidia|geforce|tesla|h100|h200/i).test(adapter ?? "");
}

/** How a record stands to a target: against the best of the peers whose output was right. */
export function standing(target: Target, { cases }: BenchRecord): Standing {
  const fitting = cases.filter(
    (each) => each.batch === target.batch && each.precision === target.precision && each.checked,
  );
  const own = fitting.find(({ engine }) => engine === "googlenet-wgsl");
  const [against] = fitting
    .filter(({ engine }) => target.peers.includes(engine))
    .toSorted((a, b) => cost(a, target) - cost(b, target));
  if (!own || !against) return { target, ratio: null, against: null };
  return { target, ratio: cost(against, target) / cost(own, target), against };
}

/** What there should be little of. */
function cost(each: MeasuredCase, { measure }: Target): number {
  if (measure === "cold") return each.coldMs;
  return measure === "time" ? each.medianMs : 1 / imagesPerSecond(each);
}

/** An engine's best: one batch after another, or several in flight. */
export function imagesPerSecond(each: MeasuredCase): number {
  return Math.max(each.imagesPerSecond, each.imagesPerSecondInFlight ?? 0);
}
