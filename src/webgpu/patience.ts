/**
 * Waiting for a run's results without getting in its way.
 *
 * While a promise of Dawn's is pending, its bindings for Node poll on the main thread, in every turn of the event loop.
 * That burns a core for the whole run, and where the device is the CPU itself (lavapipe) it takes that core from the
 * computation. So a run is first left alone for nearly as long as such runs took lately; then its results are asked
 * for, and the event loop is slowed to a turn a millisecond until they are there. Runs too short for a timer are waited
 * for as the bindings do. Browsers and wgpu don't poll; there this would only cost time. So only devices that
 * whoever opened them has marked are waited for like this.
 */

/** Devices whose bindings poll while promises are pending. */
export const pollingDevices = new WeakSet<GPUDevice>();

/** As many of the last runs are remembered. */
const remembered = 8;

/** Of the quickest of them this much is slept through: a machine that has become quicker shows after a few runs. */
const share = 0.8;

/** Milliseconds below which a timer is too coarse to be worth it. */
const shortest = 4;

/** Runs of one kind, which take about as long as one another. */
export class Patience {
  private readonly milliseconds: number[] = [];
  private readonly polls: boolean;

  /** @param polls - whether the bindings poll while promises are pending */
  constructor(polls: boolean) {
    this.polls = polls;
  }

  /** Waits for `results`, which are asked for only once the run, just submitted, is about to be done. */
  async await<T>(results: () => Promise<T>): Promise<T> {
    if (!this.polls) return results();
    const start = performance.now();
    const delay = Math.min(...this.milliseconds) * share;
    const long = Number.isFinite(delay) && delay >= shortest;
    if (long) await sleep(delay);
    const pending = results();
    const timer = setTimeout(slowDown, long ? 0 : shortest, pending);
    try {
      return await pending;
    } finally {
      clearTimeout(timer);
      this.milliseconds.push(performance.now() - start);
      if (this.milliseconds.length > remembered) this.milliseconds.shift();
    }
  }
}

/** What slows the event loop until it settles. */
const slowing = new Set<Promise<unknown>>();

function slowDown(pending: Promise<unknown>): void {
  if (slowing.size === 0) setImmediate(nap);
  slowing.add(pending);
  const settled = () => void slowing.delete(pending);
  pending.then(settled, settled);
}

/** Made when it is needed: pages that are not isolated have no shared memory, and no need of it. */
let neverNotified: Int32Array<SharedArrayBuffer> | undefined;

/** Blocks for a millisecond: less of the thread's time than its polling would take, and none of the processor's. */
function nap(): void {
  if (slowing.size === 0) return;
  neverNotified ??= new Int32Array(new SharedArrayBuffer(4));
  Atomics.wait(neverNotified, 0, 0, 1);
  setImmediate(nap);
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
