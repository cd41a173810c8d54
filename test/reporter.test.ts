import { describe, expect, test } from "vitest";
import { reasonForSkipping, summaryLines } from "./reporter.ts";

describe("the end of a test run", () => {
  test("is the counts, alone on a line", () => {
    expect(summaryLines({ passed: 3, failed: 0, skipped: 0, leftOut: new Map() })).toEqual(["3 passed, 0 failed"]);
  });

  test("names what was left out, by reason", () => {
    const leftOut = new Map([
      ["no trained weights: set GOOGLENET_WEIGHTS", ["a.test.ts > labels", "b.test.ts > parity"]],
    ]);
    expect(summaryLines({ passed: 3, failed: 1, skipped: 2, leftOut })).toEqual([
      "left out (no trained weights: set GOOGLENET_WEIGHTS): 2 tests:",
      "  a.test.ts > labels",
      "  b.test.ts > parity",
      "3 passed, 1 failed, 2 skipped",
    ]);
  });

  const withoutGpu = true;
  test.each([
    ["x.test.ts > parity (needs GOOGLENET_WEIGHTS)", /no trained weights/],
    ["x.test.ts > labels (needs trained weights)", /no trained weights/],
    ["x.test.ts > shuttle (needs GOOGLENET_PHOTOS)", /no photographs/],
    ["webgpu/x.test.ts > a page (left out: no Chromium on the PATH)", /no Chromium/],
    ["webgpu/x.test.ts > runs", /GOOGLENET_SKIP_GPU_TESTS/],
    ["x.test.ts > on Windows", /by the test itself/],
  ])("%s", (name, reason) => {
    expect(reasonForSkipping(name, undefined, withoutGpu)).toMatch(reason);
  });

  test("a test's own reason goes before what its name tells", () => {
    const name = "x.test.ts > the core on the GPU > runs in Deno";
    expect(reasonForSkipping(name, "npm has no Deno here", !withoutGpu)).toBe("npm has no Deno here");
    // Where GPU tests are run, none is left out for want of a GPU.
    expect(reasonForSkipping(name, undefined, !withoutGpu)).toMatch(/by the test itself/);
    expect(reasonForSkipping(name, undefined, withoutGpu)).toMatch(/GOOGLENET_SKIP_GPU_TESTS/);
  });
});
