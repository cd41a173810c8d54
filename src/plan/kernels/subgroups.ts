/** What kernels that hand weights round a subgroup share. */

import type { PlanLimits } from "../limits.ts";

/** Lanes that hold a weight for their subgroup, by the kernels' text. */
const holders = 8;

/** Whether every subgroup of the device has the lanes that the kernels broadcast from. */
export function canBroadcast({ subgroup }: PlanLimits): boolean {
  return subgroup !== undefined && subgroup.min >= holders;
}

/**
 * Narrow subgroups are those of CPUs that play GPU (and of few GPUs): a load costs each lane of theirs as much as
 * several multiply-adds, and a broadcast next to nothing. On wide ones a broadcast is no cheaper than the load that
 * it saves.
 */
export function broadcastPreference({ subgroup }: PlanLimits): number {
  return subgroup !== undefined && subgroup.max <= 16 ? 1 : 0;
}

/** Whether the device is known to be a GPU as most are, of 32 lanes and more that load together. */
export function hasWideSubgroups({ subgroup }: PlanLimits): boolean {
  return subgroup !== undefined && subgroup.max >= 32;
}

/** Workgroups of one subgroup, so that as few lanes as possible idle behind the last pixel. */
export function broadcastWorkgroupSize({ subgroup }: PlanLimits): number {
  return Math.max(subgroup?.max ?? 0, holders);
}

/** The tile size among `sizes` whose blocks of `workgroupSize` tiles cover `count` with the least waste. */
export function bestBlockTile(
  workgroupSize: number,
  sizes: readonly number[],
  tilesFor: (size: number) => number,
): number {
  const covered = (size: number) => Math.ceil(tilesFor(size) / workgroupSize) * workgroupSize * size;
  return sizes.reduce((best, size) => (covered(size) < covered(best) ? size : best));
}
