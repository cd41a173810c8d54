/// <reference lib="esnext.disposable" preserve="true" />
/** Threads that decode pictures and make them ready for a classifier, beside the one that feeds the device. */

import { availableParallelism, totalmem } from "node:os";
import { Worker } from "node:worker_threads";
import { EngineError } from "../errors.ts";
import type { PreparedPicture, LabelledPicture } from "../evaluate/pictures.ts";
import type { Preparation, PreparedBy } from "../image/preparation.ts";
import { inOrder } from "../webgpu/stream.ts";
import type { Failure } from "./decode.ts";
import type { DecodeJob, DecodeResult, Ready } from "./decode-worker.ts";

/**
 * Pictures that a thread is given at once: one is read and decompressed, in libuv's own threads, while another is made
 * ready.
 */
const JOBS_A_THREAD = 2;
/** A picture on which so many threads died that had nothing else to do is what killed them; so it is with its time. */
const TRIES = 2;
/** So many threads one after another that die before they are ready: no picture is to blame. */
const STILLBORN = 3;
/** What errors call them. */
const SUBJECT = "decoding threads";
/** What a thread may take: the engine's code and sharp, two photographs of 12 megapixels, and what is made of them. */
const THREAD_BYTES = 128e6;
/** The share of the memory that threads may take together. */
const THREADS_SHARE = 1 / 4;

/**
 * As many threads as the machine computes at once beside the one that feeds the device, unless its memory, or what a
 * container is given of it, is too small for them.
 */
export function decodingThreads(parallelism = availableParallelism(), memory = memoryBytes()): number {
  return Math.max(1, Math.min(parallelism - 1, Math.floor((memory * THREADS_SHARE) / THREAD_BYTES)));
}

function memoryBytes(): number {
  // 0 or beyond all bounds where nothing is set.
  return Math.min(process.constrainedMemory() || Infinity, totalmem());
}

interface Pending {
  readonly job: DecodeJob;
  readonly resolve: (decoded: Decoded<PreparedBy<Preparation>>) => void;
  readonly reject: (error: unknown) => void;
  tries: number;
}

/** What became of a picture, where a thread could say so. */
type Decoded<Prepared> =
  { readonly prepared: Prepared } | { readonly error: EngineError; readonly failure: Exclude<Failure, "time"> };

interface Thread {
  readonly worker: Worker;
  readonly jobs: Map<number, Pending>;
  ready: boolean;
}

/**
 * Threads that decode pictures and make them ready for one classifier.
 *
 * sharp decompresses in libuv's own threads, whoever asks: four, unless the variable `UV_THREADPOOL_SIZE` said otherwise
 * before Node started. The command sets it to the machine's parallelism; a program of yours does so by itself.
 */
export class DecodePool<Own extends Preparation = Preparation> implements AsyncDisposable {
  readonly threads: number;
  private readonly preparation: Own;
  private readonly running = new Set<Thread>();
  private readonly waiting: Pending[] = [];
  /** Pictures that a thread died over or that took too long, perhaps another's fault: each is tried by itself. */
  private readonly suspects: Pending[] = [];
  /** The one of them that is under way. */
  private suspected: Pending | undefined;
  private stillborn = 0;
  private lastId = 0;
  private closed = false;

  /**
   * Threads are started as there are pictures for them.
   *
   * @param preparation that of the classifier which the pictures are for
   */
  constructor(preparation: Own, threads = decodingThreads()) {
    this.preparation = preparation;
    this.threads = threads;
  }

  /**
   * Decodes a picture's file and makes it ready. Rejects with EngineError "picture" as `decodeImage` does, and
   * "device-lost" where the pool is closed or its threads die as they start.
   */
  async decode(path: string, name = path): Promise<PreparedBy<Own>> {
    const decoded = await this.attempt(path, name);
    if ("error" in decoded) throw decoded.error;
    return decoded.prepared;
  }

  private attempt(path: string, name: string): Promise<Decoded<PreparedBy<Own>>> {
    return new Promise<Decoded<PreparedBy<Preparation>>>((resolve, reject) => {
      this.waiting.push({ job: { id: this.lastId++, path, name }, resolve, reject, tries: 0 });
      this.handOut();
    }) as Promise<Decoded<PreparedBy<Own>>>;
  }

  /**
   * Decodes labelled pictures in their order, up to `depth` ahead of whoever takes them; one that is none, or damaged,
   * keeps its place, with the error. A failure of the machine (a file that is gone or can't be read, no memory) says
   * nothing of a picture: it is thrown, as the EngineError "picture" that it is.
   */
  async *decodeAhead(
    pictures: Iterable<LabelledPicture> | AsyncIterable<LabelledPicture>,
    pathOf: (picture: LabelledPicture) => string,
    depth: number,
    signal?: AbortSignal,
  ): AsyncGenerator<PreparedPicture<PreparedBy<Own>>, void, undefined> {
    const work = async (picture: LabelledPicture): Promise<PreparedPicture<PreparedBy<Own>>> => {
      const decoded = await this.attempt(pathOf(picture), picture.image);
      if ("prepared" in decoded) return { ...picture, prepared: decoded.prepared };
      const { error, failure } = decoded;
      if (failure === "content" && error.code === "picture") return { ...picture, error };
      throw error;
    };
    yield* inOrder(pictures, work, depth, signal);
  }

  /** Ends the threads; what they had under way is rejected. */
  async close(): Promise<void> {
    this.closed = true;
    const threads = [...this.running];
    for (const { jobs } of threads) this.waiting.push(...jobs.values());
    this.running.clear();
    this.handOut();
    await Promise.all(threads.map(({ worker }) => worker.terminate()));
  }

  /** Closes it, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  private handOut(): void {
    if (this.closed) this.rejectAll(new EngineError("device-lost", SUBJECT, "they were ended", "make new ones"));
    while (this.waiting.length + this.suspects.length > 0) {
      // Beside a suspect nothing is under way, so that it is known what a thread dies over.
      const queue = this.suspects.length > 0 || this.suspected ? this.suspects : this.waiting;
      if (queue === this.suspects && this.isBusy()) return;
      const free = this.freeThread();
      if (!free) return;
      const pending = queue.shift()!;
      if (queue === this.suspects) this.suspected = pending;
      free.jobs.set(pending.job.id, pending);
      free.worker.postMessage(pending.job);
      // Between jobs a thread must not keep the process from ending.
      free.worker.ref();
    }
  }

  private isBusy(): boolean {
    return [...this.running].some(({ jobs }) => jobs.size > 0);
  }

  private rejectAll(error: EngineError): void {
    for (const { reject } of [...this.suspects.splice(0), ...this.waiting.splice(0)]) reject(error);
  }

  /** The thread with the least to do, a new one where all that run have something. */
  private freeThread(): Thread | undefined {
    const [least] = [...this.running].sort((a, b) => a.jobs.size - b.jobs.size);
    if (least?.jobs.size === 0) return least;
    if (this.running.size < this.threads) return this.start();
    return least.jobs.size < JOBS_A_THREAD ? least : undefined;
  }

  private start(): Thread {
    const thread: Thread = { worker: startWorker(this.preparation), jobs: new Map(), ready: false };
    const { worker, jobs } = thread;
    this.running.add(thread);
    worker.on("message", (result: DecodeResult | Ready) => {
      thread.ready = true;
      this.stillborn = 0;
      if (result === "ready") return;
      const pending = jobs.get(result.id);
      jobs.delete(result.id);
      if (jobs.size === 0) worker.unref();
      if (pending) this.settle(pending, result);
      this.handOut();
    });
    let reason: unknown;
    worker.on("error", (error) => {
      reason = error;
    });
    worker.on("exit", () => this.bury(thread, reason));
    return thread;
  }

  private settle(pending: Pending, result: DecodeResult): void {
    if (this.suspected === pending) this.suspected = undefined;
    if ("prepared" in result) {
      pending.resolve({ prepared: result.prepared });
    } else if ("thrown" in result) {
      pending.reject(result.thrown);
    } else if (result.failure === "time" && ++pending.tries < TRIES) {
      this.suspects.push(pending);
    } else {
      const { code, subject, problem, remedy } = result.error;
      const failure = result.failure === "machine" ? "machine" : "content";
      pending.resolve({ error: new EngineError(code, subject, problem, remedy), failure });
    }
  }

  /**
   * A thread has died. What it had under way is tried once more in another, by itself where it may be the cause: of
   * several pictures nobody knows which.
   */
  private bury(thread: Thread, reason: unknown): void {
    if (!this.running.delete(thread)) return;
    const left = [...thread.jobs.values()];
    const wasSuspected = this.suspected !== undefined && left.includes(this.suspected);
    if (wasSuspected) this.suspected = undefined;
    if (!thread.ready) {
      (wasSuspected ? this.suspects : this.waiting).unshift(...left);
      if (++this.stillborn >= STILLBORN) this.rejectAll(stillbirth(reason));
    } else if (left.length === 1 && ++left[0].tries >= TRIES) {
      left[0].resolve({ error: deathBy(left[0].job, reason), failure: "content" });
    } else {
      this.suspects.push(...left);
    }
    this.handOut();
  }
}

function stillbirth(reason: unknown): EngineError {
  const why = reason instanceof Error ? reason.message : "no reason is known";
  const remedy = "see that there is memory left, and that the package is whole";
  return new EngineError("device-lost", SUBJECT, `they die as they start (${why})`, remedy, { cause: reason });
}

function deathBy({ name }: DecodeJob, reason: unknown): EngineError {
  const why = reason instanceof Error ? reason.message : "no reason is known";
  return new EngineError("picture", name, `the thread that decoded it died (${why})`, "make the picture smaller", {
    cause: reason,
  });
}

/** Node runs the compiled worker as it is. That of a checkout's sources needs tsx, which threads don't inherit. */
function startWorker(preparation: Preparation): Worker {
  const options = { workerData: preparation, execArgv: [] };
  if (!import.meta.url.endsWith(".ts")) {
    return new Worker(new URL("decode-worker.js", import.meta.url), options);
  }
  const [tsx, script] = [import.meta.resolve("tsx/esm/api"), new URL("decode-worker.ts", import.meta.url).href];
  const code = `import(${JSON.stringify(tsx)}).then(({ register }) => { register(); return import(${JSON.stringify(script)}); });`;
  return new Worker(code, { ...options, eval: true });
}
