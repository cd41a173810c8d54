/**
 * Evaluates as the command does, by a classifier without a network: `evaluate-stub.ts {"folder", "labels", "state", …}`.
 * What it says of a picture depends on the picture, and in the last digits on the batch that it is in, as on a device
 * whose kernels were tuned batch by batch.
 */

import { setTimeout as sleep } from "node:timers/promises";
import path from "node:path";
import type { Classified, Classifier } from "../../src/classify/classifier.ts";
import { printSummary } from "../../src/cli/evaluate-results.ts";
import { evaluateWork } from "../../src/cli/evaluate-work.ts";
import { errorLine, statusOf } from "../../src/cli/report.ts";
import { Terminal } from "../../src/cli/terminal.ts";
import { digestOfPictures } from "../../src/evaluate/pictures.ts";
import type { Shard } from "../../src/evaluate/record.ts";
import { prepareBy } from "../../src/image/preparation.ts";
import type { RgbImage } from "../../src/image/resize.ts";
import type { Sampling } from "../../src/image/sampling.ts";
import { listLabelledPictures } from "../../src/node/labelled-folder.ts";
import { uniform } from "../support/random.ts";

export interface StubOptions {
  readonly folder: string;
  readonly labels: string;
  readonly state?: string;
  readonly shard?: Shard;
  readonly skipUnreadable?: boolean;
  /** Before each picture, in milliseconds. */
  readonly delay?: number;
  /** Stands for the weights. */
  readonly seed?: number;
  /** Whether the batch has no part in the last digits, as by default on a device. */
  readonly exact?: boolean;
  readonly adapter?: string;
  /** Unless it is false, no notes are printed. */
  readonly quiet?: boolean;
}

const GROUP = 3;

class Stub implements Classifier<Sampling> {
  readonly crops = 1;
  readonly picturesTogether = GROUP;
  readonly picturesUnderWay = 2 * GROUP;
  readonly preparation = { kind: "sampling", protocol: "squash224", side: 16 } as const;
  private readonly delay: number;
  private readonly seed: number;
  private readonly exact: boolean;

  constructor({ delay = 0, seed = 1, exact = false }: StubOptions) {
    this.delay = delay;
    this.seed = seed;
    this.exact = exact;
  }

  prepare(image: RgbImage): Sampling {
    return prepareBy(this.preparation, image);
  }

  async *classify<Item>(
    items: AsyncIterable<Item>,
    preparedOf: (item: Item) => Sampling | undefined,
  ): AsyncGenerator<Classified<Item>, void, undefined> {
    let group: Item[] = [];
    const results = () => {
      const readable = group.filter((item) => preparedOf(item)).length;
      return group.map((item) => ({ item, classification: this.classifyOne(preparedOf(item), readable) }));
    };
    for await (const item of items) {
      group.push(item);
      if (group.filter((each) => preparedOf(each)).length < GROUP) continue;
      // So that it may be killed between pictures of a group as well.
      for (const result of results()) {
        if (this.delay > 0) await sleep(this.delay);
        yield result;
      }
      group = [];
    }
    yield* results();
  }

  [Symbol.dispose](): void {
    return;
  }

  private classifyOne(sampling: Sampling | undefined, batch: number) {
    if (!sampling) return undefined;
    const next = uniform(sampling.pixels.reduce((sum, word) => (Math.imul(sum, 31) + word) | 0, this.seed));
    const prob = Float32Array.from({ length: 10 }, () => next() * (this.exact ? 1 : 1 + 1e-6 * batch));
    return { probabilities: { prob }, models: [{ prob }], milliseconds: 1 };
  }
}

/** Prints what the command prints with --json. */
export async function evaluateByStub(options: StubOptions, terminal: Terminal): Promise<void> {
  const { folder, labels, state, shard = { index: 1, of: 1 }, skipUnreadable = false, seed = 1 } = options;
  const { adapter = "stub" } = options;
  const { pictures } = await listLabelledPictures(folder, { labels });
  const evaluation = await evaluateWork(
    {
      run: {
        engine: "0.1.0",
        models: [{ name: `seed:${seed}`, sha256: String(seed).repeat(64) }],
        protocol: "squash224",
        crops: 1,
        precision: "f32",
        backend: "cpu",
        pictures: await digestOfPictures(pictures),
        total: pictures.length,
      },
      shard,
      pictures,
      pathOf: (image) => path.join(folder, image),
      state,
      skipUnreadable,
      open: () =>
        Promise.resolve({
          classifier: new Stub(options),
          backend: "cpu",
          adapter,
          tuning: null,
          batch: GROUP,
          precision: "f32",
          [Symbol.dispose]: () => undefined,
        }),
    },
    { terminal, signal: new AbortController().signal },
  );
  await printSummary(evaluation, terminal);
}

if (process.argv[1] === import.meta.filename) {
  try {
    const options = JSON.parse(process.argv[2]) as StubOptions;
    await evaluateByStub(options, new Terminal({ json: true, quiet: options.quiet ?? true }));
  } catch (error) {
    process.stderr.write(`${errorLine(error)}\n`);
    process.exitCode = statusOf(error);
  }
}
