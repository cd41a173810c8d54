/** AbortSignals, as the web's own functions obey them: a promise rejects with the signal's reason. */

/** Gives work up when the signal comes, whatever becomes of it behind. */
export async function orAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work;
  // Whoever gave it up must not hear of it as an unhandled rejection.
  work.catch(() => undefined);
  signal.throwIfAborted();
  let abort: () => void = () => undefined;
  try {
    return await new Promise<T>((resolve, reject) => {
      abort = () => reject(signal.reason as Error);
      signal.addEventListener("abort", abort);
      work.then(resolve, reject);
    });
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

/** A callback that is silent once the signal came: whoever gave work up has heard the last of it. */
export function untilAborted<Told extends readonly unknown[]>(
  callback: ((...told: Told) => void) | undefined,
  signal: AbortSignal | undefined,
): ((...told: Told) => void) | undefined {
  if (!callback) return undefined;
  return (...told) => {
    if (signal?.aborted !== true) callback(...told);
  };
}
