/**
 * The reference against ONNX Runtime's CPU provider, an engine of other people's making, on every case of the table.
 * Max pooling, ReLU, dropout and concat must agree to the bit.
 */

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { runReference } from "../../src/cpu/reference.ts";
import { cases, drawCase, type OpCase } from "../support/cases.ts";
import { randomCase } from "../support/cases/random.ts";
import "../support/close.ts";
import { runOnnxRuntime } from "../support/onnx_runtime.ts";
import { freshSeed } from "../support/random.ts";

/** ONNX Runtime sums in float32, the reference in float64: the difference is ONNX Runtime's rounding. */
const relative = 2e-6;

/** ONNX Runtime refuses pads from the kernel's extent up, which a dilated pool may have: these rest on hand values. */
const padsBeyondKernel = cases.filter(({ op }) => {
  if (op.type !== "pool_max" && op.type !== "pool_avg") return false;
  const { top, left, bottom, right } = op.pad;
  return Math.max(top, bottom) >= op.kernel[0] || Math.max(left, right) >= op.kernel[1];
});

describe("the reference agrees with ONNX Runtime", () => {
  for (const opCase of cases) {
    if (padsBeyondKernel.includes(opCase)) continue;
    test(opCase.name, async () => {
      const seed = freshSeed();
      const { actual, expected } = await both(opCase, seed);
      expect(actual, `seed ${seed}`).toBeAllclose(expected, { relative: Math.min(opCase.tolerance, relative) });
    });
  }
});

test("the reference agrees with ONNX Runtime on random arrays", async () => {
  await fc.assert(
    fc.asyncProperty(randomCase, fc.nat(), async (opCase, seed) => {
      const { actual, expected } = await both(opCase, seed);
      // Sums of few values of up to 1 may cancel.
      const largest = expected.data.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
      expect(actual, opCase.name).toBeAllclose(expected, {
        absolute: Math.min(opCase.tolerance, relative) * largest,
      });
    }),
    { numRuns: 400 },
  );
});

describe("ONNX Runtime still refuses", () => {
  for (const opCase of padsBeyondKernel) {
    test(opCase.name, async () => {
      await expect(both(opCase, 1)).rejects.toThrow(/pool_attributes/);
    });
  }
});

test("every case has a name of its own", () => {
  expect(new Set(cases.map(({ name }) => name)).size).toBe(cases.length);
});

async function both(opCase: OpCase, seed: number) {
  const { shaped } = opCase;
  const { inputs, weights } = drawCase(opCase, seed);
  const reference = await runReference(shaped, weights, inputs);
  const onnxRuntime = await runOnnxRuntime(shaped, weights, inputs);
  return { actual: reference.get("output")!, expected: onnxRuntime.get("output")! };
}
