/** Records as Markdown. */

import { ENGINES } from "../../src/bench/engines.ts";
import type { OwnFigures } from "../../src/bench/own-figures.ts";
import type { MeasuredCase } from "../../src/bench/tournament.ts";
import { duration } from "../../src/page/figures.ts";
import { isSeedSource } from "../../src/weights/seed.ts";
import { type NamedRecord, newestRecords, precisionOf } from "./records.ts";
import { imagesPerSecond, isBound, type Standing, standingIn, type Target, targets } from "./targets.ts";

/** @param records all of them, the newest last */
export function renderReport(records: readonly NamedRecord[]): string {
  const newest = newestRecords(records);
  return [renderTargets(records), ...newest.map(renderRecord), renderUnmeasured(newest)].join("\n\n") + "\n";
}

/** Every target, with what the newest record that speaks of it says. */
function renderTargets(records: readonly NamedRecord[]): string {
  const standings = targets.map((target) =>
    standingIn(
      target,
      records.map(({ record }) => record),
    ),
  );
  const rows = standings.map((each) => [
    each.target.title,
    goal(each.target),
    each.value === null
      ? "not measured"
      : `${each.bound ? "at most " : ""}${shown(each.target, each.value)}${verdictOn(each)}`,
    each.against ? engineName(each.against) : "",
    each.own?.adapter ?? "",
    each.absence ?? (each.reached ? "" : shortfallOf(each)),
  ]);
  return [
    "## Targets",
    table(["target", "goal", "measured", "against", "on", "why, what bounds it, what was tried"], rows),
  ].join("\n\n");
}

function shortfallOf(standing: Standing): string {
  const { tried } = standing.target;
  return [boundOf(standing), tried === undefined ? "" : `tried: ${tried}`].filter(Boolean).join("; ");
}

function verdictOn({ reached, partial, bound }: Standing): string {
  if (bound && !reached) return " (unknown whether less)";
  if (partial) return reached ? " (partly measured)" : " (missed, partly measured)";
  return reached ? "" : " (missed)";
}

function goal(target: Target): string {
  if ("atMost" in target) return `at most ${shown(target, target.atMost)}`;
  if (target.measure === "cold" && target.atLeast === 1) return "no slower";
  return target.atLeast === 1 ? "faster" : `${target.atLeast}× faster`;
}

function shown({ measure }: Target, value: number): string {
  if (measure === "memory") return megabytes(value);
  return measure === "encode" ? duration(value) : `${value.toFixed(2)}×`;
}

/** What keeps this engine from a target that it misses, as far as the record tells. */
function boundOf({ target, own }: Standing): string {
  const figures = own?.own;
  if (!own || !figures) return "";
  const { peakBytes, defaultPeakBytes, gpu } = figures;
  switch (target.measure) {
    case "memory":
      return peakBytes > defaultPeakBytes ? `the tuned plan's; ${megabytes(defaultPeakBytes)} as by default` : "";
    case "encode":
      return encodeText(figures);
    case "cold":
      return `a warm run takes ${duration(own.medianMs)} of the ${duration(own.coldMs)}`;
    case "time":
    case "throughput":
      return gpu ? `of a run of ${duration(own.medianMs)}, ${rooflineText(gpu)}` : "";
    default:
      return target satisfies never;
  }
}

function encodeText({ steps, encodeMs, encodeStreamedMs, encodeUnsafeMs, ...figures }: OwnFigures): string {
  const each = (time: number) => `${((1000 * time) / steps).toPrecision(2)} µs`;
  const parts = [`${steps} dispatches, ${each(encodeMs)} each with Dawn's validation, ${each(encodeUnsafeMs)} without`];
  // Older records have none.
  if ((encodeStreamedMs as number | undefined) !== undefined)
    parts.push(`${each(encodeStreamedMs)} in a stream of runs`);
  if (isBound(figures)) parts.push("nothing told the thread's own time there");
  return parts.join("; ");
}

/** What a layer is charged with is direct convolution in float32. */
const CAVEAT = " to direct convolution in float32, which Winograd convolution and float16 may undercut";

function rooflineText({ gpuMs, leastMs, ceilings }: NonNullable<OwnFigures["gpu"]>): string {
  return (
    `its steps take ${duration(gpuMs)} on the GPU, where the roofline ` +
    `(${ceilings.gflops.toPrecision(3)} GFLOP/s, ${ceilings.gbps.toPrecision(3)} GB/s, measured) ` +
    `allows ${duration(leastMs)}${CAVEAT}`
  );
}

function renderRecord({ name, record }: NamedRecord): string {
  const { environment, cases } = record;
  const { adapter, date, cpu, cores, os, version, commit, webgpu, node, weights, validation } = environment;
  const versions = Object.entries(Object.assign({}, ...cases.map((each) => each.versions)) as Record<string, string>)
    .map(([what, number]) => `${what} ${number}`)
    .join(", ");
  const parts = [
    `## ${adapter ?? "Several adapters"}, ${precisionOf(record) === "f16" ? "float16, " : ""}${date.slice(0, 10)}`,
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
  const doubtful = cases.filter(isDoubtful).map((each) => `${engineName(each)} at batch ${each.batch}`);
  if (doubtful.length > 0) parts.push(`**Beware:** \`no read-back\` of ${doubtful.join(", ")} ${DOUBT}`);
  const own = cases.flatMap((each) => (each.own ? [`- batch ${each.batch}: ${ownText(each.own)}`] : []));
  if (own.length > 0) parts.push(["This engine alone:", own.join("\n")].join("\n\n"));
  return parts.join("\n\n");
}

const DOUBT =
  "is above the median by more than the spread. What leaves out the copy back can't take longer: the machine did other " +
  "work meanwhile, or waiting for the device alone is slow there. Go by the median.";

function isDoubtful({ medianMs, medianNoReadbackMs, spread }: MeasuredCase): boolean {
  return medianNoReadbackMs !== null && medianNoReadbackMs - medianMs > spread * medianMs;
}

function ownText({ tuned, steps, peakBytes, encodeMs, encodeStreamedMs, encodeUnsafeMs, gpu, ...figures }: OwnFigures) {
  const streamed = encodeStreamedMs as number | undefined;
  const others = [
    ...(streamed === undefined ? [] : [`${duration(streamed)} in a stream of runs`]),
    `${duration(encodeUnsafeMs)} without validation`,
  ];
  const parts = [
    `${steps} dispatches${tuned ? ", as tuned" : ""}`,
    `${megabytes(peakBytes)} of activations`,
    `${isBound(figures) ? "at most " : ""}${duration(encodeMs)} of the main thread to encode and submit (${others.join("; ")})`,
  ];
  if (gpu) parts.push(rooflineText(gpu));
  return parts.join("; ");
}

function caseRow(each: MeasuredCase): string[] {
  return [
    engineName(each),
    each.precision,
    String(each.batch),
    duration(each.medianMs),
    duration(each.minMs),
    duration(each.p95Ms),
    `${(100 * each.spread).toFixed(0)} %`,
    each.medianNoReadbackMs === null ? "–" : duration(each.medianNoReadbackMs),
    imagesPerSecond(each).toPrecision(3),
    duration(each.coldMs),
    each.checked ? each.maxAbsError.toExponential(1) : `**${each.maxAbsError}: wrong**`,
  ];
}

/** What throughput on a GPU is told at. */
const LARGE_BATCH = 64;

/** What the newest records say nothing of, device by device: engines, tuned runs, a large batch, trained weights. */
function renderUnmeasured(records: readonly NamedRecord[]): string {
  const lines = records.flatMap(({ record }) => {
    const { environment, cases, failures } = record;
    const device = environment.adapter ?? "several adapters";
    const where = `on ${device} in ${precisionOf(record) === "f16" ? "float16" : "float32"}`;
    const conditions = [
      ...(cases.some(ranTuned) ? [] : [`this engine as tuned, ${where}: every run was by default`]),
      ...([...cases, ...failures].some(({ batch }) => batch === LARGE_BATCH)
        ? []
        : [`batch ${LARGE_BATCH} ${where}: not asked for`]),
      ...(isSeedSource(environment.weights) ? [`trained weights ${where}: ${environment.weights} was measured`] : []),
    ];
    const missing = environment.missing.map(({ engine, reason }) => `${engine} on ${device}: ${reason}`);
    const failed = failures
      .filter(({ engine, mode }) => !cases.some((each) => each.engine === engine && each.mode === mode))
      .map(({ engine, mode, batch, reason }) => `${label(engine, mode)} on ${device}, batch ${batch}: ${reason}`);
    const absent = ENGINES.filter(
      (engine) =>
        !cases.some((each) => each.engine === engine) &&
        ![...environment.missing, ...failures].some((each) => each.engine === engine),
    ).map((engine) => `${engine} on ${device}: not asked for`);
    return [...missing, ...failed, ...absent, ...conditions];
  });
  if (records.length === 0) {
    lines.push(...targets.map(({ title }) => `target: ${title}`), ...ENGINES.map((engine) => `engine: ${engine}`));
  }
  return ["## Not measured", [...new Set(lines)].map((line) => `- ${line}`).join("\n") || "Nothing is missing."].join(
    "\n\n",
  );
}

/** Also where it turned out that the default plan is faster. */
function ranTuned({ own, tried }: MeasuredCase): boolean {
  return own !== undefined && (own.tuned || tried.some(({ settings }) => settings["tuning"] !== undefined));
}

export function engineName({ engine, mode }: MeasuredCase): string {
  return label(engine, mode);
}

function label(engine: string, mode: string | null): string {
  return mode === null ? engine : `${engine} (${mode})`;
}

/** `4.82 MB` */
function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toPrecision(3)} MB`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}
