/** The files that workers read: the network in each engine's own format, inputs, and what should come out. */

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { bytesFromFloats } from "../formats/floats.ts";
import { toOnnx } from "../formats/onnx-write.ts";
import { writeSafetensors } from "../formats/safetensors.ts";
import { type Graph, inferShapesForBatch } from "../graph/graph.ts";
import type { Weights } from "../graph/weights.ts";
import type { JobFiles, Precision } from "./job.ts";

/** An image (3, 224, 224) and the probabilities that the reference gives it. */
export interface KnownImage {
  readonly data: Float32Array;
  readonly probabilities: Float32Array;
}

/** Writes them all into a folder. Every known image heads one input, followed by the others in turn. */
export async function writeJobFiles(
  folder: string,
  graph: Graph,
  weights: Weights,
  images: readonly KnownImage[],
  { batch, precision }: { readonly batch: number; readonly precision: Precision },
): Promise<JobFiles> {
  const write = async (name: string, bytes: Uint8Array) => {
    const path = join(folder, name);
    await writeFile(path, bytes);
    return path;
  };
  const shaped = inferShapesForBatch(graph, batch);
  const onnx = (spellLrn: boolean) => toOnnx(shaped, weights, { spellLrn, precision, outputs: "graph" });
  const batches = images.map((_, first) =>
    Array.from({ length: batch }, (_, place) => images[(first + place) % images.length]),
  );
  const name = `b${batch}-${precision}`;
  return {
    weights: await write("weights.safetensors", writeSafetensors(weights)),
    onnx: { node: await write(`${name}.onnx`, onnx(false)), spelled: await write(`${name}-spelled.onnx`, onnx(true)) },
    inputs: await Promise.all(
      batches.map((each, index) => write(`${name}-input${index}.f32`, joined(each.map(({ data }) => data)))),
    ),
    expected: await Promise.all(
      batches.map((each, index) =>
        write(`${name}-expected${index}.f32`, joined(each.map(({ probabilities }) => probabilities))),
      ),
    ),
  };
}

function joined(parts: readonly Float32Array[]): Uint8Array {
  return Buffer.concat(parts.map(bytesFromFloats));
}
