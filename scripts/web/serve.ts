/** The page's server: the bundled files, and the weights where there are some, in parts on request. For this machine. */

import { createHash } from "node:crypto";
import { createReadStream, type ReadStream, readFileSync, statSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import path from "node:path";
import { EngineError } from "../../src/errors.ts";
import { readManifest, type WeightsChoice } from "../../src/node/weights-manifest.ts";
import { isSeedSource, parseSeed } from "../../src/weights/seed.ts";
import { OFFER_URL, type WeightsOffer } from "../../src/web/weights-offer.ts";

export interface ServeOptions {
  /** Of the bundled page. */
  readonly folder: string;
  /** The weights to serve; null where there are none. */
  readonly choice: WeightsChoice | null;
  /** A free one where it is 0. */
  readonly port: number;
  readonly host: string;
}

export interface Site extends AsyncDisposable {
  readonly origin: string;
}

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};

/** Whatever is in the page, it asks no one but this server. */
const SECURITY = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
};

const WEIGHTS_URL = "weights";

/**
 * Serves until it is disposed of.
 *
 * @throws EngineError "usage" for a port that is taken or not allowed, "weights" for a weights file that is not there
 */
export async function servePage({ folder, choice, port, host }: ServeOptions): Promise<Site> {
  const weights = choice && !isSeedSource(choice.source) ? new WeightsFile(choice.source) : null;
  // That it is missing is said at once, and its checksum is made before anyone waits for it.
  await weights?.offer();
  const offer = async (): Promise<WeightsOffer> => {
    if (weights) return weights.offer();
    if (choice) return { kind: "seed", seed: parseSeed(choice.source) };
    const [{ file, url, size, licence, source }] = await readManifest();
    return { kind: "none", file, url, bytes: size, licence, source };
  };
  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      if (response.headersSent) {
        response.destroy();
        return;
      }
      response.writeHead(500, { "content-type": "text/plain; charset=utf-8" });
      response.end(error instanceof Error ? error.message : String(error));
    });
  });
  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method !== "GET" && request.method !== "HEAD") {
      response.writeHead(405, { allow: "GET, HEAD" }).end();
      return;
    }
    const name = pathOf(request);
    if (name === OFFER_URL) {
      sendBytes(request, response, "application/json", Buffer.from(JSON.stringify(await offer())));
    } else if (name === WEIGHTS_URL && weights) {
      await weights.send(request, response);
    } else {
      const bytes = name === null ? null : readPage(folder, name);
      if (bytes === null || name === null) response.writeHead(404, SECURITY).end();
      else sendBytes(request, response, TYPES[path.extname(name)] ?? "application/octet-stream", bytes);
    }
  }
  await listen(server, port, host);
  const address = server.address();
  const used = typeof address === "object" && address !== null ? address.port : port;
  return {
    origin: `http://${host.includes(":") ? `[${host}]` : host}:${used}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** The name of a file of the page: folders and plain names only, so that none leads out of it. Null for any other. */
function pathOf({ url = "/" }: IncomingMessage): string | null {
  const [pathname] = url.split(/[?#]/);
  if (pathname === "/") return "index.html";
  return /^(\/[\w-][\w.-]*)+$/.test(pathname) ? pathname.slice(1) : null;
}

function readPage(folder: string, name: string): Buffer | null {
  try {
    return readFileSync(path.join(folder, name));
  } catch {
    return null;
  }
}

function sendBytes(request: IncomingMessage, response: ServerResponse, type: string, bytes: Buffer): void {
  const headers = { ...SECURITY, "content-type": type, "content-length": bytes.length, "cache-control": "no-cache" };
  response.writeHead(200, headers).end(request.method === "HEAD" ? undefined : bytes);
}

/** A weights file that is served whole or from some byte on, known by its checksum. */
class WeightsFile {
  private readonly file: string;
  private known: { readonly state: string; readonly sha256: Promise<string> } | undefined;

  constructor(file: string) {
    this.file = file;
  }

  async offer(): Promise<WeightsOffer> {
    const { size } = this.stat();
    return {
      kind: "file",
      url: WEIGHTS_URL,
      name: path.basename(this.file),
      bytes: size,
      sha256: await this.sha256(),
    };
  }

  async send(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { size } = this.stat();
    const etag = `"${await this.sha256()}"`;
    const headers = {
      ...SECURITY,
      "content-type": "application/octet-stream",
      "accept-ranges": "bytes",
      "cache-control": "no-cache",
      etag,
    };
    if (request.headers["if-none-match"] === etag) {
      response.writeHead(304, headers).end();
      return;
    }
    const range = rangeOf(request, etag, size);
    if (range === "beyond") {
      response.writeHead(416, { ...headers, "content-range": `bytes */${size}` }).end();
      return;
    }
    const { start, end } = range ?? { start: 0, end: size - 1 };
    response.writeHead(range ? 206 : 200, {
      ...headers,
      "content-length": end - start + 1,
      ...(range ? { "content-range": `bytes ${start}-${end}/${size}` } : {}),
    });
    if (request.method === "HEAD") response.end();
    else await send(createReadStream(this.file, { start, end }), response);
  }

  private stat(): { readonly size: number; readonly mtimeMs: number } {
    const stat = statSync(this.file, { throwIfNoEntry: false });
    if (!stat?.isFile()) {
      throw new EngineError(
        "weights",
        this.file,
        stat ? "is not a regular file" : "there is no such file",
        "check the path, or get BVLC's trained weights with: googlenet weights fetch",
      );
    }
    if (stat.size === 0) throw new EngineError("weights", this.file, "is empty", "fetch or convert the file again");
    return stat;
  }

  /** Made anew where the file was changed meanwhile. */
  private sha256(): Promise<string> {
    const { size, mtimeMs } = this.stat();
    const state = `${size} ${mtimeMs}`;
    if (this.known?.state !== state) this.known = { state, sha256: hashOf(this.file) };
    return this.known.sha256;
  }
}

/** The part that is asked for, one range and no more; null for the whole file. */
function rangeOf(
  { headers }: IncomingMessage,
  etag: string,
  size: number,
): { readonly start: number; readonly end: number } | "beyond" | null {
  const condition = headers["if-range"];
  if (headers.range === undefined || (condition !== undefined && condition !== etag)) return null;
  const match = /^bytes=(\d*)-(\d*)$/.exec(headers.range);
  if (!match || (match[1] === "" && match[2] === "")) return null;
  const [, first, last] = match;
  const start = first === "" ? Math.max(0, size - Number(last)) : Number(first);
  const end = first === "" || last === "" ? size - 1 : Math.min(Number(last), size - 1);
  return start >= size || start > end ? "beyond" : { start, end };
}

async function send(stream: ReadStream, response: ServerResponse): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    // Who has gone away needs no more of it.
    response.on("close", () => {
      stream.destroy();
      resolve();
    });
    stream.on("error", reject);
    stream.pipe(response);
  });
}

async function hashOf(file: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
  return hash.digest("hex");
}

async function listen(server: Server, port: number, host: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const problems: Readonly<Record<string, readonly [problem: string, remedy: string]>> = {
        EADDRINUSE: ["is taken by another program", "give another with --port, or 0 for a free one"],
        EACCES: ["may not be used by this user", "give one above 1023 with --port"],
        EADDRNOTAVAIL: [`cannot be had at ${host}`, "give an address of this machine with --host"],
        ENOTFOUND: [`cannot be had at ${host}`, "give an address of this machine with --host"],
      };
      const [problem, remedy] = problems[error.code ?? ""] ?? [error.message, "give another with --port"];
      reject(new EngineError("check", `port ${port}`, problem, remedy, { cause: error }));
    });
    server.listen(port, host, resolve);
  });
}
