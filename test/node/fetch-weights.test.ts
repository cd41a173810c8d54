import { execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import * as fs from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { EngineError } from "../../src/errors.ts";
import { type FetchOptions, fetchWeights } from "../../src/node/fetch-weights.ts";
import type { ManifestEntry } from "../../src/node/weights-manifest.ts";

/** What the server serves: enough for several chunks, with no two parts alike. */
const CONTENTS = Buffer.alloc(1_000_000);
for (let i = 0; i < CONTENTS.length; i += 4) CONTENTS.writeUInt32LE(Math.imul(i, 0x9e3779b1) >>> 0, i);
const sum = (algorithm: string, bytes: Uint8Array) => createHash(algorithm).update(bytes).digest("hex");

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

let folder: string;
let server: Server;
let handler: Handler;
let requests: { range: string | undefined }[];
let entry: ManifestEntry;

beforeEach(async () => {
  folder = await fs.mkdtemp(join(tmpdir(), "fetch-weights-"));
  requests = [];
  handler = serveRange;
  server = createServer((request, response) => {
    requests.push({ range: request.headers.range });
    handler(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  entry = {
    name: "test",
    file: "test.caffemodel",
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/test.caffemodel`,
    size: CONTENTS.length,
    sha1: sum("sha1", CONTENTS),
    licence: "none",
    source: "none",
  };
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await fs.rm(folder, { recursive: true });
});

const serveWhole: Handler = (_, response) => {
  response.writeHead(200, { "content-length": CONTENTS.length }).end(CONTENTS);
};
const serveRange: Handler = (request, response) => {
  const start = rangeStart(request);
  if (start === null) {
    serveWhole(request, response);
    return;
  }
  const range = `bytes ${start}-${CONTENTS.length - 1}/${CONTENTS.length}`;
  response.writeHead(206, { "content-range": range }).end(CONTENTS.subarray(start));
};
/** Sends up to `bytes` bytes of what was asked for, then cuts the connection. */
const serveCut =
  (bytes: number): Handler =>
  (request, response) => {
    const start = rangeStart(request) ?? 0;
    const range = `bytes ${start}-${CONTENTS.length - 1}/${CONTENTS.length}`;
    response.writeHead(start > 0 ? 206 : 200, {
      "content-length": CONTENTS.length - start,
      ...(start > 0 && { "content-range": range }),
    });
    response.write(CONTENTS.subarray(start, start + bytes), () => setTimeout(() => response.destroy(), 50));
  };
function rangeStart(request: IncomingMessage): number | null {
  const match = /^bytes=(\d+)-$/.exec(request.headers.range ?? "");
  return match && Number(match[1]);
}

const target = () => join(folder, entry.file);
const partial = () => join(folder, `${entry.file}.partial`);
const fetchTest = (options?: FetchOptions) => fetchWeights(entry, folder, options);
async function failure(options?: FetchOptions): Promise<EngineError> {
  const error: unknown = await fetchTest(options).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(EngineError);
  expect(error).toMatchObject({ code: "download" });
  expect((error as EngineError).message).not.toContain("\n");
  return error as EngineError;
}
async function expectWhole(): Promise<void> {
  expect(await fs.readdir(folder)).toEqual([entry.file]);
  expect(CONTENTS.equals(await fs.readFile(target()))).toBe(true);
}

describe("fetchWeights", () => {
  it("downloads, with progress, into a folder that it makes; a second call has nothing to do", async () => {
    const progress: [number, number][] = [];
    const deep = join(folder, "a", "b");
    const path = join(deep, entry.file);
    expect(await fetchWeights(entry, deep, { onProgress: (...step) => progress.push(step) })).toEqual({
      path,
      downloaded: true,
    });
    expect(CONTENTS.equals(await fs.readFile(path))).toBe(true);
    expect(await fs.readdir(deep)).toEqual([entry.file]);
    expect(progress[0]).toEqual([0, CONTENTS.length]);
    expect(progress.at(-1)).toEqual([CONTENTS.length, CONTENTS.length]);
    expect(progress.map(([received]) => received)).toEqual(
      progress.map(([received]) => received).sort((a, b) => a - b),
    );

    expect(await fetchWeights(entry, deep)).toEqual({ path, downloaded: false });
    expect(requests.length).toBe(1);
  });

  it("checks SHA-256 where the manifest has it", async () => {
    entry = { ...entry, sha256: sum("sha256", CONTENTS) };
    await fetchTest();
    await expectWhole();
    entry = { ...entry, sha256: "0".repeat(64) };
    expect((await failure()).message).toMatch(/its sha256 is [0-9a-f]{64}, not 0{64}/);
  });

  it("downloads anew what lies damaged in the file's place", async () => {
    const damaged = Buffer.from(CONTENTS);
    damaged[500_000] ^= 1;
    await fs.writeFile(target(), damaged);
    expect(await fetchTest()).toMatchObject({ downloaded: true });
    await expectWhole();
  });

  it("resumes from a partial file", async () => {
    await fs.writeFile(partial(), CONTENTS.subarray(0, 400_000));
    const progress: number[] = [];
    await fetchTest({ onProgress: (received) => progress.push(received) });
    await expectWhole();
    expect(requests).toEqual([{ range: "bytes=400000-" }]);
    expect(progress[0]).toBe(400_000);
  });

  it("asks for nothing where the partial file is already whole", async () => {
    await fs.writeFile(partial(), CONTENTS);
    await fetchTest();
    await expectWhole();
    expect(requests).toEqual([]);
  });

  it.each<[string, Buffer]>([
    ["is longer than the file", Buffer.concat([CONTENTS, CONTENTS])],
    ["is of another file", Buffer.alloc(300_000, 7)],
    ["is whole but of another file", Buffer.alloc(CONTENTS.length, 7)],
  ])("starts over where the partial file %s", async (_, contents) => {
    await fs.writeFile(partial(), contents);
    const progress: number[] = [];
    await fetchTest({ onProgress: (received) => progress.push(received) });
    await expectWhole();
    expect(Math.max(...progress)).toBe(CONTENTS.length);
  });

  it.each<[string, Handler]>([
    ["ignores ranges", serveWhole],
    [
      "refuses ranges",
      (request, response) => {
        if (request.headers.range === undefined) serveWhole(request, response);
        else response.writeHead(416).end();
      },
    ],
    [
      "sends another part",
      (request, response) => {
        if (request.headers.range === undefined) serveWhole(request, response);
        else response.writeHead(206, { "content-range": `bytes 5-9/${CONTENTS.length}` }).end("wrong");
      },
    ],
    [
      "does not name the part",
      (request, response) => {
        if (request.headers.range === undefined) serveWhole(request, response);
        else response.writeHead(206).end("wrong");
      },
    ],
  ])("starts over where the server %s", async (_, serve) => {
    handler = serve;
    await fs.writeFile(partial(), CONTENTS.subarray(0, 400_000));
    await fetchTest();
    await expectWhole();
  });

  it("keeps nothing of the old partial file where it starts over and is cut", async () => {
    await fs.writeFile(partial(), Buffer.alloc(400_000, 7));
    handler = (_, response) => {
      response.writeHead(200, { "content-length": CONTENTS.length });
      response.write(CONTENTS.subarray(0, 1000), () => setTimeout(() => response.destroy(), 50));
    };
    await failure();
    expect(CONTENTS.subarray(0, 1000).equals(await fs.readFile(partial()))).toBe(true);
  });

  it("goes on by itself where the connection is cut", async () => {
    handler = serveCut(400_000);
    await fetchTest();
    await expectWhole();
    expect(requests.length).toBe(3);
  });

  it("keeps what arrived where the connection keeps being cut, for the next call", async () => {
    handler = serveCut(100_000);
    expect((await failure()).message).toMatch(/cut.*; fetch again to go on where it stopped/);
    const { size } = await fs.stat(partial());
    expect(size).toBeGreaterThanOrEqual(100_000);
    expect(size).toBeLessThan(CONTENTS.length);
    expect(await fs.readdir(folder)).toEqual([`${entry.file}.partial`]);
    handler = serveRange;
    requests = [];
    await fetchTest();
    await expectWhole();
    expect(requests).toEqual([{ range: `bytes=${size}-` }]);
  });

  it("gives up on a silent server, before and amid the answer", async () => {
    handler = () => undefined;
    expect((await failure({ silenceMs: 200 })).message).toMatch(/silent for 0\.2 s/);
    expect(await fs.readdir(folder)).toEqual([]);
    // A server that brought nothing is not tried again at once.
    expect(requests.length).toBe(1);
    handler = (_, response) => response.writeHead(200).write(CONTENTS.subarray(0, 100));
    expect((await failure({ silenceMs: 200 })).message).toMatch(/silent for 0\.2 s/);
    expect((await fs.stat(partial())).size).toBe(100);
  });

  it("is patient with a slow server", async () => {
    handler = (_, response) => {
      response.writeHead(200);
      let sent = 0;
      const timer = setInterval(() => {
        response.write(CONTENTS.subarray(sent, (sent += 100_000)));
        if (sent >= CONTENTS.length) {
          clearInterval(timer);
          response.end();
        }
      }, 60);
    };
    await fetchTest({ silenceMs: 400 });
    await expectWhole();
  });

  it("refuses and removes a file with a wrong checksum", async () => {
    entry = { ...entry, sha1: "0".repeat(40) };
    const { message } = await failure();
    expect(message).toContain(`its sha1 is ${sum("sha1", CONTENTS)}, not ${"0".repeat(40)}`);
    expect(await fs.readdir(folder)).toEqual([]);
  });

  it.each<[string, Handler, RegExp]>([
    ["an error", (_, response) => response.writeHead(404).end("no"), /the server answers 404 Not Found; /],
    ["a server error", (_, response) => response.writeHead(503).end(), /the server answers 503/],
    [
      "a shorter file",
      (_, response) => response.writeHead(200, { "content-length": 5 }).end("short"),
      /5 bytes, not 1000000/,
    ],
    ["no body", (_, response) => response.writeHead(200).end(), /ended after 0 of 1000000 bytes/],
    [
      "a longer file",
      (_, response) => response.writeHead(200).end(Buffer.alloc(CONTENTS.length + 1)),
      /more than 1000000/,
    ],
    [
      "a redirection without end",
      (request, response) => response.writeHead(302, { location: request.url }).end(),
      /redirect/,
    ],
  ])("refuses %s", async (_, serve, message) => {
    handler = serve;
    expect((await failure()).message).toMatch(message);
    await expect(fs.stat(target())).rejects.toThrow();
  });

  it("keeps a partial file through an error of the server", async () => {
    await fs.writeFile(partial(), CONTENTS.subarray(0, 1000));
    handler = (_, response) => response.writeHead(503).end();
    await failure();
    expect((await fs.stat(partial())).size).toBe(1000);
  });

  it("says when the server cannot be reached", async () => {
    entry = { ...entry, url: "http://127.0.0.1:9/x" };
    const refusing = Object.assign(new TypeError("fetch failed"), {
      cause: Object.assign(new Error("connect"), { code: "ECONNREFUSED" }),
    });
    expect((await failure({ fetch: () => Promise.reject(refusing) })).message).toMatch(/refuses the connection/);
    entry = { ...entry, url: "http://nowhere.invalid/x" };
    expect((await failure()).message).toMatch(/^http:\/\/nowhere\.invalid\/x: .*(offline\?|connection failed).*; /);
    expect(await fs.readdir(folder)).toEqual([]);
  });

  it("can be interrupted, and resumed", async () => {
    handler = (_, response) => response.writeHead(200).write(CONTENTS.subarray(0, 1000));
    const interruption = new AbortController();
    const onProgress = (received: number) => {
      if (received > 0) interruption.abort();
    };
    expect((await failure({ signal: interruption.signal, onProgress })).message).toMatch(
      /was interrupted; fetch again/,
    );
    expect(await fs.readdir(folder)).toEqual([`${entry.file}.partial`]);
    handler = serveRange;
    await fetchTest();
    await expectWhole();
    expect(requests.at(-1)).toEqual({ range: "bytes=1000-" });
  });

  it("lets several downloads at once each end with the whole file", async () => {
    await fs.writeFile(partial(), CONTENTS.subarray(0, 400_000));
    const results = await Promise.all([fetchTest(), fetchTest(), fetchTest()]);
    expect(results.map(({ path }) => path)).toEqual([target(), target(), target()]);
    await expectWhole();
    expect(requests.filter(({ range }) => range !== undefined).length).toBeLessThanOrEqual(1);
  });

  it("takes over what a killed process left, but not what a living one works on", async () => {
    const killed = spawn(process.execPath, ["-e", ""]);
    await new Promise((resolve) => killed.once("exit", resolve));
    await fs.writeFile(join(folder, `${entry.file}.${killed.pid}-00ff.partial`), CONTENTS.subarray(0, 5000));
    await fs.writeFile(partial(), CONTENTS.subarray(0, 300));
    const living = `${entry.file}.${process.pid}-00ff.partial`;
    await fs.writeFile(join(folder, living), CONTENTS.subarray(0, 7000));
    await fs.writeFile(join(folder, "other.caffemodel.partial"), "other");
    await fetchTest();
    expect(requests).toEqual([{ range: "bytes=5000-" }]);
    expect((await fs.readdir(folder)).sort()).toEqual(["other.caffemodel.partial", entry.file, living].sort());
  });

  it("says when the folder cannot be made", async () => {
    await fs.writeFile(join(folder, "plain"), "");
    const error: unknown = await fetchWeights(entry, join(folder, "plain", "sub")).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: "download" });
    expect((error as Error).message).toMatch(/cannot be written: a part of its path is not a folder/);
    expect(requests).toEqual([]);
  });

  it("keeps what it has on a full disk (where mounting is allowed)", async (context) => {
    const small = join(folder, "small");
    await fs.mkdir(small);
    try {
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=256k", "tmpfs", small], { stdio: "ignore" });
    } catch {
      context.skip("may not mount a file system here");
    }
    try {
      const error: unknown = await fetchWeights(entry, small).catch((reason: unknown) => reason);
      expect(error).toMatchObject({ code: "download" });
      expect((error as Error).message).toMatch(/the disk is full; free some space/);
      expect(await fs.readdir(small)).toEqual([`${entry.file}.partial`]);
    } finally {
      execFileSync("umount", [small]);
    }
  });
});
