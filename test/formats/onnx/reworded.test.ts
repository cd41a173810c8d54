/**
 * Files whose words were changed at random, op, operator set, attributes and operands: whatever is read means what ONNX
 * Runtime takes it for, where that runs it, too.
 */

import fc from "fast-check";
import { InferenceSession, Tensor as OnnxTensor } from "onnxruntime-node";
import { expect, test } from "vitest";
import { runReference } from "../../../src/cpu/reference.ts";
import { EngineError } from "../../../src/errors.ts";
import { OnnxFile } from "../../../src/formats/onnx/read.ts";
import { bindInputs, inferShapes } from "../../../src/graph/graph.ts";
import { elementCount, type Tensor } from "../../../src/graph/tensor.ts";
import "../../support/close.ts";
import { randomTensor, uniform } from "../../support/random.ts";
import { reworded } from "../fuzz.ts";

test("what is read is what ONNX Runtime reads", async () => {
  let compared = 0;
  await fc.assert(
    fc.asyncProperty(reworded, fc.nat(), async (bytes, seed) => {
      const ours = await run(bytes, seed);
      if (!ours) return;
      const theirs = await runOnnxRuntime(bytes, ours.inputs);
      if (!theirs) return;
      compared++;
      for (const [id, expected] of theirs) {
        const largest = expected.data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
        if (!Number.isFinite(largest)) continue;
        expect(ours.results.get(id)!, id).toBeAllclose(expected, { absolute: 1e-6 + 1e-5 * largest });
      }
    }),
    { numRuns: 600 },
  );
  expect(compared).toBeGreaterThan(10);
});

/** By the reference on random inputs; null where the file is refused. */
async function run(bytes: Uint8Array, seed: number) {
  try {
    const file = new OnnxFile(bytes, "mutant.onnx");
    const open = file.inputs.flatMap(({ shape }) => shape.filter((extent) => typeof extent === "string"));
    const { graph, weights } = await file.model({
      freeDimensionOverrides: Object.fromEntries(open.filter((name) => name !== file.batch).map((name) => [name, 4])),
    });
    const shapes = bindInputs(graph, { N: 2 });
    const shaped = inferShapes(graph, shapes);
    if ([...shaped.shapes.values()].some((shape) => elementCount(shape) > 1e5)) return null;
    const next = uniform(seed);
    const inputs = new Map([...shapes].map(([id, shape]) => [id, randomTensor(shape, next)]));
    return { inputs, results: await runReference(shaped, weights, inputs) };
  } catch (error) {
    if (error instanceof EngineError) return null;
    throw error;
  }
}

/** Null where ONNX Runtime refuses the file, or has no implementation for it. */
async function runOnnxRuntime(bytes: Uint8Array, inputs: ReadonlyMap<string, Tensor>) {
  let session: InferenceSession;
  try {
    session = await InferenceSession.create(bytes, { executionProviders: ["cpu"], logSeverityLevel: 4 });
  } catch {
    return null;
  }
  try {
    const feeds = [...inputs].map(([id, { shape, data }]) => [id, new OnnxTensor("float32", data, shape)] as const);
    const results = await session.run(Object.fromEntries(feeds));
    return Object.entries(results).map(
      ([id, { dims, data }]) => [id, { shape: dims, data: data as Float32Array }] as const,
    );
  } catch {
    return null;
  } finally {
    await session.release();
  }
}
