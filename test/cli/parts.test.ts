/** The command line's own small parts. */
import { setTimeout as sleep } from "node:timers/promises";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ahead } from "../../src/cli/ahead.ts";
import { formatBytes, formatTable, formatTime, plural, significant } from "../../src/cli/format.ts";
import { nearNames } from "../../src/labels/near-names.ts";
import { googLeNet } from "../../src/graph/googlenet.ts";

async function* count(to: number): AsyncGenerator<number> {
  for (let i = 0; i < to; i++) {
    await Promise.resolve();
    yield i;
  }
}

describe("working ahead", () => {
  test("keeps the order, and no more under way or taken than it may", async () => {
    const bounds = fc.record({ workers: fc.integer({ min: 1, max: 5 }), window: fc.integer({ min: 1, max: 9 }) });
    await fc.assert(
      fc.asyncProperty(bounds, fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 30 }), async (limits, delays) => {
        let working = 0;
        let mostWorking = 0;
        let started = 0;
        let taken = 0;
        let mostAhead = 0;
        const results = ahead(
          count(delays.length),
          async (item) => {
            mostWorking = Math.max(mostWorking, ++working);
            mostAhead = Math.max(mostAhead, ++started - taken);
            await sleep(delays[item]);
            working--;
            return item;
          },
          limits,
        );
        const order: number[] = [];
        for await (const item of results) {
          order.push(item);
          taken++;
        }
        expect(order).toEqual(delays.map((_, index) => index));
        expect(mostWorking).toBeLessThanOrEqual(limits.workers);
        expect(mostAhead).toBeLessThanOrEqual(limits.window);
      }),
      { numRuns: 40 },
    );
  });

  test("works while nobody takes anything, up to the window", async () => {
    let started = 0;
    const results = ahead(count(100), (item) => Promise.resolve((started++, item)), { workers: 2, window: 5 });
    await results.next();
    await sleep(5);
    expect(started).toBe(5);
    await results.return();
  });

  test("hands a failure on in its turn, and lets go of its source", async () => {
    let released = false;
    async function* source(): AsyncGenerator<number> {
      try {
        yield* count(10);
      } finally {
        released = true;
      }
    }
    const fail = (item: number) => (item === 2 ? Promise.reject(new Error("two")) : Promise.resolve(item));
    const results = ahead(source(), fail, { workers: 3, window: 4 });
    const seen: number[] = [];
    await expect(
      (async () => {
        for await (const item of results) seen.push(item);
      })(),
    ).rejects.toThrow("two");
    expect(seen).toEqual([0, 1]);
    expect(released).toBe(true);
  });
});

test("near names are those that somebody may have meant", () => {
  const blobs = googLeNet().nodes.map(({ output }) => output);
  expect(nearNames("inception_4c/3x3_reduc", blobs)[0]).toBe("inception_4c/3x3_reduce");
  expect(nearNames("CONV1/7x7", blobs)[0]).toBe("conv1/7x7_s2");
  expect(nearNames("probs", blobs)[0]).toBe("prob");
  expect(nearNames("", blobs)).toHaveLength(3);
});

test("numbers as people read them", () => {
  expect([0, 999, 1000, 6_422_528, 26_744_320, 999_999].map(formatBytes)).toEqual([
    "0 B",
    "999 B",
    "1.00 kB",
    "6.42 MB",
    "26.7 MB",
    "1.00 MB",
  ]);
  expect([0, 0.0421, 0.9999, 8.126, 999.9, 61_234].map(formatTime)).toEqual([
    "0 ms",
    "42.1 µs",
    "1.00 ms",
    "8.13 ms",
    "1.00 s",
    "61.2 s",
  ]);
  expect([1234, 12.34, 0.01234, 0, -0.5, NaN].map((value) => significant(value, 3))).toEqual([
    "1230",
    "12.3",
    "0.0123",
    "0",
    "-0.500",
    "NaN",
  ]);
  expect([plural(1, "blob"), plural(1500, "blob")]).toEqual(["1 blob", "1,500 blobs"]);
});

test("tables are aligned by spaces, with none at the ends of lines", () => {
  const table = formatTable(
    [
      ["conv1", 7, ""],
      ["x", 1234, "µ"],
    ],
    { head: ["step", "n", "note"], align: ["left", "right"] },
  );
  expect(table).toBe("step      n  note\nconv1     7\nx      1234  µ");
});
