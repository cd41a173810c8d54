/** Records as Markdown. */

import { ENGINES } from "../../src/bench/engines.ts";
import type { BenchRecord } from "../../src/bench/record.ts";
import type { MeasuredCase } from "../../src/bench/tournament.ts";
import { imagesPerSecond, isTargetOf, standing, type Target, targets } from "./targets.ts";

export interface NamedRecord {
  /** The file's name in bench/results/. */
  readonly name: string;
  readonly record: BenchRecord;
}

export function renderReport(records: readonly NamedRecord[]): string {
  const sections = records.map(renderRecord);
  return [...sections, renderUnmeasured(records)].join("\n\n") + "\n";
}

function renderRecord({ name, record }: NamedRecord): string {
  const { environment, cases } = record;
  const { adapter, date, cpu, cores, os, version, commit, webgpu, node, weights, validation } = environment;
  const standings = targets.filter((target) => isTargetOf(target, adapter)).map((target) => standing(target, record));
  const versions = Object.entries(Object.assign({}, ...cases.map((each) => each.versions)) as Record<string, string>)
    .map(([what, number]) => `${what} ${number}`)
    .join(", ");
  const parts = [
    `## ${adapter ?? "Several adapters"}, ${date.slice(0, 10)}`,
    `![Median time an image](results/${name.replace(/json$/, "svg")})`,
    [
      `- adapter and driver: ${adapter ?? "several"}`,
      `- machine: ${cpu}, ${cores} cores, ${os}; Node.js ${node}`,
      `- googlenet-wgsl ${version}, commit ${commit ?? "unknown"}; ${versions || `webgpu ${webgpu}`}`,
      `- weights: ${weights}; Dawn's validation ${validation ? "on" : "off"} in all WebGPU engines`,
      `- command: \`googlenet ${environment.command.join(" ")}\`; record: [${name}](results/${name})`,
    ].join("\n"),
    table(
      ["engine", "type", "batch", "median", "min", "p95", "spread", "no read-back", "images/s", "cold", "max error"],
      cases.map(caseRow),
    ),
  ];
  if (standings.length > 0) {
    parts.push(
      table(
        ["target", "at least", "measured", "against"],
        standings.map(({ target, ratio, against }) => [
          target.title,
          `${target.atLeast}×`,
          ratio === null ? "not measured" : `${ratio.toFixed(2)}×${ratio < target.atLeast ? " (missed)" : ""}`,
          against ? engineName(against) : "",
        ]),
      ),
    );
  }
  return parts.join("\n\n");
}

function caseRow(each: MeasuredCase): string[] {
  return [
    engineName(each),
    each.precision,
    String(each.batch),
    milliseconds(each.medianMs),
    milliseconds(each.minMs),
    milliseconds(each.p95Ms),
    `${(100 * each.spread).toFixed(0)} %`,
    each.medianNoReadbackMs === null ? "–" : milliseconds(each.medianNoReadbackMs),
    imagesPerSecond(each).toPrecision(3),
    milliseconds(each.coldMs),
    each.checked ? each.maxAbsError.toExponential(1) : `**${each.maxAbsError}: wrong**`,
  ];
}

/** What the newest records say nothing of, device by device and engine by engine. */
function renderUnmeasured(records: readonly NamedRecord[]): string {
  const lines = records.flatMap(({ record: { environment, cases, failures } }) => {
    const device = environment.adapter ?? "several adapters";
    const missing = environment.missing.map(({ engine, reason }) => `${engine} on ${device}: ${reason}`);
    const failed = failures
      .filter(({ engine, mode }) => !cases.some((each) => each.engine === engine && each.mode === mode))
      .map(({ engine, mode, batch, reason }) => `${label(engine, mode)} on ${device}, batch ${batch}: ${reason}`);
    const absent = ENGINES.filter(
      (engine) =>
        !cases.some((each) => each.engine === engine) &&
        ![...environment.missing, ...failures].some((each) => each.engine === engine),
    ).map((engine) => `${engine} on ${device}: not asked for`);
    return [...missing, ...failed, ...absent];
  });
  const open = targets.filter((target) => !records.some(({ record }) => isMeasured(target, record)));
  lines.push(...open.map(({ title }) => title));
  return ["## Not measured", lines.map((line) => `- ${line}`).join("\n") || "Nothing is missing."].join("\n\n");
}

function isMeasured(target: Target, record: BenchRecord): boolean {
  return isTargetOf(target, record.environment.adapter) && standing(target, record).ratio !== null;
}

export function engineName({ engine, mode }: MeasuredCase): string {
  return label(engine, mode);
}

function label(engine: string, mode: string | null): string {
  return mode === null ? engine : `${engine} (${mode})`;
}

/** `217 ms`, `1.27 s`. */
export function milliseconds(value: number): string {
  return value >= 999.5 ? `${(value / 1000).toPrecision(3)} s` : `${value.toPrecision(3)} ms`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}
