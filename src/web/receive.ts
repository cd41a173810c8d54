/**
 * Downloads a file whose size and checksum are known. A connection that is cut is taken up where it ended; nothing
 * counts before the whole file was found right.
 */

import { EngineError } from "../errors.ts";
import { sha256 } from "./digest.ts";
import type { ServedWeights } from "./weights-offer.ts";
import { messageOf } from "./values.ts";

export interface ReceiveOptions {
  /** As the global one. */
  readonly fetch: (url: string, init: { headers: Record<string, string> }) => Promise<Response>;
  /** Told how many of the file's bytes are there. */
  readonly onProgress: (bytes: number, of: number) => void;
}

/** How often in a row a connection is made again after one that brought some bytes was cut. */
const MAX_CONNECTIONS = 4;
const REMEDY = "reload the page to try again, or choose a file of your own";

/** @throws EngineError "download" */
export async function receive(file: ServedWeights, { fetch, onProgress }: ReceiveOptions): Promise<Uint8Array> {
  const bytes = new Uint8Array(file.bytes);
  let present = 0;
  onProgress(0, file.bytes);
  for (let connection = 1; present < file.bytes; connection++) {
    const before = present;
    try {
      const response = await fetch(file.url, { headers: before > 0 ? { range: `bytes=${before}-` } : {} });
      present = startOf(response, before, file);
      for await (const chunk of chunksOf(response)) {
        if (present + chunk.length > file.bytes) throw refusal(file, `has more than ${file.bytes} bytes`);
        bytes.set(chunk, present);
        present += chunk.length;
        onProgress(present, file.bytes);
      }
      if (present < file.bytes) throw new Error("the connection ended early");
    } catch (error) {
      if (error instanceof EngineError) throw error;
      if (present <= before || connection === MAX_CONNECTIONS) {
        throw new EngineError(
          "download",
          file.name,
          `the download stopped after ${present} of ${file.bytes} bytes (${messageOf(error)})`,
          REMEDY,
          { cause: error },
        );
      }
    }
  }
  const found = await sha256(bytes);
  if (found !== file.sha256) throw refusal(file, `arrived with the checksum ${found}, not ${file.sha256}`);
  return bytes;
}

/** Where in the file the answer's body begins. */
function startOf({ status, headers }: Response, asked: number, file: ServedWeights): number {
  if (status === 206) {
    const [, start, total] = /^bytes (\d+)-\d+\/(\d+)$/.exec(headers.get("content-range") ?? "") ?? [];
    if (Number(start) === asked && Number(total) === file.bytes) return asked;
    throw refusal(file, "came in a part that was not asked for");
  }
  if (status !== 200) throw refusal(file, `cannot be had: the server answers ${status}`);
  return 0;
}

async function* chunksOf({ body }: Response): AsyncGenerator<Uint8Array> {
  if (body === null) return;
  // Not `for await` over the stream, which Safari's has no iterator for.
  const reader = (body as ReadableStream<Uint8Array>).getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    // Lets go of the connection where the answer was not read to its end; what failed is known already.
    await reader.cancel().catch(() => undefined);
  }
}

function refusal(file: ServedWeights, problem: string): EngineError {
  return new EngineError("download", file.name, problem, REMEDY);
}
