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

  test.each([
    ["x.test.ts > parity (needs GOOGLENET_WEIGHTS)", /no trained weights/],
    ["x.test.ts > labels (needs trained weights)", /no trained weights/],
    ["x.test.ts > shuttle (needs GOOGLENET_PHOTOS)", /no photographs/],
    ["webgpu/x.test.ts > runs", /GOOGLENET_SKIP_GPU_TESTS/],
    ["x.test.ts > on Windows", /by the test itself/],
  ])("%s", (name, reason) => {
    expect(reasonForSkipping(name)).toMatch(reason);
  });
});
