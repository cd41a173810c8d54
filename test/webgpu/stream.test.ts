/** Streams of inputs, calls that are given up, and sessions that open their devices themselves. */

import { describe, expect, onTestFinished, test } from "vitest";
import { openGpu } from "../../src/node/dawn.ts";
import { kernelsOnDisk } from "../../src/node/kernels.ts";
import { Session, type SessionOptions } from "../../src/webgpu/session.ts";
import { inOrder } from "../../src/webgpu/stream.ts";
import "../support/close.ts";
import { describeGpu, useGpu } from "../support/gpu.ts";
import { batchOf, referenceProb, tiny, weightsFor } from "./tiny.ts";

const weights = weightsFor(tiny, 1);

async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const each of source) all.push(each);
  return all;
}

/** Work that ends when it is told to. */
function controlled() {
  const ends: (() => void)[] = [];
  const started: number[] = [];
  const work = (input: number) => {
    started.push(input);
    return new Promise<number>((resolve) => ends.push(() => resolve(10 * input)));
  };
  return { ends, started, work };
}

const settle = () => new Promise((resolve) => setTimeout(resolve, 5));

describe("inOrder", () => {
  test("keeps the order, however the work ends, and no more under way than it may", async () => {
    const { ends, started, work } = controlled();
    const results = collect(inOrder([1, 2, 3, 4], work, 2));
    await settle();
    expect(started).toEqual([1, 2]);
    ends[1]();
    await settle();
    expect(started).toEqual([1, 2]);
    ends[0]();
    await settle();
    expect(started).toEqual([1, 2, 3, 4]);
    ends[3]();
    ends[2]();
    expect(await results).toEqual([10, 20, 30, 40]);
  });

  test("gives a result while the source lets one wait for the next input", async () => {
    const source = (async function* () {
      yield 1;
      await new Promise(() => undefined);
      yield 2;
    })();
    const stream = inOrder(source, (input) => Promise.resolve(input), 3);
    expect(await stream.next()).toEqual({ done: false, value: 1 });
  });

  test("throws what fails in its place, and closes the source", async () => {
    let closed = false;
    const source = (function* () {
      try {
        for (let input = 0; ; input++) yield input;
      } finally {
        closed = true;
      }
    })();
    const seen: number[] = [];
    const failing = (input: number) => (input === 2 ? Promise.reject(new Error("two")) : Promise.resolve(input));
    const all = (async () => {
      for await (const each of inOrder(source, failing, 3)) seen.push(each);
    })();
    await expect(all).rejects.toThrow("two");
    expect(seen).toEqual([0, 1]);
    expect(closed).toBe(true);
  });

  test("ends where its signal comes, and tells the work", async () => {
    const abort = new AbortController();
    let told = false;
    const work = (_: number, signal: AbortSignal) =>
      new Promise<number>((_resolve, reject) => {
        signal.addEventListener("abort", () => {
          told = true;
          reject(signal.reason as Error);
        });
      });
    const all = collect(inOrder([1, 2], work, 1, abort.signal));
    await settle();
    abort.abort(new Error("enough"));
    await expect(all).rejects.toThrow("enough");
    expect(told).toBe(true);
  });
});

describeGpu("a session on the GPU", () => {
  const gpu = useGpu();
  const create = async (options: Partial<SessionOptions> = {}) => {
    const session = await Session.create(
      { graph: tiny, weights },
      { device: gpu.device, kernels: kernelsOnDisk, ...options },
    );
    onTestFinished(() => {
      session.dispose();
    });
    return session;
  };

  test("streams batches of many sizes, given as bare arrays too", async () => {
    const session = await create();
    const batches = [1, 3, 2, 5, 1].map((images, seed) => batchOf(images, seed));
    const results = await collect(session.stream(batches.map(({ data }) => ({ data }))));
    expect(results).toHaveLength(batches.length);
    for (const [index, { prob }] of results.entries()) {
      expect(prob).toBeAllclose(await referenceProb(weights, batches[index]), { absolute: 1e-6 });
    }
  });

  test("gives a call up where its signal comes, and goes on with others", async () => {
    const session = await create();
    const abort = new AbortController();
    const given = session.run({ data: batchOf(2, 1) }, { signal: abort.signal });
    const kept = session.run({ data: batchOf(2, 1) });
    abort.abort(new Error("enough"));
    await expect(given).rejects.toThrow("enough");
    expect((await kept).prob).toBeAllclose(await referenceProb(weights, batchOf(2, 1)), { absolute: 1e-6 });
  });

  test("opens another device after it lost the one that it opened", async () => {
    const opened: GPUDevice[] = [];
    const open = async () => {
      const { device } = await openGpu();
      opened.push(device);
      return device;
    };
    const session = await create({ device: open });
    opened[0].destroy();
    await opened[0].lost;
    const { prob } = await session.run({ data: batchOf(3, 2) });
    expect(prob).toBeAllclose(await referenceProb(weights, batchOf(3, 2)), { absolute: 1e-6 });
    expect(opened).toHaveLength(2);
    expect(session.device).toBe(opened[1]);
    session.dispose();
    opened[1].destroy();
  });

  test.each([
    [{ batch: 0 }, /^option batch: it is 0; give a whole number from 1$/],
    [{ device: 7 as unknown as GPUDevice }, /^option device: it is a number; give a GPUDevice/],
    [{ kernels: "kernels" as unknown as SessionOptions["kernels"] }, /^option kernels: it is a string; give/],
  ])("refuses wrong options: %j", async (options, message) => {
    await expect(create(options)).rejects.toThrow(message);
  });
});
