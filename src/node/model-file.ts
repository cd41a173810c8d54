/** Models in files: what they are is told by their content, and by their name where that doesn't tell. */

import { extname } from "node:path";
import { EngineError } from "../errors.ts";
import { CaffeNet, type LearnedBlobs } from "../formats/caffe/net.ts";
import type { ModelFile } from "../formats/model-file.ts";
import { OnnxFile } from "../formats/onnx/read.ts";
import { looksLikePrototxt, looksLikeText } from "../formats/prototxt.ts";
import { formatOf, formatOfName, readWeights } from "../weights/read.ts";
import { isSeedSource, parseSeed, seededWeights } from "../weights/seed.ts";
import { filesBeside } from "./external-files.ts";
import { readWeightsFile } from "./weights-file.ts";
import { readWholeFile } from "./whole-file.ts";

/** What a network's layers have learned, or a way to make it up. */
async function learnedBlobs(source: string): Promise<LearnedBlobs> {
  if (!isSeedSource(source)) return (await readWeightsFile(source)).tensors;
  const seed = parseSeed(source);
  return (parameters) => seededWeights(parameters, seed);
}

/** What a network without weights has learned: nothing, which does for one whose layers learn nothing. */
function missingWeights(path: string, remedy: string): LearnedBlobs {
  return (parameters) => {
    if (parameters.length === 0) return new Map();
    throw new EngineError("usage", path, "a .prototxt has no weights", `add ${remedy}`);
  };
}

/**
 * Opens a model's file without binding its open extents: an ONNX file, with data in other files of its folder if it has
 * any; or a network in Caffe's .prototxt, with its weights.
 *
 * Rejects with EngineError "model" for a file that is missing, damaged, no model or uses what is not supported,
 * "weights" for weights that don't fit it, "usage" where there are too many. A network that lacks its weights is opened;
 * its model rejects with "usage" then.
 *
 * @param remedy - how the caller's users name weights
 */
export async function openModelFile(path: string, weights?: string, remedy = "the option weights"): Promise<ModelFile> {
  const bytes = await readWholeFile(path, "model");
  switch (kindOf(bytes, path)) {
    case "onnx":
      if (weights !== undefined) {
        throw new EngineError("usage", `weights ${weights}`, `${path} has its own`, "leave them out");
      }
      return new OnnxFile(bytes, path, filesBeside(path));
    case "prototxt":
      return new CaffeNet(
        new TextDecoder().decode(bytes),
        weights === undefined ? missingWeights(path, remedy) : await learnedBlobs(weights),
        path,
      );
    case "weights": {
      const place = `give them with ${remedy}, beside the network's .prototxt, or googlenet`;
      throw new EngineError("model", path, "these are weights, and no network", place);
    }
    case "text": {
      const isPointer = new TextDecoder().decode(bytes.subarray(0, LFS.length)) === LFS;
      const [problem, remedy] = isPointer
        ? ["it only says where Git LFS has the model", "fetch that with git lfs pull"]
        : ["it is text, and not a network of Caffe's", "give an ONNX file or a .prototxt"];
      throw new EngineError("model", path, problem, remedy);
    }
  }
}

/** How pointers begin that Git leaves in the place of large files. */
const LFS = "version https://git-lfs.github.com/";

type Kind = "onnx" | "prototxt" | "weights" | "text";

/** What a file's contents speak of, or its name where they are damaged. */
function kindOf(bytes: Uint8Array, path: string): Kind {
  if (looksLikePrototxt(bytes)) return "prototxt";
  const format = formatOf(bytes, path);
  if (format === "onnx") return looksLikeText(bytes) ? "text" : "onnx";
  if (format !== null && (formatOfName(path) === format || areWeights(bytes, path))) return "weights";
  if (extname(path).toLowerCase() === ".prototxt") return "prototxt";
  return looksLikeText(bytes) ? "text" : "onnx";
}

/** Whether they can be read as weights, which what only begins like them can't. */
function areWeights(bytes: Uint8Array, name: string): boolean {
  try {
    readWeights(bytes, name);
    return true;
  } catch (error) {
    if (error instanceof EngineError) return false;
    throw error;
  }
}
