/** `devices`: the adapters there are. */

import { EngineError } from "../errors.ts";
import { type FoundAdapter, findAdapters, missingForAdapter } from "../node/adapters.ts";
import { isNamedLike } from "../node/dawn.ts";
import { planLimitNames } from "../plan/limits.ts";
import type { Context } from "./context.ts";
import { formatTable } from "./format.ts";
import type { OutputOptions } from "./options.ts";
import { exitStatus } from "./report.ts";

export interface DevicesOptions extends OutputOptions {
  readonly adapter?: string;
}

export async function devices({ adapter }: DevicesOptions, { terminal }: Context): Promise<number> {
  const all = await findAdapters();
  const wanted = all.filter((found) => adapter === undefined || isNamedLike(found, adapter));
  if (wanted.length === 0) {
    const missing = all.length === 0 ? missingForAdapter() : [];
    if (terminal.json) await terminal.printJson({ adapter: null, missing });
    const problem = all.length === 0 ? "there is none" : `none of ${all.length} is named like "${adapter}"`;
    const remedy = missing.length > 0 ? missing.join("; ") : `there is ${all.map(({ name }) => name).join(", ")}`;
    throw new EngineError("adapter", "WebGPU adapter", problem, remedy);
  }
  for (const [index, found] of wanted.entries()) {
    if (terminal.json) {
      const { name, ...rest } = found;
      await terminal.printJson({ adapter: name, ...rest });
    } else {
      if (index > 0) await terminal.print("");
      await terminal.print(terminal.colors.bold(found.name));
      await terminal.print(facts(found));
    }
  }
  return exitStatus.done;
}

function facts({ backend, chosenFor, vendor, architecture, subgroupSizes, software, ...rest }: FoundAdapter): string {
  const [least, most] = subgroupSizes ?? [];
  return formatTable([
    ["  backend", backend],
    ["  chosen for", chosenFor.join(", ") || "nothing: name it with --adapter"],
    [
      "  kind",
      `${[vendor, architecture].filter(Boolean).join(" ") || "unknown"}${software ? " (on the processor)" : ""}`,
    ],
    ["  subgroups", subgroupSizes ? `${least === most ? least : `${least} to ${most}`} lanes` : "not told"],
    ["  features", rest.features.join(", ")],
    ["  limits", planLimitNames.map((name) => `${name} ${rest.limits[name].toLocaleString("en")}`).join("\n")],
    ["  missing", rest.missing.join("\n") || "nothing that the engine uses"],
  ]);
}
