/**
 * The roofline model: a step can be no faster than its arithmetic at the device's peak, nor than its least memory
 * traffic at the device's bandwidth. (Williams, Waterman & Patterson, "Roofline: an insightful visual performance
 * model for multicore architectures", Communications of the ACM 52, 2009.)
 */

/** A device's two ceilings. */
export interface Roofline {
  /** Arithmetic, 10⁹ operations a second, measured in float32; a multiply-add is two. */
  readonly gflops: number;
  /** Memory traffic, 10⁹ bytes a second, read and written together. */
  readonly gbps: number;
}

/** Ceilings, and how much a copy moved that found the second of them. */
export interface MeasuredRoofline extends Roofline {
  /** Bytes, read and written. What moves less may lie in a cache that the copy was too large for. */
  readonly copiedBytes: number;
}

/** Of several measurements: a ceiling is what the device can reach, and whatever disturbs one makes it lower. */
export function highest(measured: readonly MeasuredRoofline[]): MeasuredRoofline {
  const most = (value: (each: MeasuredRoofline) => number) => Math.max(...measured.map(value));
  return {
    gflops: most(({ gflops }) => gflops),
    gbps: most(({ gbps }) => gbps),
    copiedBytes: most(({ copiedBytes }) => copiedBytes),
  };
}

/** What a step has to do, and how long it took. */
export interface Work {
  /** Multiply-accumulates. */
  readonly macs: number;
  /** The least bytes that it has to move. */
  readonly bytes: number;
  /** Milliseconds. */
  readonly gpuMs: number;
}

/** How fast a step was. */
export interface Rates {
  readonly gflops: number;
  readonly gbps: number;
  /** Its least time under the roofline, in parts of the time that it took. */
  readonly roofline: number;
}

/** Operations for each byte that has to be moved; infinite where none has to. */
export function intensity({ macs, bytes }: Pick<Work, "macs" | "bytes">): number {
  return (2 * macs) / bytes;
}

/** The operations a second, in 10⁹, that a device can reach at an intensity. */
export function attainable(operationsPerByte: number, { gflops, gbps }: Roofline): number {
  return Math.min(gflops, operationsPerByte * gbps);
}

/** The milliseconds that a step takes at least. */
export function leastMs({ macs, bytes }: Pick<Work, "macs" | "bytes">, { gflops, gbps }: Roofline): number {
  return Math.max((2 * macs) / gflops, bytes / gbps) / 1e6;
}

/** Rates of a step. One that was shorter than the clock's tick has none: zeros. */
export function rates({ macs, bytes, gpuMs }: Work, ceilings: Roofline): Rates {
  if (gpuMs <= 0) return { gflops: 0, gbps: 0, roofline: 0 };
  return {
    gflops: (2 * macs) / gpuMs / 1e6,
    gbps: bytes / gpuMs / 1e6,
    roofline: leastMs({ macs, bytes }, ceilings) / gpuMs,
  };
}

/**
 * Several steps as one piece of work. Its least time is the sum of theirs, since they run one after another: so its
 * share of the roofline is the mean of theirs weighted by time.
 */
export function together(steps: readonly Work[], ceilings: Roofline): Work & Rates {
  const sum = (value: (step: Work) => number) => steps.reduce((total, step) => total + value(step), 0);
  const work = { macs: sum(({ macs }) => macs), bytes: sum(({ bytes }) => bytes), gpuMs: sum(({ gpuMs }) => gpuMs) };
  const roofline = work.gpuMs > 0 ? sum((step) => leastMs(step, ceilings)) / work.gpuMs : 0;
  return { ...work, ...rates(work, ceilings), roofline };
}
