/** What a measurement was made with, as people read it. */

import type { Environment } from "../node/environment.ts";
import { formatTable } from "./format.ts";

/** @param more rows of what is this measurement's alone, before the date */
export function environmentTable(
  {
    adapter,
    cpu,
    cores,
    os,
    version,
    commit,
    webgpu,
    node,
    weights,
    date,
  }: Environment & { readonly adapter: string | null; readonly weights: string },
  more: readonly (readonly [string, string])[] = [],
): string {
  const engine = `googlenet-wgsl ${version}${commit === null ? "" : ` (${commit})`}`;
  return formatTable([
    ["adapter", adapter ?? "several"],
    ["machine", `${cpu}, ${cores} cores, ${os}`],
    ["software", `${engine}, webgpu ${webgpu}, Node.js ${node}`],
    ["weights", weights],
    ...more,
    ["date", date],
  ]);
}
