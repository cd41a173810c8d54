/// <reference lib="esnext.disposable" preserve="true" />
/** Threads that decode pictures and make them ready for a classifier, beside the one that feeds the device. */

import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { EngineError } from "../errors.ts";
import type { PreparedPicture, LabelledPicture } from "../evaluate/pictures.ts";
import type { Preparation, PreparedBy } from "../image/preparation.ts";
import { inOrder } from "../webgpu/stream.ts";
import type { DecodeJob, DecodeResult } from "./decode-worker.ts";

/**
 * Pictures that a thread is given at once: one is read and decompressed, in libuv's own threads, while another is made
 * ready.
 */
const JOBS_A_THREAD = 2;
/** A picture on which so many threads died is what killed them. */
const TRIES = 2;
/** Threads of libuv, which decompress, unless UV_THREADPOOL_SIZE says otherwise. */
const LIBUV_THREADS = 4;

/** As many threads as there is work for: beside the one that feeds the device, and no more than libuv decompresses for. */
export function decodingThreads(): number {
  const decompressing = Number(process.env["UV_THREADPOOL_SIZE"]) || LIBUV_THREADS;
  return Math.max(1, Math.min(availableParallelism() - 1, decompressing));
}

interface Pending {
  readonly job: DecodeJob;
  readonly resolve: (prepared: PreparedBy<Preparation>) => void;
  readonly reject: (error: unknown) => void;
  tries: number;
}

interface Thread {
  readonly worker: Worker;
  readonly jobs: Map<number, Pending>;
}

/** Threads that decode pictures and make them ready for one classifier. */
export class DecodePool<Own extends Preparation = Preparation> implements AsyncDisposable {
  readonly threads: number;
  private readonly preparation: Own;
  private readonly running = new Set<Thread>();
  private readonly waiting: Pending[] = [];
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
   * "device-lost" where the pool is closed.
   */
  decode(path: string, name = path): Promise<PreparedBy<Own>> {
    return new Promise<PreparedBy<Preparation>>((resolve, reject) => {
      this.waiting.push({ job: { id: this.lastId++, path, name }, resolve, reject, tries: 0 });
      this.handOut();
    }) as Promise<PreparedBy<Own>>;
  }

  /**
   * Decodes labelled pictures in their order, up to `depth` ahead of whoever takes them; one that can't be read keeps its
   * place, with the error.
   */
  async *decodeAhead(
    pictures: Iterable<LabelledPicture> | AsyncIterable<LabelledPicture>,
    pathOf: (picture: LabelledPicture) => string,
    depth: number,
    signal?: AbortSignal,
  ): AsyncGenerator<PreparedPicture<PreparedBy<Own>>, void, undefined> {
    const work = async (picture: LabelledPicture): Promise<PreparedPicture<PreparedBy<Own>>> => {
      try {
        return { ...picture, prepared: await this.decode(pathOf(picture), picture.image) };
      } catch (error) {
        if (error instanceof EngineError && error.code === "picture") return { ...picture, error };
        throw error;
      }
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
    if (this.closed) {
      const error = new EngineError("device-lost", "decoding threads", "they were ended", "make new ones");
      for (const { reject } of this.waiting.splice(0)) reject(error);
    }
    while (this.waiting.length > 0) {
      const free = this.freeThread();
      if (!free) return;
      const pending = this.waiting.shift()!;
      pending.tries++;
      free.jobs.set(pending.job.id, pending);
      free.worker.postMessage(pending.job);
      // Between jobs a thread must not keep the process from ending.
      free.worker.ref();
    }
  }

  /** The thread with the least to do, a new one where all that run have something. */
  private freeThread(): Thread | undefined {
    const [least] = [...this.running].sort((a, b) => a.jobs.size - b.jobs.size);
    if (least?.jobs.size === 0) return least;
    if (this.running.size < this.threads) return this.start();
    return least.jobs.size < JOBS_A_THREAD ? least : undefined;
  }

  private start(): Thread {
    const thread: Thread = { worker: startWorker(this.preparation), jobs: new Map() };
    const { worker, jobs } = thread;
    this.running.add(thread);
    worker.on("message", (result: DecodeResult) => {
      const pending = jobs.get(result.id);
      jobs.delete(result.id);
      if (jobs.size === 0) worker.unref();
      if (pending) settle(pending, result);
      this.handOut();
    });
    let reason: unknown;
    worker.on("error", (error) => {
      reason = error;
    });
    worker.on("exit", () => this.bury(thread, reason));
    return thread;
  }

  /** A thread has died: what it had under way is tried once more, in another. */
  private bury(thread: Thread, reason: unknown): void {
    if (!this.running.delete(thread)) return;
    for (const pending of thread.jobs.values()) {
      if (pending.tries < TRIES) this.waiting.unshift(pending);
      else pending.reject(deathBy(pending.job, reason));
    }
    this.handOut();
  }
}

function settle({ resolve, reject }: Pending, result: DecodeResult): void {
  if ("prepared" in result) {
    resolve(result.prepared);
  } else if ("failure" in result) {
    reject(result.failure);
  } else {
    const { code, subject, problem, remedy } = result.error;
    reject(new EngineError(code, subject, problem, remedy));
  }
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
