/** What the engine writes as ONNX it reads back as the same function: every case of the table, by the reference. */

import { expect, test } from "vitest";
import { runReference } from "../../../src/cpu/reference.ts";
import { toOnnx } from "../../../src/formats/onnx-write.ts";
import { readOnnx } from "../../../src/formats/onnx/read.ts";
import { inferShapesForBatch } from "../../../src/graph/graph.ts";
import { elementCount } from "../../../src/graph/tensor.ts";
import { cases, drawCase } from "../../support/cases.ts";
import "../../support/close.ts";
import { freshSeed } from "../../support/random.ts";

/** Whose arrays are no work: the shapes of huge ones are the same as others'. */
const light = cases.filter(
  ({ shaped }) => shaped.macs < 2e7 && [...shaped.shapes.values()].every((shape) => elementCount(shape) < 3e5),
);

test("most cases are light enough", () => {
  expect(light.length).toBeGreaterThan(150);
});

test.each(light.map((each) => [each.name, each] as const))("%s", async (_, opCase) => {
  const seed = freshSeed();
  const { inputs, weights } = drawCase(opCase, seed);
  const bytes = toOnnx(opCase.shaped, weights, { outputs: "graph" });
  const model = await readOnnx(bytes, "case.onnx");
  const expected = await runReference(opCase.shaped, weights, inputs);
  const actual = await runReference(inferShapesForBatch(model.graph, 1), model.weights, inputs);
  expect(actual.get("output")!, `seed ${seed}`).toBeAllclose(expected.get("output")!, { relative: 2e-6 });
});
