/** Steps as people think of them: layers, in the network's blocks. */

import { joinNames, layerNames, layerOf } from "./names.ts";
import type { Profile, ProfiledStep } from "./profile.ts";
import { type Rates, together, type Work } from "./roofline.ts";

/** What one kernel takes of a layer, or of the whole. */
export interface KernelTime {
  readonly kernel: string;
  readonly gpuMs: number;
  readonly steps: number;
}

export interface Layer extends Work, Rates {
  /** Without its ReLU, and without the block's name where it has one: `3x3_reduce`. */
  readonly label: string;
  /** As the label, with the block's name: `inception_3a/3x3_reduce`. */
  readonly name: string;
  readonly block: string;
  /** The kernels that compute it; the one that takes longest first. */
  readonly kernels: readonly KernelTime[];
  readonly steps: number;
  readonly share: number;
  /** The share of all layers up to and with this one. */
  readonly cumulative: number;
}

export interface Block {
  readonly name: string;
  readonly layers: readonly Layer[];
}

/** The steps of each layer together, in the order of the first of them. */
export function layersOf({ steps, totals, ceilings }: Profile): Layer[] {
  const groups = groupBy(steps, ({ name }) => layerOf(name));
  let block = "Stem";
  let elapsed = 0;
  return [...groups].map(([fullName, parts]) => {
    const layers = layerNames(fullName);
    const prefix = /^inception_[^/]+\//.exec(layers[0])?.[0] ?? "";
    block = blockOf(layers[0], block);
    const sums = together(parts, ceilings);
    elapsed += sums.gpuMs;
    const share = (gpuMs: number) => (totals.gpuMs > 0 ? gpuMs / totals.gpuMs : 0);
    return {
      ...sums,
      label: joinNames(layers).slice(prefix.length),
      name: layers.join(" + "),
      block,
      kernels: kernelTimes(parts),
      steps: parts.length,
      share: share(sums.gpuMs),
      cumulative: share(elapsed),
    };
  });
}

/** Layers by block, in the order of their first. */
export function blocksOf(layers: readonly Layer[]): Block[] {
  return [...groupBy(layers, ({ block }) => block)].map(([name, members]) => ({ name, layers: members }));
}

/** What each kernel takes, the one that takes longest first. */
export function kernelTimes(steps: readonly ProfiledStep[]): KernelTime[] {
  return [...groupBy(steps, ({ kernel }) => kernel)]
    .map(([kernel, members]) => ({
      kernel,
      gpuMs: members.reduce((sum, { gpuMs }) => sum + gpuMs, 0),
      steps: members.length,
    }))
    .sort((a, b) => b.gpuMs - a.gpuMs);
}

/** What a layer belongs to: a pool between two Inception blocks to the one before it. */
function blockOf(layer: string, before: string): string {
  const inception = /^inception_([^/]+)\//.exec(layer);
  if (inception) return `Inception ${inception[1]}`;
  const head = /^loss([12])\//.exec(layer);
  if (head) return `Auxiliary head ${head[1]}`;
  return /^(pool5|loss3)\/|^prob$/.test(layer) ? "Classifier" : before;
}

function groupBy<T>(items: readonly T[], key: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(key(item));
    if (group) group.push(item);
    else groups.set(key(item), [item]);
  }
  return groups;
}
