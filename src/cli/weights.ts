/** `weights`: obtain, describe, convert. */

import { EngineError } from "../errors.ts";
import { fetchWeights } from "../node/fetch-weights.ts";
import { convertWeights, describeWeights } from "../node/weights-file.ts";
import { readManifest, weightsFolder } from "../node/weights-manifest.ts";
import type { Context } from "./context.ts";
import { formatBytes, formatTable } from "./format.ts";
import { exitStatus } from "./report.ts";

export async function weightsFetch(name: string | undefined, { terminal, signal }: Context): Promise<number> {
  const entries = await readManifest();
  const entry = name === undefined ? entries[0] : entries.find((each) => each.name === name);
  if (!entry) {
    const known = entries.map((each) => each.name).join(", ");
    throw new EngineError("usage", `weights ${name}`, "the manifest has none of that name", `give ${known}`);
  }
  const bar = terminal.progress(entry.name, Math.round(entry.size / 1e6), " MB");
  const announce = once(() => terminal.note(`downloading ${entry.url} (${formatBytes(entry.size)}; ${entry.licence})`));
  const { path, downloaded } = await fetchWeights(entry, weightsFolder(), {
    signal,
    onProgress: (received) => {
      announce();
      bar.update(Math.round(received / 1e6));
    },
  }).finally(() => bar.stop());
  if (terminal.json) await terminal.printJson({ name: entry.name, file: path, bytes: entry.size, downloaded });
  else await terminal.print(`${path}: ${downloaded ? "downloaded, checksum right" : "already there, checksum right"}`);
  return exitStatus.done;
}

export async function weightsInfo(file: string, { terminal }: Context): Promise<number> {
  const description = await describeWeights(file);
  if (terminal.json) {
    await terminal.printJson(description);
    return exitStatus.done;
  }
  const { format, network, bytes, sha256, tensors, parameters, auxiliaryParameters, types, heads, recognised } =
    description;
  const auxiliary = auxiliaryParameters > 0 ? ` (${auxiliaryParameters.toLocaleString("en")} in auxiliary heads)` : "";
  const rows = [
    ["file", file],
    ["format", format],
    ["network", network ?? "not named"],
    ["recognised", recognised ?? "no: not a trained network that is known"],
    ["size", `${bytes.toLocaleString("en")} bytes`],
    ["tensors", `${tensors} of ${types.join(", ")}`],
    ["parameters", `${parameters.toLocaleString("en")}${auxiliary}`],
    ["heads", heads],
    ["sha256", sha256],
  ];
  await terminal.print(formatTable(rows));
  return exitStatus.done;
}

export async function weightsConvert(input: string, output: string, { terminal }: Context): Promise<number> {
  const { bytes } = await convertWeights(input, output);
  if (terminal.json) await terminal.printJson({ input, output, bytes });
  else await terminal.print(`${output}: ${formatBytes(bytes)}`);
  return exitStatus.done;
}

function once(action: () => void): () => void {
  let done = false;
  return () => {
    if (!done) action();
    done = true;
  };
}
