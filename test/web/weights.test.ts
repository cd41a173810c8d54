/** How weights reach the page: the server's answers, downloads that are cut, the browser's cache, wrong files. */

import { createHash } from "node:crypto";
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { servePage, type Site } from "../../scripts/web/serve.ts";
import { googLeNet } from "../../src/graph/googlenet.ts";
import { inferShapesForBatch } from "../../src/graph/graph.ts";
import { toOnnx } from "../../src/formats/onnx-write.ts";
import { writeSafetensors } from "../../src/formats/safetensors.ts";
import { receive } from "../../src/web/receive.ts";
import { type FileStore, WeightsCache } from "../../src/web/weights-cache.ts";
import { WeightsLoader } from "../../src/web/weights-loader.ts";
import { askForWeights, type ServedWeights } from "../../src/web/weights-offer.ts";
import { seededWeights } from "../../src/weights/seed.ts";
import { freshSeed, uniform } from "../support/random.ts";

const folder = mkdtempSync(path.join(tmpdir(), "googlenet weights "));
const file = path.join(folder, "some weights.caffemodel");
const next = uniform(freshSeed());
const contents = Buffer.from(Array.from({ length: 100_003 }, () => Math.floor(256 * next())));
const checksum = createHash("sha256").update(contents).digest("hex");
let site: Site;

beforeAll(async () => {
  writeFileSync(file, contents);
  writeFileSync(path.join(folder, "index.html"), "a page");
  site = await servePage({ folder, choice: { source: file, from: "option" }, port: 0, host: "localhost" });
});
afterAll(async () => {
  await site[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

const get = (name: string, init?: RequestInit) => fetch(`${site.origin}/${name}`, init);
const offered: ServedWeights = {
  kind: "file",
  url: "weights",
  name: path.basename(file),
  bytes: contents.length,
  sha256: checksum,
};

describe("the server", () => {
  test("offers the weights with size and checksum, and gives the page", async () => {
    expect(await askForWeights(get)).toEqual(offered);
    const page = await get("");
    expect(await page.text()).toBe("a page");
    expect(page.headers.get("content-security-policy")).toContain("default-src 'none'");
    expect(page.headers.get("content-type")).toContain("text/html");
  });

  test.each([
    ["bytes=100000-", 206, `bytes 100000-100002/100003`, [100_000, 100_003]],
    ["bytes=5-9", 206, `bytes 5-9/100003`, [5, 10]],
    ["bytes=-3", 206, `bytes 100000-100002/100003`, [100_000, 100_003]],
    ["bytes=100003-", 416, "bytes */100003", null],
    ["bytes=9-5", 416, "bytes */100003", null],
    ["bytes=0-1,4-5", 200, null, [0, 100_003]],
    ["nonsense", 200, null, [0, 100_003]],
  ] as const)("answers the range %s with %i", async (range, status, header, part) => {
    const response = await get("weights", { headers: { range } });
    expect(response.status).toBe(status);
    expect(response.headers.get("content-range")).toBe(header);
    if (part) expect(Buffer.from(await response.arrayBuffer())).toEqual(contents.subarray(...part));
    else await response.arrayBuffer();
  });

  test("knows the file by its checksum", async () => {
    const etag = `"${checksum}"`;
    const headers = (init: Record<string, string>) => get("weights", { headers: init });
    expect((await headers({ "if-none-match": etag })).status).toBe(304);
    expect((await headers({ range: "bytes=0-1", "if-range": etag })).status).toBe(206);
    expect((await headers({ range: "bytes=0-1", "if-range": '"another"' })).status).toBe(200);
    expect((await get("weights", { method: "HEAD" })).headers.get("content-length")).toBe("100003");
  });

  test.each(["no.js", "..%2Fsecret", "../secret", ".git", "samples/../../x", "%", "weights/x"])(
    "has no %s",
    async (name) => {
      expect((await get(name)).status).toBe(404);
    },
  );

  test("takes nothing", async () => {
    expect((await get("weights", { method: "POST", body: "x" })).status).toBe(405);
  });

  test.each([
    ["seed:7", { kind: "seed", seed: 7 }],
    [null, { kind: "none", file: "bvlc_googlenet.caffemodel", bytes: 53_533_754 }],
  ])("offers for %s what it has", async (source, expected) => {
    const choice = source === null ? null : ({ source, from: "option" } as const);
    await using other = await servePage({ folder, choice, port: 0, host: "localhost" });
    expect(await askForWeights((url) => fetch(`${other.origin}/${url}`))).toMatchObject(expected);
    expect((await fetch(`${other.origin}/weights`)).status).toBe(404);
  });

  test("refuses weights that are not there, and a port that is taken", async () => {
    const choice = { source: path.join(folder, "none.caffemodel"), from: "option" } as const;
    await expect(servePage({ folder, choice, port: 0, host: "localhost" })).rejects.toThrow(
      /none\.caffemodel: there is no such file; /,
    );
    const port = Number(new URL(site.origin).port);
    await expect(servePage({ folder, choice: null, port, host: "localhost" })).rejects.toThrow(
      `port ${port}: is taken by another program; give another with --port, or 0 for a free one`,
    );
  });
});

describe("a download", () => {
  const quietly = { onProgress: () => undefined };

  test("tells how far it is, and gives the file", async () => {
    const told: number[] = [];
    const bytes = await receive(offered, { fetch: get, onProgress: (done) => told.push(done) });
    expect(Buffer.from(bytes)).toEqual(contents);
    expect(told[0]).toBe(0);
    expect(told.at(-1)).toBe(contents.length);
    expect(told).toEqual(told.toSorted((a, b) => a - b));
  });

  /** A server that ends each connection after so many bytes. */
  const cutting = (after: number, asked: (string | null)[] = []) => ({
    ...quietly,
    fetch: async (url: string, init: { headers: Record<string, string> }) => {
      asked.push(new Headers(init.headers).get("range"));
      const response = await get(url, init);
      const part = new Uint8Array(await response.arrayBuffer()).subarray(0, after);
      return new Response(part, { status: response.status, headers: response.headers });
    },
  });

  test("that is cut goes on where it was", async () => {
    const asked: (string | null)[] = [];
    expect(Buffer.from(await receive(offered, cutting(40_000, asked)))).toEqual(contents);
    expect(asked).toEqual([null, "bytes=40000-", "bytes=80000-"]);
  });

  test("of which nothing comes any more is given up", async () => {
    await expect(receive(offered, cutting(0))).rejects.toThrow(
      "some weights.caffemodel: the download stopped after 0 of 100003 bytes (the connection ended early); reload the page",
    );
    const failing = { ...quietly, fetch: () => Promise.reject(new TypeError("offline")) };
    await expect(receive(offered, failing)).rejects.toMatchObject({ code: "download" });
    const endless = cutting(20_000);
    await expect(receive(offered, endless), "four connections at most").rejects.toThrow("after 80000 of 100003 bytes");
  });

  test.each<[string, (response: Response) => Response | Promise<Response>, RegExp]>([
    ["other bytes", async (r) => new Response((await r.arrayBuffer()).slice(1)), /stopped|checksum/],
    [
      "flipped bytes",
      async (r) => new Response(new Uint8Array(await r.arrayBuffer()).reverse()),
      /arrived with the checksum/,
    ],
    ["too many bytes", () => new Response(Buffer.concat([contents, contents])), /has more than 100003 bytes/],
    [
      "another part",
      () => new Response(contents, { status: 206, headers: { "content-range": "bytes 1-9/10" } }),
      /not asked for/,
    ],
    ["an error page", () => new Response("no", { status: 503 }), /the server answers 503/],
  ])("that brings %s never counts", async (_, change, message) => {
    const changed = { ...quietly, fetch: async (url: string) => change(await get(url)) };
    await expect(receive(offered, changed)).rejects.toThrow(message);
  });
});

/** A browser's cache, in memory. */
class Memory implements FileStore {
  readonly entries = new Map<string, Response>();
  full = false;
  match = (url: string) => Promise.resolve(this.entries.get(url)?.clone());
  put = (url: string, response: Response) => {
    if (this.full) return Promise.reject(new DOMException("no room", "QuotaExceededError"));
    this.entries.set(url, response);
    return Promise.resolve();
  };
  delete = (url: string) => Promise.resolve(this.entries.delete(url));
}

describe("the browser's cache", () => {
  const kept = { name: "gewichte ü.caffemodel", bytes: new Uint8Array(contents), sha256: checksum };

  test("keeps one file for each origin, and forgets it", async () => {
    const store = new Memory();
    const cache = new WeightsCache(() => Promise.resolve(store));
    expect(await cache.find("server")).toBeUndefined();
    expect(await cache.keep("server", kept)).toBe(true);
    expect(await cache.find("server", checksum)).toEqual(kept);
    expect(await cache.find("user")).toBeUndefined();
    expect(await cache.find("server", "another"), "the server has others now").toBeUndefined();
    await cache.forget("server");
    expect(await cache.find("server")).toBeUndefined();
  });

  test.each<[string, (bytes: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>]>([
    ["cut", (bytes) => bytes.slice(0, -1)],
    ["changed", (bytes) => bytes.toReversed()],
    ["empty", () => new Uint8Array()],
  ])("does not believe a file that was %s, and drops it", async (_, damage) => {
    const store = new Memory();
    const cache = new WeightsCache(() => Promise.resolve(store));
    await cache.keep("user", kept);
    const [[url, entry]] = store.entries;
    store.entries.set(url, new Response(damage(new Uint8Array(contents)), { headers: entry.headers }));
    expect(await cache.find("user")).toBeUndefined();
    expect(store.entries.size).toBe(0);
  });

  test("that has no room, or is not there, keeps nothing and breaks nothing", async () => {
    const store = new Memory();
    store.full = true;
    expect(await new WeightsCache(() => Promise.resolve(store)).keep("user", kept)).toBe(false);
    const none = new WeightsCache(() => Promise.reject(new DOMException("private", "SecurityError")));
    expect(await none.keep("user", kept)).toBe(false);
    expect(await none.find("user")).toBeUndefined();
    await none.forget("user");
  });
});

describe("the loader", () => {
  const graph = inferShapesForBatch(googLeNet(), 1);
  const whole = writeSafetensors(seededWeights(graph.parameters, 3));
  const load = (store: Memory, offer: object, bytes: Uint8Array = whole) => {
    let loads = 0;
    const loader = new WeightsLoader({
      cache: new WeightsCache(() => Promise.resolve(store)),
      fetch: (url) => {
        if (url !== "weights") return Promise.resolve(Response.json(offer));
        loads++;
        return Promise.resolve(new Response(bytes as Uint8Array<ArrayBuffer>));
      },
      onProgress: () => undefined,
    });
    return { loader, loads: () => loads };
  };
  const offerOf = (bytes: Uint8Array) => ({
    ...offered,
    name: "a.safetensors",
    bytes: bytes.length,
    sha256: createHash("sha256").update(bytes).digest("hex"),
  });

  test("loads from the server once, from the cache after that, and the user's own before both", async () => {
    const store = new Memory();
    const { loader, loads } = load(store, offerOf(whole));
    const state = { name: "a.safetensors", from: "server", bytes: whole.length, kept: true, heads: "main" };
    expect(await loader.find()).toMatchObject({ state });
    const again = await loader.find();
    expect(again).toMatchObject({ state });
    expect(loads()).toBe(1);
    const own = await loader.chosen("b.safetensors", whole);
    expect(own.state).toMatchObject({ name: "b.safetensors", from: "user", kept: true });
    expect(await loader.find()).toMatchObject({ state: { name: "b.safetensors", from: "user" } });
    expect(own.weights.get("conv1/7x7_s2.bias")).toEqual(seededWeights(graph.parameters, 3).get("conv1/7x7_s2.bias"));
  });

  test("takes the network's weights from an ONNX file, the user's and the server's", async () => {
    const weights = seededWeights(graph.parameters, 3);
    const onnx = toOnnx(graph, weights, { outputs: "graph" });
    for (const name of ["net.onnx", "net.bin"]) {
      const own = await load(new Memory(), { kind: "none" }).loader.chosen(name, onnx);
      expect(own.state).toMatchObject({ name, from: "user", heads: "main" });
      expect([...own.weights.keys()]).toEqual([...weights.keys()]);
      expect(own.weights.get("conv1/7x7_s2.weight")).toEqual(weights.get("conv1/7x7_s2.weight"));
    }
    const served = await load(new Memory(), { ...offerOf(onnx), name: "net.onnx" }, onnx).loader.find();
    expect(served).toMatchObject({ state: { name: "net.onnx", from: "server" } });
    const cut = load(new Memory(), { kind: "none" }).loader.chosen("cut.onnx", onnx.slice(0, -4));
    await expect(cut).rejects.toThrow(/^cut\.onnx: .*; /);
  });

  test("keeps no file that is none, or of another network", async () => {
    const store = new Memory();
    const { loader } = load(store, { kind: "none" });
    await expect(loader.chosen("notes.txt", Buffer.from("hello"))).rejects.toThrow(/^notes\.txt: is neither /);
    const other = writeSafetensors(new Map([["a.weight", { shape: [1], data: Float32Array.of(1) }]]));
    await expect(loader.chosen("other.safetensors", other)).rejects.toThrow(/^other\.safetensors: lacks /);
    await expect(loader.chosen("cut.safetensors", whole.slice(0, -4))).rejects.toThrow(/^cut\.safetensors: /);
    expect(store.entries.size).toBe(0);
    const bad = load(store, offerOf(other), other);
    await expect(bad.loader.find()).rejects.toThrow(/lacks /);
    expect(store.entries.size).toBe(0);
  });

  test("makes seeded weights, and takes any answer that is no offer for none", async () => {
    expect(await load(new Memory(), { kind: "seed", seed: 5 }).loader.find()).toMatchObject({
      state: { name: "seed:5", from: "seed", heads: "all" },
    });
    for (const offer of [null, [], { kind: "file", url: "x" }, { kind: "seed", seed: "5" }, { kind: "?" }]) {
      expect(await load(new Memory(), offer as object).loader.find()).toEqual({ kind: "none" });
    }
  });
});

test("a weights file that changes while it is served is offered anew", async () => {
  const changing = path.join(folder, "changing.safetensors");
  writeFileSync(changing, "one");
  const other = await servePage({ folder, choice: { source: changing, from: "option" }, port: 0, host: "localhost" });
  onTestFinished(() => other[Symbol.asyncDispose]());
  const ask = () => askForWeights((url) => fetch(`${other.origin}/${url}`));
  expect(await ask()).toMatchObject({ bytes: 3 });
  appendFileSync(changing, " two");
  const sha256 = createHash("sha256").update("one two").digest("hex");
  expect(await ask()).toMatchObject({ bytes: 7, sha256 });
});
