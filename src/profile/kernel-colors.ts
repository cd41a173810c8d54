/** Which kernel has which colour: those that take longest have one of their own, all others share grey. */

import type { KernelTime } from "./layers.ts";

/**
 * Paul Tol's "bright" scheme, told apart with any colour vision and on white and black alike; grey for the rest.
 * (Tol, "Colour schemes", SRON technical note 09-002, 2021.)
 */
export const kernelColors = ["#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#888888"] as const;

/** The class `k0` to `k6` of each kernel. */
export type KernelClass = (kernel: string) => string;

/** Classes for kernels that are sorted by time. */
export function kernelClasses(kernels: readonly KernelTime[]): KernelClass {
  const rest = kernelColors.length - 1;
  const ranks = new Map(kernels.map(({ kernel }, rank) => [kernel, Math.min(rank, rest)]));
  return (kernel) => `k${ranks.get(kernel) ?? rest}`;
}
