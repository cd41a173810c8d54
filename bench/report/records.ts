/** Which of the records in bench/results/ are shown. */

import type { Precision } from "../../src/bench/job.ts";
import type { BenchRecord } from "../../src/bench/record.ts";

export interface NamedRecord {
  /** The file's name in bench/results/. */
  readonly name: string;
  readonly record: BenchRecord;
}

/** What was asked for; of older records, which don't say, the precision of their first case. */
export function precisionOf({ environment, cases }: BenchRecord): Precision | undefined {
  return environment.precision ?? cases[0]?.precision;
}

/** The newest record of every device in every precision; the oldest come first, here as there. */
export function newestRecords(records: readonly NamedRecord[]): NamedRecord[] {
  const kind = ({ record }: NamedRecord) => JSON.stringify([record.environment.adapter, precisionOf(record)]);
  return [...new Map(records.map((each) => [kind(each), each])).values()];
}
