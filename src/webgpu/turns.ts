/** A queue in front of the device: callers are let in in the order in which they came, so many at once. */

interface Waiter {
  readonly most: number;
  readonly start: () => void;
}

export class Turns {
  private active = 0;
  private readonly waiting: Waiter[] = [];

  /**
   * Waits for a turn and gives the function that ends it. Rejects with the signal's reason where that comes first;
   * those behind then move up.
   *
   * @param most - how many turns may be taken at once, this one among them
   */
  take(most: number, signal?: AbortSignal): Promise<() => void> {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      const leave = () => {
        this.waiting.splice(this.waiting.indexOf(waiter), 1);
        reject(signal!.reason as Error);
        this.letIn();
      };
      const waiter: Waiter = {
        most,
        start: () => {
          signal?.removeEventListener("abort", leave);
          resolve(() => {
            this.active--;
            this.letIn();
          });
        },
      };
      signal?.addEventListener("abort", leave);
      this.waiting.push(waiter);
      this.letIn();
    });
  }

  private letIn(): void {
    while (this.waiting.length > 0 && this.active < this.waiting[0].most) {
      this.active++;
      this.waiting.shift()!.start();
    }
  }
}
