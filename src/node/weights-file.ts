/** Weights files on disk: loading, describing and converting them. */

import { createHash } from "node:crypto";
import { realpath } from "node:fs/promises";
import { basename, extname } from "node:path";
import { EngineError } from "../errors.ts";
import { writeCaffemodel } from "../formats/caffemodel-write.ts";
import type { FloatType } from "../formats/floats.ts";
import { toOnnx } from "../formats/onnx-write.ts";
import { writeSafetensors } from "../formats/safetensors.ts";
import { googLeNet } from "../graph/googlenet.ts";
import { inferShapesForBatch, type Parameter } from "../graph/graph.ts";
import type { Weights } from "../graph/weights.ts";
import { checkWeights, isAuxiliary } from "../weights/check.ts";
import { readAnyWeights } from "../weights/read-any.ts";
import { formatOfName, MODEL_KEY, type WeightsContents, type WeightsFormat } from "../weights/read.ts";
import { recogniseWeights } from "../weights/recognise.ts";
import { isSeedSource, parseSeed, seededWeights } from "../weights/seed.ts";
import { writeFileAtomically } from "./atomic-write.ts";
import { filesBeside } from "./external-files.ts";
import { readWholeFile } from "./whole-file.ts";

/** Where weights came from. */
export interface WeightsOrigin {
  /** As it was given: a path, or `seed:N`. */
  readonly source: string;
  readonly format: WeightsFormat | "seed";
  /** The trained network that these are, by their content: `bvlc_googlenet`, or null. */
  readonly recognised: string | null;
}

/** What a weights file is, for `weights info`. */
export interface WeightsDescription {
  readonly file: string;
  readonly format: WeightsFormat;
  /** The network's own name or the file's metadata entry `model`; null where there is none. */
  readonly network: string | null;
  readonly bytes: number;
  /** SHA-256 of the file, hexadecimal. */
  readonly sha256: string;
  readonly tensors: number;
  /** Numbers in all tensors together. */
  readonly parameters: number;
  /** Of these, those of the auxiliary heads. */
  readonly auxiliaryParameters: number;
  /** The types that the file's numbers have. */
  readonly types: readonly FloatType[];
  readonly heads: "main" | "all";
  readonly recognised: string | null;
}

interface WeightsFile extends WeightsContents {
  readonly bytes: Uint8Array;
}

/**
 * Loads the weights that a network needs and checks that they fit it.
 *
 * @param source the path of a .safetensors, .caffemodel or .onnx file (told apart by content), or `seed:N`
 * @param parameters what the whole network needs (not that of a part of it: unknown tensors are refused)
 * @throws EngineError "weights" for a file that is missing, damaged or of another network, "usage" for a bad seed
 */
export async function loadWeights(
  source: string,
  parameters: readonly Parameter[],
): Promise<{ readonly weights: Weights; readonly description: WeightsOrigin }> {
  if (isSeedSource(source)) {
    const weights = seededWeights(parameters, parseSeed(source));
    return { weights, description: { source, format: "seed", recognised: null } };
  }
  const { format, tensors } = await readWeightsFile(source);
  checkWeights(tensors, parameters, source);
  const weights = new Map(parameters.map(({ name }) => [name, tensors.get(name)!]));
  return { weights, description: { source, format, recognised: await recogniseWeights(tensors) } };
}

/**
 * Says what a weights file is, whatever network it is of.
 *
 * @throws EngineError "weights"
 */
export async function describeWeights(file: string): Promise<WeightsDescription> {
  const { bytes, format, network, tensors, types } = await readWeightsFile(file);
  const count = (names: readonly string[]) => names.reduce((sum, name) => sum + tensors.get(name)!.data.length, 0);
  const names = [...tensors.keys()];
  const auxiliary = names.filter(isAuxiliary);
  return {
    file,
    format,
    network,
    bytes: bytes.length,
    sha256: createHash("sha256").update(bytes).digest("hex"),
    tensors: tensors.size,
    parameters: count(names),
    auxiliaryParameters: count(auxiliary),
    types,
    heads: auxiliary.length > 0 ? "all" : "main",
    recognised: await recogniseWeights(tensors),
  };
}

/**
 * Writes the weights of one file into another, in the format that its extension names. Values keep their bits
 * (those that are not float32 in `input` become float32).
 *
 * @throws EngineError "weights", "usage" for another extension or the same file, "write"
 */
export async function convertWeights(input: string, output: string): Promise<{ readonly bytes: number }> {
  const format = formatOfName(output);
  if (format === null) {
    throw new EngineError(
      "usage",
      output,
      "its extension names no weights format",
      "end it in .safetensors, .caffemodel or .onnx",
    );
  }
  const [from, to] = await Promise.all([input, output].map((path) => realpath(path).catch(() => null)));
  if (from !== null && from === to) {
    throw new EngineError("usage", output, "it is the very file that is converted", "name another file");
  }
  const { tensors, network } = await readWeightsFile(input);
  const name = network ?? basename(input, extname(input));
  const bytes = write(tensors, name, format, input);
  await writeFileAtomically(output, bytes);
  return { bytes: bytes.length };
}

function write(tensors: Weights, name: string, format: WeightsFormat, source: string): Uint8Array {
  switch (format) {
    case "safetensors":
      return writeSafetensors(tensors, { format: "caffe", [MODEL_KEY]: name });
    case "caffemodel":
      return writeCaffemodel(name, tensors);
    case "onnx": {
      // The only one of these that holds the network, too.
      const graph = googLeNet({ heads: [...tensors.keys()].some(isAuxiliary) ? "all" : "main" });
      const shaped = inferShapesForBatch({ ...graph, name }, 1);
      checkWeights(tensors, shaped.parameters, source);
      return toOnnx(shaped, tensors, { outputs: "graph", openBatch: true });
    }
  }
}

/** Reads a file of weights, whatever network they are of. */
export async function readWeightsFile(path: string): Promise<WeightsFile> {
  const bytes = await readWholeFile(path, "weights");
  return { ...(await readAnyWeights(bytes, path, filesBeside(path))), bytes };
}
