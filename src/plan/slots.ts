/** The memory planner: values that are never needed at the same time share a slot. A pure function. */

/** Memory that is needed from the node `first` to the node `last`, both included. */
export interface Lifetime {
  readonly bytes: number;
  readonly first: number;
  readonly last: number;
}

export interface SlotAssignment {
  /** The slot of each lifetime, in their order. */
  readonly slotOf: readonly number[];
  /** Bytes of each slot: those of its largest tenant. */
  readonly slots: readonly number[];
}

/**
 * Gives every lifetime a slot so that no two that overlap share one.
 *
 * Greedy by size, as TensorFlow Lite's planner does it (Pisarchyk & Lee, "Efficient Memory Management for Deep
 * Neural Net Inference", 2020): the largest first, each into the first slot that is free throughout its life. A slot
 * is then never smaller than a later tenant needs.
 */
export function assignSlots(lifetimes: readonly Lifetime[]): SlotAssignment {
  const order = lifetimes
    .map((lifetime, index) => ({ ...lifetime, index }))
    .sort((a, b) => b.bytes - a.bytes || a.first - b.first || a.index - b.index);
  const slotOf: number[] = Array<number>(lifetimes.length);
  const tenants: Lifetime[][] = [];
  for (const { index, ...lifetime } of order) {
    let slot = tenants.findIndex((others) => others.every((other) => !overlap(lifetime, other)));
    if (slot < 0) slot = tenants.push([]) - 1;
    tenants[slot].push(lifetime);
    slotOf[index] = slot;
  }
  return { slotOf, slots: tenants.map(([largest]) => largest.bytes) };
}

function overlap(a: Lifetime, b: Lifetime): boolean {
  return a.first <= b.last && b.first <= a.last;
}
