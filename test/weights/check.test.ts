import { describe, expect, it } from "vitest";
import { EngineError } from "../../src/errors.ts";
import type { Parameter } from "../../src/graph/graph.ts";
import type { Tensor } from "../../src/graph/tensor.ts";
import { checkWeights, isAuxiliary } from "../../src/weights/check.ts";
import { seededWeights } from "../../src/weights/seed.ts";

const main: Parameter[] = [
  { name: "conv.weight", shape: [2, 1, 1, 1] },
  { name: "conv.bias", shape: [2] },
];
const auxiliary: Parameter[] = [{ name: "loss1/fc.weight", shape: [2, 2] }];

/** Sound weights for all parameters, with some replaced (or, by null, taken away). */
function weights(changes: Record<string, Tensor | null> = {}): Map<string, Tensor> {
  const all = new Map(seededWeights([...main, ...auxiliary], 1));
  for (const [name, tensor] of Object.entries(changes)) {
    if (tensor) all.set(name, tensor);
    else all.delete(name);
  }
  return all;
}

describe("checkWeights", () => {
  it("accepts what fits, whether auxiliary heads are there unasked or not", () => {
    checkWeights(weights(), main, "file");
    checkWeights(weights({ "loss1/fc.weight": null }), main, "file");
    checkWeights(weights(), [...main, ...auxiliary], "file");
  });

  const tensor = (shape: number[], ...values: number[]) => ({ shape, data: Float32Array.from(values) });
  it.each<[string, Map<string, Tensor>, Parameter[], string]>([
    ["a missing tensor", weights({ "conv.bias": null }), main, "file: lacks conv.bias; use weights of this very"],
    ["missing heads", weights({ "loss1/fc.weight": null }), [...main, ...auxiliary], "or the main head alone"],
    ["a tensor too many", weights({ "fc.weight": tensor([1], 1) }), main, "file: has fc.weight, which the network"],
    [
      "a transposed tensor",
      weights({ "conv.weight": tensor([1, 2, 1, 1], 1, 2) }),
      main,
      "conv.weight (1×2×1×1, not 2×1×1×1)",
    ],
    ["a flat tensor", weights({ "conv.weight": tensor([2], 1, 2) }), main, "conv.weight (2, not 2×1×1×1)"],
    ["a NaN", weights({ "conv.bias": tensor([2], 1, NaN) }), main, "not finite in conv.bias"],
    ["an infinity", weights({ "conv.bias": tensor([2], -Infinity, 1) }), main, "not finite in conv.bias"],
    [
      "no tensor at all",
      new Map(),
      [...main, ...auxiliary, { name: "d", shape: [] }],
      "lacks conv.weight, conv.bias, loss1/fc.weight and 1 more",
    ],
  ])("refuses %s", (_, found, parameters, message) => {
    expect(() => checkWeights(found, parameters, "file")).toThrow(message);
    expect(() => checkWeights(found, parameters, "file")).toThrow(EngineError);
  });
});

describe("isAuxiliary", () => {
  it.each([
    ["loss1/conv.weight", true],
    ["loss2/classifier.bias", true],
    ["loss3/classifier.weight", false],
    ["inception_3a/loss1/x", false],
  ])("of %s is %s", (name, expected) => expect(isAuxiliary(name)).toBe(expected));
});
