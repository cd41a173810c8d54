/** Numbers as the page shows them. */

/** `12.3 %`; what is there but rounds to nothing is `< 0.1 %`. */
export function percent(share: number): string {
  if (share > 0 && share < 0.0005) return "< 0.1 %";
  return `${(100 * share).toFixed(1)} %`;
}

/** `1.25 s`, `84 ms`, `3.2 ms`. */
export function duration(milliseconds: number): string {
  if (milliseconds >= 1000) return `${(milliseconds / 1000).toFixed(2)} s`;
  return `${milliseconds < 10 ? milliseconds.toFixed(1) : Math.round(milliseconds)} ms`;
}

/** `53.5 MB`. */
export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

/** Four digits: `0.01234`, `412.7`, `1.235e-7`. */
export function figure(value: number): string {
  return Number.isFinite(value) ? String(Number(value.toPrecision(4))) : String(value);
}

/** `64 maps of 56×56`, `1000 values`. */
export function mapCount({ count, height, width }: { count: number; height: number; width: number }): string {
  const noun = height * width === 1 ? "value" : "map";
  const counted = `${count} ${noun}${count === 1 ? "" : "s"}`;
  return height * width === 1 ? counted : `${counted} of ${height}×${width}`;
}
