/** Pictures decoded by threads: the same as without them, in order, within bounds, and with their errors. */

import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import path from "node:path";
import sharp from "sharp";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { EngineError } from "../../src/errors.ts";
import type { Preparation } from "../../src/image/preparation.ts";
import { prepareBy } from "../../src/image/preparation.ts";
import { DecodePool, decodingThreads } from "../../src/node/decode-pool.ts";
import { decodeImage, type Failure, failureOf } from "../../src/node/decode.ts";

const root = mkdtempSync(path.join(tmpdir(), "googlenet pool "));
const SIZES = [300, 20, 900, 1, 64, 500];
const files = SIZES.map((size) => path.join(root, `${size}.jpg`));
const pools: DecodePool[] = [];

beforeAll(async () => {
  for (const [index, size] of SIZES.entries()) {
    const noise = { type: "gaussian", mean: 128, sigma: 40 } as const;
    const create = { width: size, height: Math.ceil(size * 0.7), channels: 3, background: "#888", noise } as const;
    await sharp({ create }).toFile(files[index]);
  }
});
afterEach(async () => {
  for (const pool of pools.splice(0)) await pool.close();
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

function make(preparation: Preparation, threads = 2): DecodePool {
  const pool = new DecodePool(preparation, threads);
  pools.push(pool);
  return pool;
}

test.each<Preparation>([
  { kind: "sampling", protocol: "crops144", side: 224 },
  { kind: "sampling", protocol: "squash256", side: 8 },
  { kind: "picture" },
])("%j: what decoding here gives", async (preparation) => {
  const pool = make(preparation);
  const results = await Promise.all(files.map((file) => pool.decode(file)));
  for (const [index, file] of files.entries()) {
    const expected = prepareBy(preparation, await decodeImage(file));
    const actual = results[index];
    expect(Object.keys(actual)).toEqual(Object.keys(expected));
    for (const [name, value] of Object.entries(expected)) {
      const own = (actual as unknown as Record<string, unknown>)[name];
      if (typeof value === "number") expect(own).toBe(value);
      else
        expect(Buffer.from(own as Uint8Array).equals(Buffer.from(value as Uint8Array)), `${file} ${name}`).toBe(true);
    }
  }
});

test("errors cross over whole, and the others are still done", async () => {
  const pool = make({ kind: "sampling", protocol: "squash256", side: 224 });
  const bad = path.join(root, "bad.jpg");
  writeFileSync(bad, "no picture");
  const [error, missing, fine] = await Promise.allSettled([
    pool.decode(bad, "a/bad.jpg"),
    pool.decode(path.join(root, "none.jpg")),
    pool.decode(files[0]),
  ]);
  const here: unknown = await decodeImage(bad, "a/bad.jpg").catch((reason: unknown) => reason);
  expect(error).toMatchObject({ status: "rejected" });
  const reason: unknown = (error as PromiseRejectedResult).reason;
  expect(reason).toBeInstanceOf(EngineError);
  const { code, subject, problem, remedy, message } = here as EngineError;
  expect(reason).toMatchObject({ code, subject, problem, remedy, message });
  expect((missing as PromiseRejectedResult).reason).toMatchObject({ code: "picture" });
  expect(fine.status).toBe("fulfilled");
});

test("labelled pictures come in their order, no more ahead than asked for, unreadable ones in their place", async () => {
  const pool = make({ kind: "sampling", protocol: "squash256", side: 8 }, 3);
  writeFileSync(path.join(root, "bad.jpg"), "no picture");
  let taken = 0;
  let given = 0;
  let most = 0;
  function* pictures() {
    for (let number = 0; number < 40; number++) {
      most = Math.max(most, ++taken - given);
      yield { number, image: number % 10 === 7 ? "bad.jpg" : `${SIZES[number % SIZES.length]}.jpg`, class: 1 };
    }
  }
  const numbers: number[] = [];
  for await (const picture of pool.decodeAhead(pictures(), ({ image }) => path.join(root, image), 5)) {
    given++;
    numbers.push(picture.number);
    expect("error" in picture).toBe(picture.number % 10 === 7);
  }
  expect(numbers).toEqual(Array.from({ length: 40 }, (_, number) => number));
  expect(most).toBeLessThanOrEqual(6);
  expect(most).toBeGreaterThan(2);
});

test("what is no failure of a picture is not made one", async () => {
  await expect(make(null as unknown as Preparation, 1).decode(files[1])).rejects.not.toBeInstanceOf(EngineError);
});

test("a picture whose file is gone, or may not be looked at, is no result: it ends the evaluation", async () => {
  const pool = make({ kind: "sampling", protocol: "squash256", side: 8 });
  symlinkSync("loop.jpg", path.join(root, "loop.jpg"));
  for (const image of ["none.jpg", "loop.jpg"]) {
    const numbers: number[] = [];
    const take = async () => {
      const pictures = ["bad.jpg", "64.jpg", image].map((each, number) => ({ number, image: each, class: 1 }));
      for await (const { number } of pool.decodeAhead(pictures, (each) => path.join(root, each.image), 2)) {
        numbers.push(number);
      }
    };
    await expect(take()).rejects.toMatchObject({ code: "picture", subject: image });
    expect(numbers).toEqual([0, 1]);
  }
});

test("closing it rejects what is under way, and what comes later", async () => {
  const pool = make({ kind: "picture" });
  const under = files.map((file) => pool.decode(file));
  await Promise.all([pool.close(), ...under.map((each) => expect(each).rejects.toThrow(/they were ended/))]);
  await expect(pool.decode(files[0])).rejects.toThrow(/they were ended/);
});

test.each([
  [1, 64e9, 1],
  [2, 64e9, 1],
  [16, 64e9, 15],
  [64, 256e9, 63],
  // A container that is given little of a large machine's memory.
  [64, 4e9, 7],
  [64, 1e8, 1],
])("a machine of %d that holds %d bytes decodes by %d threads", (parallelism, memory, threads) => {
  expect(decodingThreads(parallelism, memory)).toBe(threads);
});

test("this machine decodes by at least one thread, and leaves one to the device", () => {
  expect(decodingThreads()).toBeGreaterThanOrEqual(1);
  expect(decodingThreads()).toBeLessThanOrEqual(Math.max(1, availableParallelism() - 1));
});

test.each<[Failure, unknown]>([
  ["machine", Object.assign(new Error("EIO: i/o error, read"), { code: "EIO" })],
  ["machine", Object.assign(new Error("ESTALE: stale"), { code: "ESTALE" })],
  ["machine", Object.assign(new Error("EMFILE: too many open files"), { code: "EMFILE" })],
  ["machine", new Error("vips: out of memory --- size == 805MB")],
  ["machine", new RangeError("Array buffer allocation failed")],
  ["time", new Error("timeout: 7% complete")],
  ["content", new Error("heif: Memory allocation error: Security limit exceeded: out of memory")],
  ["content", Object.assign(new Error("a null byte"), { code: "ERR_INVALID_ARG_VALUE" })],
  ["content", new Error("VipsJpeg: premature end of JPEG image")],
  ["content", undefined],
])("a failure of %s: %s", (failure, cause) => {
  expect(failureOf(new EngineError("picture", "a.jpg", "p", "r", { cause }))).toBe(failure);
});
