/** The roofline's arithmetic, by hand, and its measurement. */
import { describe, expect, test } from "vitest";
import { openGpu } from "../../src/node/dawn.ts";
import { measureRoofline } from "../../src/profile/measure-roofline.ts";
import { attainable, intensity, leastMs, rates, together } from "../../src/profile/roofline.ts";
import { describeGpu } from "../support/gpu.ts";

/** The ridge lies at 5 operations a byte. */
const ceilings = { gflops: 100, gbps: 20 };

describe("the roofline", () => {
  test.each([
    [1, 20],
    [5, 100],
    [50, 100],
    [0, 0],
  ])("at %s operations a byte a device of 100 GFLOP/s and 20 GB/s reaches %s GFLOP/s", (operations, reached) => {
    expect(attainable(operations, ceilings)).toBe(reached);
  });

  test("a step bound by arithmetic: 2 · 10⁶ multiply-adds in 0.08 ms are half of 100 GFLOP/s", () => {
    const work = { macs: 2e6, bytes: 1e5, gpuMs: 0.08 };
    expect(intensity(work)).toBe(40);
    expect(leastMs(work, ceilings)).toBeCloseTo(0.04, 12);
    expect(rates(work, ceilings)).toEqual({ gflops: 50, gbps: 1.25, roofline: 0.5 });
  });

  test("a step bound by memory: 10⁶ bytes in 0.2 ms are a quarter of 20 GB/s, whatever it adds meanwhile", () => {
    const { gflops, gbps, roofline } = rates({ macs: 1e6, bytes: 1e6, gpuMs: 0.2 }, ceilings);
    expect([gflops, gbps, roofline]).toEqual([10, 5, 0.25]);
    expect(rates({ macs: 0, bytes: 1e6, gpuMs: 0.2 }, ceilings)).toEqual({ gflops: 0, gbps: 5, roofline: 0.25 });
  });

  test("a step without multiply-adds or bytes, or shorter than a tick, gives no NaN", () => {
    expect(rates({ macs: 5, bytes: 5, gpuMs: 0 }, ceilings)).toEqual({ gflops: 0, gbps: 0, roofline: 0 });
    expect(together([], ceilings)).toEqual({ macs: 0, bytes: 0, gpuMs: 0, gflops: 0, gbps: 0, roofline: 0 });
  });

  test("steps together are bound one after another", () => {
    const arithmetic = { macs: 2e6, bytes: 0, gpuMs: 0.1 };
    const memory = { macs: 0, bytes: 1e6, gpuMs: 0.1 };
    // 0.04 ms and 0.05 ms at least, of 0.2; their sums at once would need but 0.05.
    expect(together([arithmetic, memory], ceilings)).toMatchObject({ macs: 2e6, bytes: 1e6, gpuMs: 0.2 });
    expect(together([arithmetic, memory], ceilings).roofline).toBeCloseTo(0.45, 12);
  });
});

describeGpu("measuring the roofline", () => {
  test("finds both ceilings, having checked what was computed", async () => {
    const { device } = await openGpu({ exactTimestamps: true });
    try {
      const seen: number[] = [];
      const { gflops, gbps } = await measureRoofline(device, (done, total) => seen.push(done, total));
      // A device below this would take minutes a picture, and none is beyond.
      expect(gflops).toBeGreaterThan(0.5);
      expect(gflops).toBeLessThan(1e6);
      expect(gbps).toBeGreaterThan(0.05);
      expect(gbps).toBeLessThan(1e5);
      expect(seen).toEqual([1, 4, 2, 4, 3, 4, 4, 4]);
    } finally {
      device.destroy();
    }
  });
});
