/** What kernels that hand weights round a subgroup share. */

import type { PlanLimits } from "../limits.ts";

/** Lanes that hold a weight for their subgroup, by the kernels' text. */
const holders = 8;

/** Output channels of a workgroup: each of those lanes holds the weights of four. */
export const blockChannels = holders * 4;

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

/** Output pixels that a thread may compute at once: for more than these no device has registers. */
const tileSizes = [7, 5, 3, 2];

/** Lanes of a workgroup of one subgroup. */
export function subgroupSize({ subgroup }: PlanLimits): number {
  return Math.max(subgroup?.max ?? 0, holders);
}

/** What a thread does once a tile, loading weights and handing them round, takes as long as so many pixels more. */
const tileOverhead = 1.5;

/**
 * How an image's pixels are dealt to workgroups: of one subgroup, so that few lanes idle behind the last pixel, and with
 * the tile that covers them in the least time.
 */
export function pixelBlocks(pixels: number, limits: PlanLimits) {
  const workgroupSize = subgroupSize(limits);
  const blocksOf = (size: number) => Math.ceil(Math.ceil(pixels / size) / workgroupSize);
  const time = (size: number) => blocksOf(size) * (size + tileOverhead);
  const tilePixels = tileSizes.reduce((best, size) => (time(size) < time(best) ? size : best));
  return { workgroupSize, tilePixels, blocks: blocksOf(tilePixels) };
}

/**
 * How many neighbours along an axis a thread takes in turn, so that they share their loads: as many as leave enough
 * threads to keep the device busy, in nearly equal parts of the axis.
 *
 * @param others - threads along all other axes
 */
export function perThread(extent: number, others: number, limits: PlanLimits): number {
  const enough = broadcastPreference(limits) > 0 ? 512 : 65_536;
  const most = Math.max(1, Math.floor((extent * others) / enough));
  return Math.ceil(extent / Math.ceil(extent / most));
}
