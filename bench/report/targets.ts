/** What the engine is meant to reach, and what a record says of it. */

import type { EngineName } from "../../src/bench/engines.ts";
import type { OwnFigures } from "../../src/bench/own-figures.ts";
import type { BenchRecord } from "../../src/bench/record.ts";
import { isOwn, type MeasuredCase } from "../../src/bench/tournament.ts";

interface Case {
  readonly title: string;
  /** The devices that it speaks of. */
  readonly device: "lavapipe" | "nvidia" | "any";
  readonly batch: number;
  readonly precision: MeasuredCase["precision"];
  /** What was done to reach it, for where it is missed none the less. */
  readonly tried?: string;
}

/** More than how many times faster than the fastest of some peers it should be; cold, as fast will do. */
interface RatioTarget extends Case {
  readonly measure: "time" | "throughput" | "cold";
  readonly peers: readonly EngineName[];
  readonly atLeast: number;
  /** Modes of the peer that must all have been measured. */
  readonly modes?: readonly string[];
}

/** What it should need at most: milliseconds or bytes. */
interface FigureTarget extends Case {
  readonly measure: "encode" | "memory";
  readonly atMost: number;
}

export type Target = RatioTarget | FigureTarget;

const webgpu: readonly EngineName[] = ["onnxruntime-webgpu", "tfjs-webgpu"];
const pytorch = { peers: ["pytorch-cuda"], modes: ["eager", "compiled", "cuda-graph"] } as const;
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
    title: "NVIDIA, batch 1, float16 (right within 5e-3) against this engine's float32",
    ...{ device: "nvidia", precision: "f16", peers: ["googlenet-wgsl"], atLeast: 1 },
  },
  {
    ...base,
    title: "NVIDIA, batch 1, input in memory to probabilities in memory, against ONNX Runtime on WebGPU",
    ...{ device: "nvidia", peers: ["onnxruntime-webgpu"], atLeast: 3 },
  },
  {
    ...base,
    title: "NVIDIA, batch 1, against PyTorch float32 (TF32 off): eager, compiled, CUDA graph",
    ...{ device: "nvidia", ...pytorch, atLeast: 1 },
  },
  {
    ...base,
    title: "NVIDIA, batch 64, images a second, against PyTorch float32 (TF32 off)",
    ...{ device: "nvidia", batch: 64, ...pytorch, measure: "throughput", atLeast: 1 },
  },
  {
    ...base,
    title: "NVIDIA, batch 64, images a second, float16, against PyTorch float16",
    ...{ device: "nvidia", batch: 64, precision: "f16", ...pytorch, measure: "throughput", atLeast: 1 },
  },
  {
    ...base,
    title: "main-thread CPU time to encode and submit one inference",
    ...{ device: "any", measure: "encode", atMost: 0.3 },
    tried:
      "bind groups, pipelines and uniforms are made once, a pipeline is set only where it changes, " +
      "ReLUs and concats take no dispatch, 1×1 convolutions of one input are one (142 nodes in all); " +
      "Winograd convolution in parts, to stay within 4.9 MB, takes some again",
  },
  {
    ...base,
    title: "planned peak activation memory, batch 1, float32, scratch memory included",
    ...{ device: "any", measure: "memory", atMost: 4.9e6 },
  },
];

/** How a record stands to a target. */
export interface Standing {
  readonly target: Target;
  /** How many times faster, or how much it needs; null where it was not measured, or an output was wrong. */
  readonly value: number | null;
  readonly reached: boolean;
  /** This engine's case, and the peer that it was held against. */
  readonly own: MeasuredCase | null;
  readonly against: MeasuredCase | null;
  /** Why it was not measured, or which of the peer's modes were not. */
  readonly absence: string | null;
  /** Whether some of the peer's modes were not measured, of which one may be faster. */
  readonly partial: boolean;
  /** Whether it is known only that it needs no more than this. */
  readonly bound: boolean;
}

export function isTargetOf({ device }: Target, adapter: string | null): boolean {
  if (device === "any") return true;
  return (device === "lavapipe" ? /llvmpipe|lavapipe/i : /nvidia|geforce|tesla|h100|h200/i).test(adapter ?? "");
}

/** How the newest record that says something of it stands to a target; the newest comes last. */
export function standingIn(target: Target, records: readonly BenchRecord[]): Standing {
  const standings = records
    .filter(({ environment }) => isTargetOf(target, environment.adapter))
    .toSorted((a, b) => (a.environment.date < b.environment.date ? -1 : 1))
    .map((record) => standing(target, record));
  const device = { lavapipe: "lavapipe", nvidia: "an NVIDIA GPU", any: "any device" }[target.device];
  return (
    standings.findLast(({ value }) => value !== null) ??
    standings.at(-1) ??
    unmeasured(target, `there is no record of ${device}`)
  );
}

/** Against the best of the peers whose output was right. */
export function standing(target: Target, record: BenchRecord): Standing {
  const { batch, precision } = target;
  const inBatch = record.cases.filter((each) => each.batch === batch);
  const cases = inBatch.filter((each) => each.precision === precision);
  const own = cases.find(isOwn);
  if (!own) return unmeasured(target, `batch ${batch} in ${precision} was not run`);
  if (!own.checked) return unmeasured(target, "this engine's output was wrong");
  if ("atMost" in target) {
    const value = (target.measure === "encode" ? own.own?.encodeMs : own.own?.peakBytes) ?? null;
    if (value === null) return unmeasured(target, "the record is older than this figure");
    const bound = target.measure === "encode" && isBound(own.own!);
    return { target, value, reached: value <= target.atMost, own, against: null, absence: null, partial: false, bound };
  }
  // This engine's other precision, which runs beside, is a peer where the target says so.
  const rivals = (target.peers.includes("googlenet-wgsl") ? inBatch : cases).filter(
    (each) => !isOwn(each) && each.checked && target.peers.includes(each.engine),
  );
  const [against] = rivals.toSorted((a, b) => cost(a, target) - cost(b, target));
  if (!against) return unmeasured(target, absenceOf(target.peers, record));
  const value = cost(against, target) / cost(own, target);
  const reached = target.measure === "cold" ? value >= target.atLeast : value > target.atLeast;
  const lacking = (target.modes ?? []).filter((mode) => !rivals.some((each) => each.mode === mode));
  const partial = lacking.length > 0;
  const absence = partial ? `not measured right: ${lacking.join(", ")}` : null;
  return { target, value, reached, own, against, absence, partial, bound: false };
}

/** Whether CPU times are no more than a bound; records that don't say what told them are from when all were. */
export function isBound({ encodeClock = "bound" }: Partial<Pick<OwnFigures, "encodeClock">>): boolean {
  return encodeClock === "bound";
}

function unmeasured(target: Target, absence: string): Standing {
  return { target, value: null, reached: false, own: null, against: null, absence, partial: false, bound: false };
}

/** Why there is none of some peers. */
function absenceOf(peers: readonly EngineName[], { environment, failures, cases }: BenchRecord): string {
  const reasons = peers.map((peer) => {
    const known = [...environment.missing, ...failures].find(({ engine }) => engine === peer);
    const wrong = cases.some(({ engine, checked }) => engine === peer && !checked);
    return `${peer}: ${known?.reason ?? (wrong ? "its output was wrong" : "not asked for")}`;
  });
  return reasons.join("; ");
}

/** What there should be little of. */
function cost(each: MeasuredCase, { measure }: RatioTarget): number {
  if (measure === "cold") return each.coldMs;
  return measure === "time" ? each.medianMs : 1 / imagesPerSecond(each);
}

/** An engine's best: one batch after another, or several in flight. */
export function imagesPerSecond(each: MeasuredCase): number {
  return Math.max(each.imagesPerSecond, each.imagesPerSecondInFlight ?? 0);
}
