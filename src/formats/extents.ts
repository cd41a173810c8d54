/** Shapes that come out of a file, not to be trusted. */

/** Whether a value can be an extent, an offset or a count: an integer from 0 that a double holds exactly. */
export function isExtent(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** The product of the extents, or null where it is too large to be counted exactly. */
export function safeElementCount(shape: readonly number[]): number | null {
  if (shape.includes(0)) return 0;
  let count = 1;
  for (const extent of shape) {
    count *= extent;
    if (!Number.isSafeInteger(count)) return null;
  }
  return count;
}
