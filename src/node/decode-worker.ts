/** What a thread of `DecodePool` runs: decodes a picture and makes it ready, when it is told to. */

import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { EngineError } from "../errors.ts";
import { type Preparation, prepareBy } from "../image/preparation.ts";
import type { RgbImage } from "../image/resize.ts";
import type { Sampling } from "../image/sampling.ts";
import { decodeImage, type Failure, failureOf } from "./decode.ts";

/** A picture to decode; `name` is what errors call it. */
export interface DecodeJob {
  readonly id: number;
  readonly path: string;
  readonly name: string;
}

/** What a thread says first: that it has loaded all that it needs. */
export type Ready = "ready";

/** What became of it. An EngineError is given by its parts: threads pass on no classes, nor an error's code. */
export type DecodeResult = { readonly id: number } & (
  | { readonly prepared: RgbImage | Sampling }
  | { readonly error: Pick<EngineError, "code" | "subject" | "problem" | "remedy">; readonly failure: Failure }
  | { readonly thrown: unknown }
);

async function work(job: DecodeJob, preparation: Preparation, port: MessagePort): Promise<void> {
  const { id, path, name } = job;
  const answer = (result: DecodeResult, transfer: ArrayBuffer[] = []) => port.postMessage(result, transfer);
  try {
    const prepared = prepareBy(preparation, await decodeImage(path, name));
    answer({ id, prepared }, buffersOf(prepared));
  } catch (error) {
    if (error instanceof EngineError) {
      const { code, subject, problem, remedy } = error;
      answer({ id, error: { code, subject, problem, remedy }, failure: failureOf(error) });
    } else {
      answer({ id, thrown: error });
    }
  }
}

/** The memory that is handed over rather than copied. A whole picture's belongs to the decoder. */
function buffersOf(prepared: RgbImage | Sampling): ArrayBuffer[] {
  if (!("pixels" in prepared)) return [];
  return [prepared.pixels, prepared.taps, prepared.crops].map(({ buffer }) => buffer as ArrayBuffer);
}

const port = parentPort;
if (port) {
  port.on("message", (job: DecodeJob) => void work(job, workerData as Preparation, port));
  port.postMessage("ready" satisfies Ready);
}
