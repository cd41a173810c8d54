/** Models in files, as commands name them. */

import { EngineError } from "../errors.ts";
import type { ModelFile } from "../formats/model-file.ts";
import { openModelFile } from "../node/model-file.ts";
import { BUILT_IN, type NetworkOptions } from "./options.ts";

/**
 * Opens a model's file.
 *
 * @throws EngineError "usage" for options that files have no use for, "model" and "weights" for files of no use
 */
export async function openNamedModel(
  path: string,
  { heads, weights }: Pick<NetworkOptions, "heads" | "weights">,
): Promise<ModelFile> {
  if (heads === "all") {
    throw new EngineError("usage", "--heads all", `only ${BUILT_IN} has auxiliary heads to leave out`, "leave it out");
  }
  const ownVariable = process.env["GOOGLENET_WEIGHTS"] ? ` (GOOGLENET_WEIGHTS is for ${BUILT_IN} alone)` : "";
  return await openModelFile(path, weights, `--weights FILE${ownVariable}`);
}
