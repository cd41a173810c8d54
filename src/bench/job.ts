/**
 * What the bench tells a worker process, and what it hears back. A worker is one engine in one process: it opens the
 * engine, runs it, and ends. Workers of this engine and of peers written in JavaScript run `worker.ts`; other peers
 * (PyTorch) speak the same words.
 */

import type { Precision } from "../plan/precision.ts";

export type { Precision } from "../plan/precision.ts";

/** A peer's own settings, as its documentation names them. */
export type Settings = Readonly<Record<string, string | number | boolean>>;

/** One worker's work, handed over as a JSON file. */
export interface Job {
  /** URL of the module that opens the engine (see EngineModule); null for workers that are no JavaScript. */
  readonly module: string | null;
  readonly settings: Settings;
  readonly batch: number;
  readonly precision: Precision;
  /** Whether Dawn's validation (and, where an engine lets one choose, its bounds checks) is off. */
  readonly unsafe: boolean;
  /** Part of the WebGPU adapter's name; null for Dawn's own choice. */
  readonly adapter: string | null;
  readonly files: JobFiles;
  /** Untimed runs after the first. */
  readonly warmups: number;
  /** Timed runs: this many, or as many as the seconds allow, but at least three. */
  readonly runs: number;
  readonly seconds: number;
  /** Times whole runs alone, not those without the copy back and those in flight. */
  readonly brief: boolean;
}

/** Paths. Arrays are bare little-endian float32. */
export interface JobFiles {
  /** safetensors, Caffe's names and shapes. */
  readonly weights: string;
  /** The network as ONNX for this batch and precision, with LRN nodes, and with LRN written out. */
  readonly onnx: { readonly node: string; readonly spelled: string };
  /** Batches (N, 3, 224, 224), planes B, G, R less their means. Runs take them in turn, so that a stale result shows. */
  readonly inputs: readonly string[];
  /** For each input the reference's probabilities (N, 1000). */
  readonly expected: readonly string[];
}

/** What a worker has measured. */
export interface Report {
  /** The adapter's name, or the device's; null where the engine does not say what it runs on. */
  readonly adapter: string | null;
  /** Versions of the packages that did the work. */
  readonly versions: Readonly<Record<string, string>>;
  /** Milliseconds of each timed run: from the input in main memory to the probabilities in main memory. */
  readonly times: readonly number[];
  /** The same, up to where the device has them; null where the engine can't wait for that. */
  readonly timesWithoutReadback: readonly number[] | null;
  /** Images a second with several batches in flight; null where the engine takes one after another. */
  readonly inFlight: { readonly depth: number; readonly imagesPerSecond: number } | null;
  /** The largest difference of any run's output (the untimed ones', too) from the reference; null: not a number. */
  readonly maxAbsError: number | null;
}

/** Lines on a worker's standard output that begin so are messages; native libraries print what they like. */
export const MESSAGE_MARK = "@bench ";

export type Message =
  /** The first probabilities are in main memory. */
  | { readonly event: "first" }
  | { readonly event: "done"; readonly report: Report }
  | { readonly event: "failed"; readonly reason: string };

/** What a worker's module exports: an engine with the network on it. */
export interface EngineModule {
  open(job: Job): Promise<OpenEngine>;
  /** Whether the engine keeps its process from ending even when it was closed: then the worker ends it. */
  readonly holdsProcess?: boolean;
}

export interface OpenEngine {
  readonly adapter: string | null;
  readonly versions: Readonly<Record<string, string>>;
  /** Puts a batch into the form in main memory that the engine takes; not timed. */
  prepare(input: Float32Array): unknown;
  /** From a prepared batch to its probabilities in main memory. */
  run(input: unknown): Promise<Float32Array>;
  /** The same, but for the copy back: resolves when the device is done. */
  runWithoutReadback?(input: unknown): Promise<void>;
  /** How many calls of `run` may be under way at once; 1 unless given. */
  readonly inFlight?: number;
  close(): void;
}
