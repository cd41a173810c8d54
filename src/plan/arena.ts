/** The memory planner: all activations share one arena, and values that are never needed at once share its bytes. */

/** Memory that is needed from the node `first` to the node `last`, both included. */
export interface Lifetime {
  readonly bytes: number;
  readonly first: number;
  readonly last: number;
}

/** Bytes of the arena. */
export interface Range {
  readonly offset: number;
  readonly bytes: number;
}

/** WebGPU's largest alignment of a storage binding's offset. */
const alignment = 256;

/**
 * Gives every lifetime a range of the arena so that no two that overlap in time overlap in memory. A pure function.
 *
 * Greedy by size, as TensorFlow Lite's planner does it (Pisarchyk & Lee, "Efficient Memory Management for Deep Neural
 * Net Inference", 2020): the largest first, each at the lowest offset where a gap between those that live at the same
 * time holds it.
 */
export function placeInArena(lifetimes: readonly Lifetime[]): { ranges: readonly Range[]; bytes: number } {
  const order = lifetimes
    .map((lifetime, index) => ({ ...lifetime, index }))
    .sort((a, b) => b.bytes - a.bytes || a.first - b.first || a.index - b.index);
  const ranges: Range[] = Array<Range>(lifetimes.length);
  const placed: (Lifetime & Range)[] = [];
  for (const { index, ...lifetime } of order) {
    const beside = placed.filter((other) => overlapInTime(lifetime, other)).sort((a, b) => a.offset - b.offset);
    let offset = 0;
    for (const other of beside) {
      if (offset + lifetime.bytes <= other.offset) break;
      offset = Math.max(offset, alignUp(other.offset + other.bytes));
    }
    ranges[index] = { offset, bytes: lifetime.bytes };
    placed.push({ ...lifetime, offset });
  }
  return { ranges, bytes: Math.max(0, ...ranges.map(({ offset, bytes }) => offset + bytes)) };
}

function overlapInTime(a: Lifetime, b: Lifetime): boolean {
  return a.first <= b.last && b.first <= a.last;
}

function alignUp(bytes: number): number {
  return Math.ceil(bytes / alignment) * alignment;
}
