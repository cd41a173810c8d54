/** Numbers as pages, and commands, show them: three digits, whatever their size. */

const threeDigits = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });

/** `0.0123`, `41.2`, `1,230`. */
export function figure(value: number): string {
  return threeDigits.format(value);
}

/** `8.13 ms`, `42.0 µs`, `1.24 s`. */
export function duration(milliseconds: number): string {
  if (milliseconds >= 999.5) return `${significant(milliseconds / 1000, 3)} s`;
  if (milliseconds >= 0.9995 || milliseconds === 0) return `${significant(milliseconds, 3)} ms`;
  return `${significant(milliseconds * 1000, 3)} µs`;
}

/** Three significant digits, say, without an exponent: `0.0123`, `1.24`, `412`, `41200`. */
export function significant(value: number, digits: number): string {
  if (!Number.isFinite(value)) return String(value);
  const rounded = Number(value.toPrecision(digits));
  const decimals = rounded === 0 ? 0 : Math.max(0, digits - 1 - Math.floor(Math.log10(Math.abs(rounded))));
  return rounded.toFixed(Math.min(decimals, 12));
}

/** `5.3 %`; `–` where there is nothing to divide by. */
export function percent(share: number, decimals = 1): string {
  return Number.isNaN(share) ? "–" : `${(100 * share).toFixed(decimals)} %`;
}

/** `−0.92 %`, with a minus that is as wide as a digit; empty where there is no difference to speak of. */
export function signedPercent(difference: number | null): string {
  if (difference === null || Number.isNaN(difference)) return "";
  return `${difference < 0 ? "−" : "+"}${percent(Math.abs(difference), 2)}`;
}

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

/** `50,000`. */
export function count(value: number): string {
  return whole.format(value);
}

/** `1 picture`, `50,000 pictures`. */
export function counted(value: number, noun: string): string {
  return `${count(value)} ${noun}${value === 1 ? "" : "s"}`;
}
