/** Long life on a small network: a session under many callers, and sessions that come and go. */

import { expect, test } from "vitest";
import { describeGpu } from "../support/gpu.ts";
import { growth, runProgram } from "./run_program.ts";
import type { SoakResult } from "./soak.ts";
import type { TurnoverResult } from "./turnover.ts";

describeGpu("on the GPU", () => {
  test("10,000 inferences of 16 callers at once: each its own right answer, and no more memory than after 1,000", async () => {
    const result = await runProgram<SoakResult>("soak.ts", ["tiny", "10000"], 110_000);
    expect(result).toMatchObject({ inferences: 10_000, callers: 16, leftOnGpu: 0, handlesLeft: [] });
    expect(result.images).toBeGreaterThan(result.inferences);
    expect(result.maxAbs).toBeLessThan(1e-6);
    const [early, late] = result.memory;
    expect([early.inferences, late.inferences]).toEqual([1000, 10_000]);
    expect(Math.abs(growth(early.residentBytes, late.residentBytes))).toBeLessThan(0.05);
    expect(Math.abs(growth(early.liveGpuBytes, late.liveGpuBytes))).toBeLessThan(0.05);
  });

  // What an allocator keeps hangs on chance once in a while; a leak shows every time.
  test("200 sessions made, used and disposed of beside one that stays leave nothing behind", { retry: 2 }, async () => {
    const result = await runProgram<TurnoverResult>("turnover.ts", ["200"], 110_000);
    expect(result).toMatchObject({ sessions: 200, buffersLeft: 0, same: true });
    expect(result.buffersMade).toBeGreaterThan(200 * 4);
    const [early, late] = result.memory;
    // One program kept would be far more than all that V8 learns about the code meanwhile.
    expect(growth(early.heapBytes, late.heapBytes)).toBeLessThan(0.1);
    expect(growth(early.residentBytes, late.residentBytes)).toBeLessThan(0.15);
  });
});
