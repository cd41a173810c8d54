/** Working ahead of whoever takes the results, within bounds. */

/**
 * Starts `work` on the items of `source` before their results are asked for, and gives the results in the items'
 * order.
 *
 * @param workers how many pieces of work are under way at once
 * @param window how many items are taken whose results nobody has taken yet: what bounds the memory
 */
export async function* ahead<T, R>(
  source: AsyncIterable<T>,
  work: (item: T) => Promise<R>,
  { workers, window }: { workers: number; window: number },
): AsyncGenerator<R, void, undefined> {
  const items = source[Symbol.asyncIterator]();
  const taken: Promise<R>[] = [];
  /** The last piece of work of each worker; an item goes to the next in turn. */
  const lanes: Promise<unknown>[] = Array.from({ length: workers }, () => Promise.resolve());
  let count = 0;
  let exhausted = false;
  try {
    for (;;) {
      while (!exhausted && taken.length < window) {
        const next = await items.next();
        if (next.done) {
          exhausted = true;
        } else {
          const lane = count++ % workers;
          const result = lanes[lane].then(() => work(next.value));
          // Whoever takes the result hears of the failure; until then nobody does, and that is no crash.
          lanes[lane] = result.catch(() => undefined);
          taken.push(result);
        }
      }
      const result = taken.shift();
      if (!result) return;
      yield await result;
    }
  } finally {
    await items.return?.();
  }
}
