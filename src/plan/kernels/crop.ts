/** Launches kernels/crop.wgsl, which stands before the network and computes none of its ops. */

import { type Kernel, threadPerTile } from "../kernel.ts";
import type { PlanLimits } from "../limits.ts";
import type { Vec3 } from "../plan.ts";

export const crop: Kernel = {
  name: "crop",
  bindings: [
    { name: "picture", access: "read" },
    { name: "taps", access: "read" },
    { name: "crops", access: "read" },
    { name: "output", access: "read_write" },
  ],
  constants: ["workgroupSize"],
  layer: ["threadCount", "side", "columns", "firstCrop", "outOffset", "outStride", "meanBlue", "meanGreen", "meanRed"],
  floats: ["meanBlue", "meanGreen", "meanRed"],
  tiles: [],
};

/** The crops to cut of a picture, and where they go. */
export interface CropProblem {
  /** Of the kernel's table, the first crop, and how many. */
  readonly firstCrop: number;
  readonly count: number;
  readonly side: number;
  /** Pixels in a row of the picture. */
  readonly columns: number;
  /** Elements of the output before the first crop, and from one to the next. */
  readonly outOffset: number;
  readonly outStride: number;
  /** Of the planes B, G, R. */
  readonly means: readonly [number, number, number];
}

/** The values and the grid that cut them. */
export function launchCrop(
  { firstCrop, count, side, columns, outOffset, outStride, means: [meanBlue, meanGreen, meanRed] }: CropProblem,
  limits: PlanLimits,
): { values: Readonly<Record<string, number>>; workgroups: Vec3 } {
  const { values, workgroups } = threadPerTile("crops", count * side * side, limits);
  return {
    values: { ...values, side, columns, firstCrop, outOffset, outStride, meanBlue, meanGreen, meanRed },
    workgroups,
  };
}
