/** What computed an evaluation, which several attempts and shards may have made on several devices. */

import type { ComputedBy, Shard } from "./record.ts";

const SEPARATOR = " + ";

/** The devices as one name: each once, in the order in which they come, without those that are not known. */
export function adapterOf(computedBy: readonly Pick<ComputedBy, "adapter">[]): string {
  return joinNames(computedBy.map(({ adapter }) => adapter));
}

/** Names may be of several already, or empty where there was none. */
function joinNames(names: readonly string[]): string {
  return [...new Set(names.flatMap((name) => name.split(SEPARATOR)).filter((name) => name !== ""))].join(SEPARATOR);
}

/** All that computed, each once: where it came last, so that the last of all is the last. */
export function allOf(...some: readonly (readonly ComputedBy[])[]): ComputedBy[] {
  const distinct = new Map<string, ComputedBy>();
  for (const each of some.flat()) {
    const identity = identityOf(each);
    distinct.delete(identity);
    distinct.set(identity, each);
  }
  return [...distinct.values()];
}

function identityOf({ shard, adapter, tuning, batch }: ComputedBy): string {
  return JSON.stringify([shard.index, shard.of, adapter, tuning, batch]);
}

/**
 * In what an attempt differs from the one before it, as far as that may change last bits of probabilities, each as
 * `B in place of A`: by default, batches of every size give the same bits.
 */
export function changes(before: ComputedBy, now: ComputedBy): string[] {
  const found: string[] = [];
  const compare = (a: string, b: string) => {
    if (a !== b) found.push(`${b} in place of ${a}`);
  };
  compare(before.adapter, now.adapter);
  if (before.tuning === undefined || now.tuning === undefined) return found;
  compare(tuningName(before), tuningName(now));
  const isTuned = before.tuning !== null || now.tuning !== null;
  if (isTuned && before.batch !== undefined && now.batch !== undefined) compare(batchName(before), batchName(now));
  return found;
}

/** `A GPU, kernels as tuned (0a1b2c3d), batches of 40`, as far as it is known and matters. */
function computedByName(computedBy: ComputedBy): string {
  const { adapter, tuning, batch } = computedBy;
  return [
    adapter === "" ? "not known" : adapter,
    ...(tuning === undefined ? [] : [tuningName(computedBy)]),
    ...(typeof tuning !== "string" || batch === undefined ? [] : [batchName(computedBy)]),
  ].join(", ");
}

function tuningName({ tuning }: ComputedBy): string {
  return tuning === null ? "kernels by default" : `kernels as tuned (${tuning?.slice(0, 8)})`;
}

function batchName({ batch }: ComputedBy): string {
  return `batches of ${batch}`;
}

/** Each of those that computed, once, with the shards that it computed: `shards 1–3, 5 of 8`; empty of a whole. */
export function byComputer(computedBy: readonly ComputedBy[]): { readonly shards: string; readonly name: string }[] {
  const rows = new Map<string, Shard[]>();
  for (const each of computedBy) {
    const name = computedByName(each);
    rows.set(name, [...(rows.get(name) ?? []), each.shard]);
  }
  return [...rows].map(([name, shards]) => ({ shards: shardsName(shards), name }));
}

function shardsName(shards: readonly Shard[]): string {
  const [{ of }] = shards;
  if (of === 1) return "";
  const indices = shards.map(({ index }) => index).sort((a, b) => a - b);
  const ranges: { from: number; to: number }[] = [];
  for (const index of indices) {
    const last = ranges.at(-1);
    if (last && index <= last.to + 1) last.to = index;
    else ranges.push({ from: index, to: index });
  }
  const list = ranges.map(({ from, to }) => (from === to ? String(from) : `${from}–${to}`)).join(", ");
  return `${indices.length === 1 ? "shard" : "shards"} ${list} of ${of}`;
}
