/** Threads that die under the pool, by stand-ins that die when a picture's name says so. */

import { EventEmitter } from "node:events";
import { beforeEach, expect, test, vi } from "vitest";
import { DecodePool } from "../../src/node/decode-pool.ts";
import type { DecodeJob, DecodeResult } from "../../src/node/decode-worker.ts";

/** What the stand-ins do, and did. */
const world = vi.hoisted(() => ({ started: 0, stillborn: false, slow: 0, given: [] as string[] }));

vi.mock("node:worker_threads", () => ({
  Worker: class extends EventEmitter {
    constructor() {
      super();
      world.started++;
      setTimeout(() => (world.stillborn ? this.die("no memory left") : this.emit("message", "ready")));
    }
    ref(): void {
      return;
    }
    unref(): void {
      return;
    }
    terminate(): Promise<number> {
      return Promise.resolve(0);
    }
    postMessage({ id, name }: DecodeJob): void {
      world.given.push(name);
      if (world.stillborn) return;
      setTimeout(
        () => {
          if (name.includes("killer")) this.die("heap limit");
          else this.emit("message", this.answer(id, name));
        },
        name.includes("killer") ? 5 : 10,
      );
    }
    private answer(id: number, name: string): DecodeResult {
      const parts = { code: "picture", subject: name, remedy: "r" } as const;
      if (name.includes("busy") && world.slow-- > 0) {
        return { id, error: { ...parts, problem: "it is not decoded after 60 seconds" }, failure: "time" };
      }
      if (name.includes("disk")) return { id, error: { ...parts, problem: "EIO" }, failure: "machine" };
      return { id, prepared: { width: 1, height: 1, data: new Uint8Array(3) } };
    }
    private die(why: string): void {
      this.emit("error", new Error(why));
      this.emit("exit", 1);
    }
  },
}));

beforeEach(() => Object.assign(world, { started: 0, stillborn: false, slow: 0, given: [] }));

async function outcomes(names: readonly string[], threads: number): Promise<string[]> {
  await using pool = new DecodePool({ kind: "picture" }, threads);
  const settled = await Promise.allSettled(names.map((name) => pool.decode(name)));
  return settled.map((each) => (each.status === "fulfilled" ? "fine" : (each.reason as Error).message));
}

test.each([1, 2, 3])("the picture that kills threads is found among those beside it (%i threads)", async (threads) => {
  const names = ["0", "killer 1", "2", "3", "killer 4", "5", "6", "7"];
  const found = await outcomes(names, threads);
  for (const [index, name] of names.entries()) {
    if (!name.startsWith("killer")) expect(found[index], name).toBe("fine");
    else expect(found[index]).toBe(`${name}: the thread that decoded it died (heap limit); make the picture smaller`);
  }
});

test("threads that die before they are ready blame no picture, and end the work", async () => {
  world.stillborn = true;
  const found = await outcomes(["0", "1", "2"], 2);
  for (const each of found)
    expect(each).toMatch(/^decoding threads: they die as they start \(no memory left\); see that/);
  expect(world.started).toBeLessThan(12);
});

test("a picture that took too long is tried once more, by itself", async () => {
  world.slow = 1;
  expect(await outcomes(["0", "busy 1", "2"], 1)).toEqual(["fine", "fine", "fine"]);
  expect(world.given.filter((name) => name === "busy 1")).toHaveLength(2);
  world.slow = 2;
  expect(await outcomes(["0", "busy 1", "2"], 1)).toEqual([
    "fine",
    "busy 1: it is not decoded after 60 seconds; r",
    "fine",
  ]);
});

test("a failing disk is no picture's result", async () => {
  await using pool = new DecodePool({ kind: "picture" }, 1);
  const take = async () => {
    const pictures = ["0", "disk 1"].map((image, number) => ({ number, image, class: 1 }));
    for await (const picture of pool.decodeAhead(pictures, ({ image }) => image, 2)) expect(picture.number).toBe(0);
  };
  await expect(take()).rejects.toThrow("disk 1: EIO; r");
});
