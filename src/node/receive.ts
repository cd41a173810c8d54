/** One HTTP connection of a download: the rest of a file, from an offset on. */

import type { FileHandle } from "node:fs/promises";
import { EngineError } from "../errors.ts";

/** A connection that failed or was cut: another may bring the rest. */
export class Interruption extends Error {
  override readonly name = "Interruption";
}

export interface ReceiveOptions {
  readonly fetch: typeof globalThis.fetch;
  /** After how long without a byte to give up. */
  readonly silenceMs: number;
  readonly signal: AbortSignal | undefined;
  /** Told how many bytes of the file are written. */
  readonly onReceived: (bytes: number) => void;
}

/** What a failed connection is called to people, by its code. */
const FAILURES: Readonly<Record<string, string>> = {
  ENOTFOUND: "the server's name is not known (offline?)",
  EAI_AGAIN: "the server's name cannot be looked up (offline?)",
  ECONNREFUSED: "the server refuses the connection",
  ECONNRESET: "the connection was cut",
  EHOSTUNREACH: "the server cannot be reached",
  ENETUNREACH: "the network cannot be reached (offline?)",
  ETIMEDOUT: "the server does not answer",
  UND_ERR_CONNECT_TIMEOUT: "the server does not answer",
  UND_ERR_SOCKET: "the connection was cut",
};

/**
 * Asks for the bytes from `offset` to the end and writes them at their place. A server that sends the whole file
 * instead is taken at its word: the file starts over.
 *
 * The file is known by its checksum, so no entity tag is kept: should the server's file have changed in between, the
 * checksum tells, whether the tag did or not.
 *
 * @param size of the whole file
 * @throws Interruption where another connection may help, EngineError "download" where it will not, and what the file
 *   system says where writing fails
 */
export async function receiveInto(
  file: FileHandle,
  offset: number,
  url: string,
  size: number,
  options: ReceiveOptions,
): Promise<void> {
  const { fetch, silenceMs, signal, onReceived } = options;
  const silence = new AbortController();
  const abort = signal ? AbortSignal.any([signal, silence.signal]) : silence.signal;
  const watchdog = setTimeout(() => silence.abort(), silenceMs);
  /** Runs a step of the transfer; whatever fails in it is the connection's fault. */
  const network = async <T>(step: Promise<T>): Promise<T> => {
    try {
      const value = await step;
      watchdog.refresh();
      return value;
    } catch (error) {
      if (signal?.aborted) throw new Interruption("was interrupted", { cause: error });
      if (silence.signal.aborted) {
        throw new Interruption(`the server has been silent for ${silenceMs / 1000} s`, { cause: error });
      }
      throw new Interruption(describeFailure(error), { cause: error });
    }
  };
  try {
    const headers: Record<string, string> = { "accept-encoding": "identity" };
    if (offset > 0) headers["range"] = `bytes=${offset}-`;
    const response = await network(fetch(url, { headers, signal: abort }));
    if (offset > 0 && !continues(response, offset)) {
      await file.truncate(0);
      onReceived(0);
      // The range cannot be had: the whole file, then.
      if (response.status !== 200) {
        await receiveInto(file, 0, url, size, options);
        return;
      }
    }
    let position = startOf(response, url, size);
    if (response.body === null) throw new Interruption("the server sends an empty answer");
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    for (;;) {
      const { done, value } = await network(reader.read());
      if (done) break;
      if (position + value.length > size) throw wrongSize(url, `more than ${size}`, size);
      await writeAt(file, value, position);
      position += value.length;
      onReceived(position);
    }
    if (position < size) throw new Interruption(`the connection ended after ${position} of ${size} bytes`);
  } finally {
    clearTimeout(watchdog);
    // Lets go of the connection where the answer was not read to its end.
    silence.abort();
  }
}

/** Whether the answer is one to go on with after a partial file: the part that was asked for, or a refusal. */
function continues(response: Response, offset: number): boolean {
  if (response.status === 206) return contentRange(response)?.start === offset;
  return response.status !== 200 && response.status !== 416;
}

/** Where in the file the answer's body begins. */
function startOf(response: Response, url: string, size: number): number {
  const { status, statusText, headers } = response;
  const range = status === 206 ? contentRange(response) : null;
  if (range) {
    if (range.total !== "*" && Number(range.total) !== size) throw wrongSize(url, range.total, size);
    return range.start;
  }
  if (status === 200) {
    const length = headers.get("content-length");
    if (length !== null && Number(length) !== size) throw wrongSize(url, length, size);
    return 0;
  }
  throw new EngineError(
    "download",
    url,
    `the server answers ${`${status} ${statusText}`.trim()}`,
    "try again later, or give weights of your own with --weights FILE",
  );
}

/** The header of a partial answer, `bytes START-END/TOTAL`. */
function contentRange(response: Response): { readonly start: number; readonly total: string } | null {
  const match = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(response.headers.get("content-range") ?? "");
  return match && { start: Number(match[1]), total: match[2] };
}

function wrongSize(url: string, found: string, size: number): EngineError {
  return new EngineError(
    "download",
    url,
    `the server's file has ${found} bytes, not ${size}`,
    "try again later, or give weights of your own with --weights FILE",
  );
}

async function writeAt(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let written = 0; written < bytes.length;) {
    const { bytesWritten } = await file.write(bytes, written, bytes.length - written, position + written);
    written += bytesWritten;
  }
}

/** fetch says "fetch failed"; what failed is in its causes, of which there may be one for each address tried. */
function describeFailure(error: unknown): string {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const inner = cause instanceof AggregateError && cause.errors.length > 0 ? (cause.errors[0] as unknown) : cause;
    const code = inner instanceof Error && "code" in inner ? String(inner.code) : "";
    if (Object.hasOwn(FAILURES, code)) return FAILURES[code];
    if (cause.cause === undefined) return `the connection failed (${inner instanceof Error ? inner.message : code})`;
  }
  return `the connection failed (${String(error)})`;
}
