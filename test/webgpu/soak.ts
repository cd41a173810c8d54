/**
 * A soak: many callers at once on one session, batches of mixed sizes, for as many inferences as asked for. Every answer
 * is held against the CPU reference's for that very caller, and memory at the end against that at a tenth of the way.
 *
 * `node --expose-gc … soak.ts tiny|googlenet COUNT` prints one JSON object, a SoakResult, and ends by itself, or
 * something was left open.
 */

import { runReference } from "../../src/cpu/reference.ts";
import { googLeNet } from "../../src/graph/googlenet.ts";
import { type Graph, inferShapesForBatch } from "../../src/graph/graph.ts";
import { elementCount } from "../../src/graph/tensor.ts";
import type { Weights } from "../../src/graph/weights.ts";
import { openGpu } from "../../src/node/dawn.ts";
import { kernelsOnDisk } from "../../src/node/kernels.ts";
import { Session } from "../../src/webgpu/session.ts";
import { seededWeights } from "../../src/weights/seed.ts";
import { keepLedger } from "../support/gpu_ledger.ts";
import { freshSeed, randomTensor, uniform } from "../support/random.ts";
import { tiny, weightsFor } from "./tiny.ts";

/** Memory over the tenth of the inferences before some point: a single look would hang on what was under way just then. */
export interface SoakMemory {
  readonly inferences: number;
  /** The median. */
  readonly residentBytes: number;
  /** The most. */
  readonly liveGpuBytes: number;
}

export interface SoakResult {
  readonly network: string;
  readonly seed: number;
  readonly callers: number;
  readonly inferences: number;
  /** Images of them all. */
  readonly images: number;
  /** The largest difference of a probability from the reference's. */
  readonly maxAbs: number;
  readonly memory: readonly SoakMemory[];
  /** GPU buffers that live once the session was disposed of. */
  readonly leftOnGpu: number;
  /** What keeps the process alive once the device was destroyed, and did not before. */
  readonly handlesLeft: readonly string[];
  readonly adapter: string;
  readonly seconds: number;
}

const CALLERS = 16;
/** Garbage is collected after so many inferences: what nobody collected yet is no leak, and blurs what is. */
const COLLECTED = 100;

interface Network {
  readonly graph: Graph;
  readonly weights: Weights;
  /** The largest magnitude of an input's elements. */
  readonly magnitude: number;
  /** Sizes in turn, small ones most, as services have them. */
  readonly batches: readonly number[];
}

const networks: Readonly<Record<string, () => Network>> = {
  // As many sizes as programs are kept: with more, the most that live at once hangs on chance.
  tiny: () => ({
    ...{ graph: tiny, weights: weightsFor(tiny, 1), magnitude: 3 },
    batches: [1, 1, 1, 2, 1, 3, 1, 1, 2, 4],
  }),
  googlenet: () => {
    const graph = googLeNet();
    const weights = seededWeights(inferShapesForBatch(graph, 1).parameters, 1);
    return { graph, weights, magnitude: 100, batches: [1, 1, 1, 2, 1, 1, 3, 1, 1, 4] };
  },
};

const [network = "tiny", count = "10000"] = process.argv.slice(2);
const total = Number(count);
if (!Object.hasOwn(networks, network) || !(Number.isInteger(total) && total >= 10)) {
  throw new Error("usage: soak.ts tiny|googlenet COUNT, from 10 on");
}
const collect = globalThis.gc;
if (!collect) throw new Error("start it with node --expose-gc");
const handlesBefore = process.getActiveResourcesInfo();

const seed = freshSeed();
const next = uniform(seed);
const { graph, weights, magnitude, batches } = networks[network]();
const one = inferShapesForBatch(graph, 1);
const [[input, shape]] = one.shapes;

/** An image of each caller's, and what the reference makes of it. */
const images: { readonly data: Float32Array; readonly prob: Float32Array }[] = [];
for (let caller = 0; caller < CALLERS; caller++) {
  const tensor = randomTensor(shape, next, magnitude);
  const results = await runReference(one, weights, new Map([[input, tensor]]));
  images.push({ data: tensor.data, prob: results.get("prob")!.data });
}

const { device, name: adapter } = await openGpu();
device.addEventListener("uncapturederror", ({ error }) => {
  throw new Error(`the device complains: ${error.message}`);
});
const ledger = keepLedger(device);
const session = await Session.create({ graph, weights }, { device, kernels: kernelsOnDisk });

// Each size's memory is there from the beginning, whenever it first comes.
for (const batch of new Set(batches)) await session.plan(batch);

const marks = [Math.ceil(total / 10), total];
const memory: SoakMemory[] = [];
let looks: Omit<SoakMemory, "inferences">[] = [];
let [started, done, imagesDone, maxAbs] = [0, 0, 0, 0];

function look(): void {
  const mark = marks[memory.length];
  if (done > 0.9 * mark) {
    looks.push({ residentBytes: process.memoryUsage.rss(), liveGpuBytes: ledger.liveBytes });
  }
  if (done < mark) return;
  const resident = looks.map(({ residentBytes }) => residentBytes).sort((a, b) => a - b);
  memory.push({
    inferences: mark,
    residentBytes: resident[Math.floor(resident.length / 2)],
    liveGpuBytes: Math.max(...looks.map(({ liveGpuBytes }) => liveGpuBytes)),
  });
  looks = [];
}

/** Asks for batches that begin with the caller's own image, one after the other. */
async function call(caller: number): Promise<void> {
  const size = elementCount(shape);
  while (started < total) {
    const batch = batches[(started++ + caller) % batches.length];
    const own = Array.from({ length: batch }, (_, index) => images[(caller + index) % CALLERS]);
    const data = new Float32Array(batch * size);
    own.forEach((image, index) => {
      data.set(image.data, index * size);
    });
    const { prob } = await session.run({ [input]: data });
    const classes = images[0].prob.length;
    if (prob.data.length !== batch * classes) throw new Error(`caller ${caller}: an answer of another size`);
    own.forEach((image, index) => {
      for (let place = 0; place < classes; place++) {
        const difference = Math.abs(prob.data[index * classes + place] - image.prob[place]);
        // What is no number is infinitely far off.
        maxAbs = Math.max(maxAbs, Number.isNaN(difference) ? Infinity : difference);
      }
    });
    done++;
    imagesDone += batch;
    if (done % COLLECTED === 0) collect!();
    look();
  }
}

const start = performance.now();
await Promise.all(images.map((_, caller) => call(caller)));
const seconds = (performance.now() - start) / 1000;
session.dispose();
const leftOnGpu = ledger.live;
device.destroy();
await device.lost;
// Timers of the engine's have a turn to end.
await new Promise((resolve) => setTimeout(resolve, 10));
const handlesLeft = process.getActiveResourcesInfo().filter((handle) => !handlesBefore.includes(handle));
const result: SoakResult = {
  ...{ network, seed, callers: CALLERS, inferences: done, images: imagesDone, maxAbs },
  ...{ memory, leftOnGpu, handlesLeft, adapter, seconds },
};
console.log(JSON.stringify(result));
