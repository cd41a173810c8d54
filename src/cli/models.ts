/** Models as commands name them: the built-in network, or a file, which may turn out to be of no use. */

import { EngineError } from "../errors.ts";
import type { ModelFile } from "../formats/model-file.ts";
import { openModelFile } from "../node/model-file.ts";
import type { Context } from "./context.ts";
import type { NetworkOptions } from "./options.ts";
import { errorLine } from "./report.ts";

/** What the built-in network is called. */
export const BUILT_IN = "googlenet";

/**
 * What `work` makes of a model's file; null where the file or its weights can't be used, which is said.
 *
 * @throws EngineError "usage" for options that files have no use for, and as `work` does
 */
export async function withModelFile<Result>(
  path: string,
  { heads, weights }: Pick<NetworkOptions, "heads" | "weights">,
  { terminal }: Context,
  work: (file: ModelFile) => Promise<Result>,
): Promise<Result | null> {
  if (heads === "all") {
    throw new EngineError("usage", "--heads all", `only ${BUILT_IN} has auxiliary heads to leave out`, "leave it out");
  }
  try {
    return await work(await openModelFile(path, weights));
  } catch (error) {
    if (!(error instanceof EngineError) || !["model", "weights"].includes(error.code)) throw error;
    if (terminal.json) await terminal.printJson({ model: path, error: error.message });
    terminal.complain(errorLine(error));
    return null;
  }
}
