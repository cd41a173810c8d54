/** A linear axis from 0 on. */

export interface LinearScale {
  /** The last tick: what the axis's whole length stands for. */
  readonly most: number;
  readonly ticks: readonly number[];
}

/** A scale of a few round steps that holds a value. */
export function linearScale(value: number, fewest = 4): LinearScale {
  const power = 10 ** Math.floor(Math.log10(value / fewest));
  const step = power * ([5, 2.5, 2].find((factor) => factor * power * fewest <= value) ?? 1);
  // What lies a rounding error beyond a tick needs no further one.
  const count = Math.ceil(value / step - 1e-9);
  const ticks = Array.from({ length: count + 1 }, (_, index) => Number((index * step).toPrecision(12)));
  return { most: ticks[count], ticks };
}
