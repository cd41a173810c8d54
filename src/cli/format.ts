/** Numbers and tables as people read them. */

import Table from "cli-table3";
import { significant } from "../page/figures.ts";
import type { Precision } from "../plan/precision.ts";

export { duration as formatTime, significant } from "../page/figures.ts";

/** Precisions as people call them. */
export const longName: Readonly<Record<Precision, string>> = { f32: "float32", f16: "float16" };

/** `7.6 MB`, in powers of 1000 as the rest of the project counts. */
export function formatBytes(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 ? value : significant(value, 3)} ${units[unit]}`;
}

/** `1 picture`, `2 pictures`. */
export function plural(count: number, noun: string): string {
  return `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
}

export type Alignment = "left" | "right";

/** Columns aligned by spaces, without borders; no space at the ends of lines. */
export function formatTable(
  rows: readonly (readonly (string | number)[])[],
  { head, align = [] }: { readonly head?: readonly string[]; readonly align?: readonly Alignment[] } = {},
): string {
  const none = Object.fromEntries(
    ["top", "top-mid", "top-left", "top-right", "bottom", "bottom-mid", "bottom-left", "bottom-right"]
      .concat(["left", "left-mid", "mid", "mid-mid", "right", "right-mid"])
      .map((border) => [border, ""]),
  );
  const table = new Table({
    chars: { ...none, middle: "  " },
    style: { "padding-left": 0, "padding-right": 0, head: [], border: [] },
    colAligns: [...align],
  });
  if (head) table.push([...head]);
  table.push(...rows.map((row) => [...row]));
  return table
    .toString()
    .split("\n")
    .map((line) => line.trimEnd())
    .join("\n");
}
