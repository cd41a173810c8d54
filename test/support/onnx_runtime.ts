/** ONNX Runtime's CPU provider: the independent engine that the reference is held against. */

import { InferenceSession, Tensor as OnnxTensor } from "onnxruntime-node";
import { type OnnxOptions, toOnnx } from "../../src/formats/onnx-write.ts";
import type { ShapedGraph, ValueId } from "../../src/graph/graph.ts";
import type { Tensor } from "../../src/graph/tensor.ts";
import type { Weights } from "../../src/graph/weights.ts";

/** Every value that the graph's nodes make, as ONNX Runtime computes it. */
export async function runOnnxRuntime(
  shaped: ShapedGraph,
  weights: Weights,
  inputs: ReadonlyMap<ValueId, Tensor>,
  options: OnnxOptions = {},
): Promise<Map<ValueId, Tensor>> {
  const session = await InferenceSession.create(toOnnx(shaped, weights, options), {
    executionProviders: ["cpu"],
    logSeverityLevel: 4, // what fails is thrown, too
  });
  try {
    const feeds = [...inputs].map(([name, { shape, data }]) => [name, new OnnxTensor("float32", data, shape)] as const);
    const results = await session.run(Object.fromEntries(feeds));
    return new Map(
      Object.entries(results).map(([name, { dims, data }]) => [name, { shape: dims, data: data as Float32Array }]),
    );
  } finally {
    await session.release();
  }
}
