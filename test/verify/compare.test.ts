import { describe, expect, test } from "vitest";
import { EngineError } from "../../src/errors.ts";
import { googLeNet } from "../../src/graph/googlenet.ts";
import { inferShapesForBatch } from "../../src/graph/graph.ts";
import type { Tensor } from "../../src/graph/tensor.ts";
import { compareBlob } from "../../src/verify/compare.ts";
import { fillWithNoise } from "../../src/verify/noise.ts";
import { verifyBlobs } from "../../src/verify/verify.ts";

const tensor = (...values: number[]): Tensor => ({ shape: [values.length], data: Float32Array.from(values) });

describe("comparing a blob", () => {
  test("measures the largest difference, plain and over the largest magnitude, and the squared error", () => {
    const verdict = compareBlob("x", tensor(1, 2.5, -4), tensor(1, 2, -5), "activation");
    expect(verdict).toEqual({ blob: "x", shape: [3], maxAbs: 1, maxRel: 0.2, nmse: 1.25 / 30, pass: false });
  });

  test.each([
    ["activation", 100, 9e-6, true],
    ["activation", 100, 11e-6, false],
    ["activation", 1e-3, 9e-6, true],
    ["probability", 1, 9e-7, true],
    ["probability", 1, 11e-7, false],
    // A probability's tolerance is absolute, however small the largest one is.
    ["probability", 0.01, 9e-5, true],
  ] as const)("%s of magnitude %f, off by %f of it: passes %s", (kind, magnitude, relative, pass) => {
    // Differences are exact in float64; float32 would round them.
    const exact = (...values: number[]) => ({ shape: [2], data: Float64Array.from(values) }) as unknown as Tensor;
    expect(compareBlob("x", exact(magnitude * (1 + relative), 0), exact(magnitude, 0), kind).pass).toBe(pass);
  });

  test.each([
    [NaN, 1],
    [1, NaN],
    [NaN, NaN],
    [Infinity, 1],
    [1, -Infinity],
    [Infinity, Infinity],
  ])("fails for %f against %f, wherever it is", (actual, expected) => {
    for (const kind of ["activation", "probability"] as const) {
      for (const [a, b] of [
        [tensor(actual, 1, 1), tensor(expected, 1, 1)],
        [tensor(1, 1, actual), tensor(1, 1, expected)],
      ]) {
        const verdict = compareBlob("x", a, b, kind);
        expect(verdict.pass).toBe(false);
        expect(Number.isFinite(verdict.maxAbs)).toBe(false);
      }
    }
  });

  test("of zeros alone passes, and fails where they should be", () => {
    expect(compareBlob("x", tensor(0, 0), tensor(0, 0), "activation")).toMatchObject({
      maxRel: 0,
      nmse: 0,
      pass: true,
    });
    expect(compareBlob("x", tensor(0, 1e-30), tensor(0, 0), "activation")).toMatchObject({
      maxRel: Infinity,
      pass: false,
    });
  });

  test("fails for another shape, whatever the values", () => {
    const other = { shape: [1, 2], data: new Float32Array(2) };
    expect(compareBlob("x", other, tensor(0, 0), "activation")).toMatchObject({
      pass: false,
      problem: "2 was expected",
    });
  });
});

describe("verifying blobs", () => {
  const shaped = inferShapesForBatch(googLeNet(), 1);

  test("goes by the graph's order, and takes softmax's output for probabilities", () => {
    const expected = new Map([
      ["prob", tensor(0.5, 0.5)],
      ["pool1/norm1", tensor(1, 2)],
      ["conv1/7x7_s2", tensor(1, 2)],
    ]);
    const actual = new Map([
      ["prob", tensor(0.5, 0.500002)],
      ["pool1/norm1", tensor(1, 2.2)],
      ["conv1/7x7_s2", tensor(1, 2)],
    ]);
    const verification = verifyBlobs(shaped, actual, expected);
    expect(verification.verdicts.map(({ blob, pass }) => [blob, pass])).toEqual([
      ["conv1/7x7_s2", true],
      ["pool1/norm1", false],
      ["prob", false],
    ]);
    expect(verification).toMatchObject({ pass: false, firstFailure: "pool1/norm1", worst: "pool1/norm1" });
  });

  test("fails for a blob that was not computed, and takes what is not a number for the worst", () => {
    const expected = new Map([
      ["prob", tensor(0.5)],
      ["conv1/7x7_s2", tensor(1)],
    ]);
    const verification = verifyBlobs(shaped, new Map([["prob", tensor(0.1)]]), expected);
    expect(verification).toMatchObject({ pass: false, firstFailure: "conv1/7x7_s2", worst: "conv1/7x7_s2" });
    expect(verification.verdicts[0].problem).toBe("it was not computed");
  });

  test("fails a blob whose expected array is an error, which is then the worst", () => {
    const error = new EngineError("array", "x.npy", "is not an .npy file", "write it anew");
    const expected = new Map<string, Tensor | EngineError>([
      ["conv1/7x7_s2", tensor(1)],
      ["pool1/norm1", error],
      ["prob", tensor(0.5)],
    ]);
    const verification = verifyBlobs(
      shaped,
      new Map([
        ["conv1/7x7_s2", tensor(1)],
        ["prob", tensor(0.1)],
      ]),
      expected,
    );
    expect(verification).toMatchObject({ pass: false, firstFailure: "pool1/norm1", worst: "pool1/norm1" });
    expect(verification.verdicts[1]).toMatchObject({ shape: [1, 64, 56, 56], problem: error.message });
    const alone = verifyBlobs(shaped, new Map(), new Map([["pool1/norm1", error]]));
    expect(alone).toMatchObject({ pass: false, firstFailure: "pool1/norm1", worst: "pool1/norm1" });
  });

  test("does not pass where there is nothing to compare", () => {
    expect(verifyBlobs(shaped, new Map(), new Map())).toMatchObject({ pass: false, firstFailure: null, worst: null });
  });
});

test("noise spreads over the range of pictures, the same for the same seed and another for another", () => {
  const [a, again, b] = [1, 1, 2].map((seed) => {
    const noise = new Float32Array(10_000);
    fillWithNoise(noise, seed);
    return noise;
  });
  expect(a).toEqual(again);
  expect(a).not.toEqual(b);
  const mean = a.reduce((sum, value) => sum + value, 0) / a.length;
  expect(mean).toBeGreaterThan(8);
  expect(mean).toBeLessThan(17);
  expect(Math.min(...a)).toBeGreaterThanOrEqual(-115);
  expect(Math.max(...a)).toBeLessThan(140);
});
