/** What a run of `bench --peers` leaves behind: one JSON document. */

import { existsSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { EngineError } from "../errors.ts";
import { writeFileAtomically } from "../node/atomic-write.ts";
import type { Environment } from "../node/environment.ts";
import type { MissingEngine } from "./contestants.ts";
import type { Precision } from "./job.ts";
import type { Failure, MeasuredCase } from "./tournament.ts";

export interface BenchEnvironment extends Environment {
  /** The adapter that all WebGPU engines had; null where there were several to choose from. */
  readonly adapter: string | null;
  /** What was asked for; other precisions may run beside it. Older records don't say. */
  readonly precision?: Precision;
  readonly weights: string;
  /** Whether Dawn's validation was on, in all engines alike. */
  readonly validation: boolean;
  readonly missing: readonly MissingEngine[];
  /** What was typed after `googlenet`. */
  readonly command: readonly string[];
}

export interface BenchRecord {
  readonly environment: BenchEnvironment;
  readonly cases: readonly MeasuredCase[];
  readonly failures: readonly Failure[];
}

const benchFolder = fileURLToPath(new URL("../../bench/", import.meta.url));

/**
 * Writes a record and says where.
 *
 * @param target a file's path; `true` for a name made of the date and the adapter in the checkout's bench/results/
 * @throws EngineError "usage" where there is no checkout, "write"
 */
export async function saveRecord(record: BenchRecord, target: string | true): Promise<string> {
  if (target === true && !existsSync(benchFolder)) {
    throw new EngineError(
      "usage",
      "--save",
      "this is an installed package, not a checkout",
      "name a file: --save FILE",
    );
  }
  const path = target === true ? join(benchFolder, "results", resultName(record.environment)) : target;
  if (target === true) mkdirSync(dirname(path), { recursive: true });
  const text = JSON.stringify(
    record,
    (_, field: unknown) => (typeof field === "number" && !Number.isFinite(field) ? String(field) : field),
    2,
  );
  await writeFileAtomically(path, `${text}\n`);
  return path;
}

/** `2026-01-31T12-00-00Z-nvidia-h100.json` */
export function resultName({ date, adapter }: Pick<BenchEnvironment, "date" | "adapter">): string {
  const device = (adapter ?? "several-adapters")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-|-$/g, "")
    .slice(0, 40);
  return `${date.slice(0, 19).replaceAll(":", "-")}Z-${device}.json`;
}
