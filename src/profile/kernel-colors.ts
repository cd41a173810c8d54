/** Which kernel has which colour: those that take longest have one of their own, all others share grey. */

import { brightColors } from "../page/colors.ts";
import type { KernelTime } from "./layers.ts";

/** The class `k0` to `k6` of each kernel. */
export type KernelClass = (kernel: string) => string;

/** Classes for kernels that are sorted by time. */
export function kernelClasses(kernels: readonly KernelTime[]): KernelClass {
  const rest = brightColors.length - 1;
  const ranks = new Map(kernels.map(({ kernel }, rank) => [kernel, Math.min(rank, rest)]));
  return (kernel) => `k${ranks.get(kernel) ?? rest}`;
}
