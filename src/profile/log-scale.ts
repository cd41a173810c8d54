/** A logarithmic axis. */

export interface LogScale {
  /** The pixel of a value. */
  (value: number): number;
  readonly least: number;
  readonly most: number;
  /** Pixels of a factor of ten; negative where the axis points up. */
  readonly decade: number;
}

/** A scale that holds all the values and a little room beyond them, from one pixel to another. */
export function logScale(values: readonly number[], from: number, to: number, room = 1.3): LogScale {
  const positive = values.filter((value) => value > 0 && Number.isFinite(value));
  const least = Math.min(...positive) / room;
  const most = Math.max(...positive) * room;
  const decade = (to - from) / Math.log10(most / least);
  return Object.assign((value: number) => from + decade * Math.log10(value / least), { least, most, decade });
}

/** 1, 2 and 5 times the powers of ten in a scale, or the powers alone where there are many. */
export function logTicks({ least, most }: LogScale): number[] {
  const steps = most / least > 3000 ? [1] : most / least > 200 ? [1, 3] : [1, 2, 5];
  const ticks: number[] = [];
  for (let power = Math.floor(Math.log10(least)); power <= Math.log10(most); power++) {
    for (const step of steps) {
      const tick = Number(`${step}e${power}`);
      if (tick >= least && tick <= most) ticks.push(tick);
    }
  }
  return ticks;
}
