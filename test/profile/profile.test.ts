/** What a profile makes of steps that were faster than what was measured, and what steps are called in tables. */
import { describe, expect, test } from "vitest";
import { shortName } from "../../src/profile/names.ts";
import { describeRaised, makeProfile } from "../../src/profile/profile.ts";
import { highest } from "../../src/profile/roofline.ts";

const measured = { gflops: 100, gbps: 20, copiedBytes: 1e8 };

function step(name: string, kernel: string, macs: number, bytes: number, gpuMs: number) {
  return { step: { name, kernel, macs, bytes }, gpuMs };
}

describe("steps beyond the roofline", () => {
  test("raise the arithmetic ceiling, unless they are Winograd's", () => {
    const { ceilings, raised, steps, totals } = makeProfile(
      [
        step("a", "conv", 2e6, 1e3, 0.02),
        step("b", "conv", 1e6, 1e3, 0.02),
        step("c (1 of 3)", "winograd4_input", 0, 1e3, 0.02),
        step("c (2 of 3)", "conv", 8e6, 1e3, 0.02),
        step("c (3 of 3)", "winograd4_output", 0, 1e3, 0.02),
      ],
      measured,
    );
    expect(ceilings).toEqual({ gflops: 200, gbps: 20 });
    expect(raised).toEqual({ gflops: "a" });
    expect(steps.map(({ beyond }) => beyond)).toEqual([null, null, null, "Winograd", null]);
    expect(steps[0].roofline).toBeCloseTo(1, 9);
    expect(steps[3].roofline).toBeCloseTo(4, 9);
    // 0.02 + 0.01 + 0.02 of 0.1 ms, and next to nothing for both transforms.
    expect(totals.roofline).toBeCloseTo(0.501, 3);
  });

  test("raise the memory ceiling only where they move as much as the copy did; else it was a cache", () => {
    const cached = makeProfile([step("a", "pool", 0, 1e6, 0.01)], measured);
    expect(cached.ceilings.gbps).toBe(20);
    expect(cached.raised).toEqual({});
    expect(cached.steps[0]).toMatchObject({ beyond: "cache", roofline: expect.closeTo(5, 9) as number });
    expect(cached.totals.roofline).toBe(1);
    const streamed = makeProfile([step("a", "pool", 0, 1e8, 1)], measured);
    expect(streamed.ceilings.gbps).toBeCloseTo(100, 9);
    expect(streamed.steps[0].beyond).toBeNull();
    expect(describeRaised(streamed, shortName)).toEqual([
      "the memory ceiling is what a reached, more than was measured",
    ]);
  });

  test("are none where nothing is faster", () => {
    const { ceilings, raised, steps } = makeProfile([step("a", "conv", 1e6, 1e3, 1)], measured);
    expect([ceilings, raised, steps[0].beyond]).toEqual([{ gflops: 100, gbps: 20 }, {}, null]);
  });
});

test("of several measurements each ceiling's best counts", () => {
  const other = { gflops: 50, gbps: 30, copiedBytes: 1e7 };
  expect(highest([measured, other])).toEqual({ gflops: 100, gbps: 30, copiedBytes: 1e8 });
});

test.each([
  ["conv1/7x7_s2 + conv1/relu_7x7", "conv1/7x7_s2"],
  ["conv2/3x3 + conv2/relu_3x3 (2 of 20)", "conv2/3x3 (2 of 20)"],
  [
    "inception_3a/1x1 + inception_3a/relu_1x1 + inception_3a/3x3_reduce + inception_3a/relu_3x3_reduce",
    "inception_3a/1x1 + 3x3_reduce",
  ],
  ["loss1/conv + loss2/conv", "loss1/conv + loss2/conv"],
  ["relu1 + a", "relu1 + a"],
  ["a + b", "a + b"],
])("the step %s is called %s", (name, short) => {
  expect(shortName(name)).toBe(short);
});
