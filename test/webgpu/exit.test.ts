/** Programs end because everything was let go. */

import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { describeGpu } from "../support/gpu.ts";

const run = promisify(execFile);

describeGpu("a process that used the GPU ends by itself", () => {
  test.each([
    ["right", /^sum 1\.000\n$/],
    ["wrong", /^input "data": it has 384 elements for shape 1×3×8×8; give 192\n$/],
    ["lost", /^GPU device: it was lost.*\n$/],
  ])("after what went %s", async (how, printed) => {
    const child = fileURLToPath(new URL("child.ts", import.meta.url));
    // Rejects where it is killed or ends with another status than 0.
    const { stdout } = await run(process.execPath, ["--import", "tsx", child, how], { timeout: 60_000 });
    expect(stdout.replace(/^Warning: .*\n/gm, "")).toMatch(printed);
  });
});
