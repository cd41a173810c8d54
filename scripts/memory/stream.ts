/**
 * Classifies a folder the way that `classify` does, and sends its parent the resident memory at given counts of
 * pictures: `stream.ts FOLDER ENGINE COUNT…`, with ENGINE webgpu, cpu, or stub: no network, the rest as it is.
 */

import type { Classified, Classifier } from "../../src/classify/classifier.ts";
import { classifyWith } from "../../src/cli/classify.ts";
import { openClassifier, type OpenClassifier } from "../../src/cli/open-classifier.ts";
import { type Picture, pictures, survey } from "../../src/cli/pictures.ts";
import { Terminal } from "../../src/cli/terminal.ts";
import { googLeNet } from "../../src/graph/googlenet.ts";
import { inferShapesForBatch } from "../../src/graph/graph.ts";
import { prepareBy } from "../../src/image/preparation.ts";
import { INPUT_SIDE } from "../../src/image/preprocess.ts";
import type { RgbImage } from "../../src/image/resize.ts";
import type { Sampling } from "../../src/image/sampling.ts";
import { seededWeights } from "../../src/weights/seed.ts";

const [folder, engineName, ...counts] = process.argv.slice(2);
const context = { terminal: new Terminal({ json: true, quiet: false }), signal: new AbortController().signal };
const { pictures: total } = await survey([folder]);

/** Takes its pictures and gives every class the same probability. */
class Stub implements Classifier<Sampling> {
  readonly crops = 1;
  readonly picturesTogether = 8;
  readonly picturesUnderWay = 16;
  readonly preparation = { kind: "sampling", protocol: "squash256", side: INPUT_SIDE } as const;

  prepare(image: RgbImage): Sampling {
    return prepareBy(this.preparation, image);
  }

  async *classify<Item>(items: AsyncIterable<Item>): AsyncGenerator<Classified<Item>, void, undefined> {
    for await (const item of items) {
      const probabilities = { prob: new Float32Array(1000).fill(0.001) };
      yield { item, classification: { probabilities, models: [probabilities], milliseconds: 0 } };
    }
  }

  [Symbol.dispose](): void {
    return;
  }
}

async function open(): Promise<OpenClassifier> {
  if (engineName === "stub") {
    return {
      classifier: new Stub(),
      backend: "cpu",
      adapter: "stub",
      tuning: null,
      batch: 1,
      precision: "f32",
      [Symbol.dispose]: () => undefined,
    };
  }
  const graph = googLeNet();
  const weights = seededWeights(inferShapesForBatch(graph, 1).parameters, 1);
  const backend = engineName === "cpu" ? "cpu" : "webgpu";
  return openClassifier(
    [{ graph, weights }],
    { protocol: "squash256", backend, precision: "f32", batch: 8, pictures: total },
    context,
  );
}

/**
 * Passes the pictures on. A single look would hang on when garbage was last collected: the memory at a count is the
 * median of a look at each picture of the tenth before it.
 */
async function* watched<T>(source: AsyncIterable<Picture<T>>): AsyncGenerator<Picture<T>, void, undefined> {
  const at = counts.map(Number);
  let looks: number[] = [];
  let count = 0;
  for await (const picture of source) {
    if ("error" in picture) throw picture.error;
    yield picture;
    count++;
    const next = at[0];
    if (count > 0.9 * next) looks.push(process.memoryUsage.rss());
    if (count === next) {
      const bytes = looks.sort((a, b) => a - b)[Math.floor(looks.length / 2)];
      process.send?.({ pictures: at.shift(), bytes });
      looks = [];
    }
  }
}

using engine = await open();
const { classifier } = engine;
const source = watched(pictures([folder], (image) => classifier.prepare(image), classifier.picturesUnderWay + 4));
process.exitCode = await classifyWith(engine, source, { total, top: 5, weights: ["seed:1"], context });
