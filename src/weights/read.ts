/** Weights files, told apart by what they hold: bytes in, tensors out. ONNX files, which hold networks, are told only. */

import { EngineError } from "../errors.ts";
import { readCaffemodel } from "../formats/caffemodel.ts";
import type { FloatType } from "../formats/floats.ts";
import { looksLikeSafetensors, readSafetensors } from "../formats/safetensors.ts";
import type { Weights } from "../graph/weights.ts";

/** A format of weights files. */
export type WeightsFormat = "safetensors" | "caffemodel" | "onnx";

/** What a weights file holds. */
export interface WeightsContents {
  readonly format: WeightsFormat;
  /** The network's own name, or the file's metadata entry `model`; null where there is none. */
  readonly network: string | null;
  readonly tensors: Weights;
  /** The types that the file's numbers have. */
  readonly types: readonly FloatType[];
}

/** safetensors metadata entry with the network's name. */
export const MODEL_KEY = "model";

/**
 * Reads a weights file that is a safetensors file or a caffemodel.
 *
 * @param bytes the whole file; the tensors may share its memory
 * @param name what to call it in errors; its extension tells the format where damage hides it
 * @throws EngineError "weights"
 */
export function readWeights(bytes: Uint8Array, name: string): WeightsContents {
  if (bytes.length === 0) throw new EngineError("weights", name, "is empty", "fetch or convert the file again");
  switch (formatOf(bytes, name)) {
    case "safetensors": {
      const { tensors, types, metadata } = readSafetensors(bytes, name);
      const network = Object.hasOwn(metadata, MODEL_KEY) ? metadata[MODEL_KEY] : null;
      return { format: "safetensors", network, tensors, types: [...new Set(types.values())] };
    }
    case "caffemodel": {
      const { network, tensors, types } = readCaffemodel(bytes, name);
      const known = network === "" ? null : network;
      return { format: "caffemodel", network: known, tensors, types: [...new Set(types.values())] };
    }
    case "onnx":
    case null:
      throw new EngineError(
        "weights",
        name,
        "is neither a safetensors file nor a caffemodel",
        "give one of these (googlenet weights fetch gets BVLC's)",
      );
  }
}

/** The format that a file's contents speak of, or its name where they are damaged. */
export function formatOf(bytes: Uint8Array, name: string): WeightsFormat | null {
  return formatOfContents(bytes) ?? formatOfName(name);
}

/** The format that a file's name speaks of. */
export function formatOfName(name: string): WeightsFormat | null {
  const [, extension] = /\.(safetensors|caffemodel|onnx)$/i.exec(name) ?? [];
  return extension === undefined ? null : (extension.toLowerCase() as WeightsFormat);
}

/** The format that a file's first bytes speak of; those of a damaged file may speak of none. */
function formatOfContents(bytes: Uint8Array): WeightsFormat | null {
  if (looksLikeSafetensors(bytes)) return "safetensors";
  if (looksLikeOnnx(bytes)) return "onnx";
  return looksLikeCaffemodel(bytes) ? "caffemodel" : null;
}

/** ONNX files begin with their version (field 1). */
function looksLikeOnnx(bytes: Uint8Array): boolean {
  return bytes[0] === 0x08;
}

/** Caffe writes the network's name (field 1) or a layer (field 2 or 100) first. */
function looksLikeCaffemodel(bytes: Uint8Array): boolean {
  return bytes[0] === 0x0a || bytes[0] === 0x12 || (bytes[0] === 0xa2 && bytes[1] === 0x06);
}
