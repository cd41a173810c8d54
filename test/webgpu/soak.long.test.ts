/** The soak on the whole network: some hours on a software GPU. GOOGLENET_SOAK_COUNT asks for another number than 10,000. */

import { expect, test } from "vitest";
import { describeGpu } from "../support/gpu.ts";
import { growth, runProgram } from "./run_program.ts";
import type { SoakResult } from "./soak.ts";

const count = Number(process.env["GOOGLENET_SOAK_COUNT"] ?? 10_000);
const hours = 3_600_000;

describeGpu("on the GPU", () => {
  test(
    `${count} inferences of the whole network by 16 callers: right answers, and no more memory than at a tenth`,
    async () => {
      const result = await runProgram<SoakResult>("soak.ts", ["googlenet", String(count)], 8 * hours);
      // The figures are worth keeping: bench/soak/.
      console.log(JSON.stringify(result));
      expect(result).toMatchObject({ inferences: count, leftOnGpu: 0, handlesLeft: [] });
      expect(result.maxAbs).toBeLessThan(5e-6);
      const [early, late] = result.memory;
      expect(Math.abs(growth(early.residentBytes, late.residentBytes))).toBeLessThan(0.05);
      expect(Math.abs(growth(early.liveGpuBytes, late.liveGpuBytes))).toBeLessThan(0.05);
    },
    8 * hours,
  );
});
