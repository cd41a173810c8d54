/** How long a classifier had nothing to compute because its next picture was not there yet. */

/**
 * Watches one stream: the pictures that are waited for, and what is computed meanwhile. A wait counts from the first
 * computation on, and only as long as nothing is under way.
 */
export class IdleTime {
  private readonly told: (milliseconds: number) => void;
  private computing = 0;
  private isWaiting = false;
  private hasBegun = false;
  /** When the time that is being counted began. */
  private since: number | undefined;

  /** @param told - told how long it was, each time once it is over */
  constructor(told: (milliseconds: number) => void) {
    this.told = told;
  }

  /** Passes items on, and notes when one is waited for. */
  async *watch<Item>(items: AsyncIterable<Item> | Iterable<Item>): AsyncGenerator<Item, void, undefined> {
    try {
      this.waits(true);
      for await (const item of items) {
        this.waits(false);
        yield item;
        this.waits(true);
      }
    } finally {
      this.waits(false);
    }
  }

  /** Does some of the computing. */
  async during<Result>(compute: () => Promise<Result>): Promise<Result> {
    this.hasBegun = true;
    this.computing++;
    this.note();
    try {
      return await compute();
    } finally {
      this.computing--;
      this.note();
    }
  }

  private waits(isWaiting: boolean): void {
    this.isWaiting = isWaiting;
    this.note();
  }

  private note(): void {
    const isIdle = this.hasBegun && this.isWaiting && this.computing === 0;
    if (isIdle) {
      this.since ??= performance.now();
    } else if (this.since !== undefined) {
      const milliseconds = performance.now() - this.since;
      this.since = undefined;
      this.told(milliseconds);
    }
  }
}
