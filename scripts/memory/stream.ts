/**
 * Classifies a folder the way that `classify` does, and sends its parent the resident memory at given counts of
 * pictures: `stream.ts FOLDER ENGINE COUNT…`, with ENGINE webgpu, cpu, or stub: no network, the rest as it is.
 */

import { classifyWith } from "../../src/cli/classify.ts";
import { type Engine, openEngine } from "../../src/cli/engine.ts";
import { type Picture, pictures, survey } from "../../src/cli/pictures.ts";
import { Terminal } from "../../src/cli/terminal.ts";
import { googLeNet } from "../../src/graph/googlenet.ts";
import { inferShapesForBatch } from "../../src/graph/graph.ts";
import { seededWeights } from "../../src/weights/seed.ts";

const [folder, engineName, ...counts] = process.argv.slice(2);
const batch = 8;
const context = { terminal: new Terminal({ json: true, quiet: false }), signal: new AbortController().signal };

/** Takes its input and gives every class the same probability. */
const stub: Engine = {
  backend: "cpu",
  adapter: "stub",
  prepare: () => Promise.resolve(),
  run({ data }) {
    const shape = [data.shape[0], 1000];
    return Promise.resolve({ prob: { shape, data: new Float32Array(1000 * data.shape[0]).fill(0.001) } });
  },
  [Symbol.dispose]: () => undefined,
};

async function open(): Promise<Engine> {
  if (engineName === "stub") return stub;
  const graph = googLeNet();
  const weights = seededWeights(inferShapesForBatch(graph, 1).parameters, 1);
  return openEngine(graph, weights, { backend: engineName === "cpu" ? "cpu" : "webgpu", batch }, context);
}

/**
 * Passes the pictures on. A single look would hang on when garbage was last collected: the memory at a count is the
 * median of a look at each picture of the tenth before it.
 */
async function* watched(source: AsyncIterable<Picture>): AsyncGenerator<Picture, void, undefined> {
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

const { pictures: total } = await survey([folder]);
using engine = await open();
const source = watched(pictures([folder], "squash256", batch + 4));
process.exitCode = await classifyWith(engine, source, { batch, total, top: 5, weightsName: "seed:1", context });
