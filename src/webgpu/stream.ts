/** Many inputs through a function that takes its time, several at once, with the results in the inputs' order. */

import { orAborted } from "./abort.ts";

/**
 * Takes an input from `source` only while fewer than `depth` are under way or wait to be fetched: however slow the
 * consumer is, no more of them are in memory. A result is given as soon as it is there, even while the source lets one
 * wait for the next input.
 *
 * An input that fails throws in its place, after the results before it, and so does the source. On that, on an early
 * `return` and where the signal comes, the source is closed, and what is under way is given up and waited for.
 *
 * @param work - rejects where its signal comes
 */
export async function* inOrder<Input, Result>(
  source: AsyncIterable<Input> | Iterable<Input>,
  work: (input: Input, signal: AbortSignal) => Promise<Result>,
  depth: number,
  signal?: AbortSignal,
): AsyncGenerator<Result, void, undefined> {
  signal?.throwIfAborted();
  const iterator: AsyncIterator<Input> | Iterator<Input> =
    Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
  const end = new AbortController();
  const ended = signal ? AbortSignal.any([signal, end.signal]) : end.signal;
  const pending: Promise<Result>[] = [];
  let reading: Promise<void> | undefined;
  /** Whether the source was asked for an input and has not answered. */
  let asked = false;
  let exhausted = false;

  const read = async (): Promise<void> => {
    let result: Promise<Result>;
    try {
      asked = true;
      const next = await iterator.next();
      if (ended.aborted) return;
      if (next.done === true) {
        exhausted = true;
        return;
      }
      result = work(next.value, ended);
    } catch (error) {
      // What else the source has, nobody knows: it may not be asked again.
      exhausted = true;
      result = failed(error);
    } finally {
      asked = false;
    }
    // Whoever fetches it still sees that it failed.
    result.catch(() => undefined);
    pending.push(result);
  };

  try {
    for (;;) {
      if (!exhausted && pending.length < depth) reading ??= read();
      if (pending.length === 0 && reading === undefined) return;
      const events: Promise<boolean>[] = pending.slice(0, 1).map((oldest) => oldest.then(yes, yes));
      if (reading !== undefined) events.unshift(reading.then(no));
      const resultIsThere = await orAborted(Promise.race(events), signal);
      if (resultIsThere) {
        const result = await pending[0];
        void pending.shift();
        yield result;
      } else {
        reading = undefined;
      }
    }
  } finally {
    end.abort();
    // A source that is asked for an input and has none could keep us waiting for ever.
    const closed = exhausted ? Promise.resolve() : close(iterator);
    if (!asked) await closed;
    await Promise.allSettled(pending);
  }
}

// eslint-disable-next-line @typescript-eslint/require-await -- rejects with whatever the source threw
async function failed(error: unknown): Promise<never> {
  throw error;
}

const yes = () => true;
const no = () => false;

async function close(iterator: AsyncIterator<unknown> | Iterator<unknown>): Promise<void> {
  try {
    await iterator.return?.();
  } catch {
    // Whoever left, or met an error, has no use for another.
  }
}
