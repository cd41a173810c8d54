/** The worker: answers the page's questions with the network, one after another. */

import { Engine } from "./engine.ts";
import { Gpu } from "./gpu.ts";
import { pixelsOf } from "./pixels.ts";
import {
  type CallName,
  type Calls,
  faultOf,
  type Message,
  type Question,
  type Ready,
  type Stage,
  type WithoutWeights,
} from "./protocol.ts";
import { WeightsCache } from "./weights-cache.ts";
import { type LoadedWeights, WeightsLoader } from "./weights-loader.ts";

/** The part of a worker's global scope that is used; the page's types have none. */
interface WorkerScope {
  onmessage: ((event: MessageEvent<Question>) => void) | null;
  postMessage(message: Message): void;
}
const scope = globalThis as unknown as WorkerScope;

const tell = (message: Message) => scope.postMessage(message);
const progress = (stage: Stage, done: number, of: number) => tell({ kind: "progress", stage, done, of });

const gpu = new Gpu((why) => tell({ kind: "lost", why }));
const engine = new Engine(gpu);
const cache = new WeightsCache(() => caches.open("googlenet-wgsl"));
const loader = new WeightsLoader({
  cache,
  fetch: (url, init) => fetch(url, init),
  onProgress: progress,
});

async function use({ weights, state }: LoadedWeights): Promise<Ready> {
  progress("compile", 0, 1);
  await engine.use(weights, state.heads, (done, of) => progress("compile", done, of));
  return { state: "ready", adapter: gpu.adapter, weights: state };
}

async function start(): Promise<Ready | WithoutWeights> {
  progress("gpu", 0, 1);
  // Where there is no GPU there is no use in 50 MB of weights.
  await gpu.device();
  const found = await loader.find();
  return "weights" in found ? use(found) : { state: "without weights", adapter: gpu.adapter, offer: found };
}

const answers: { readonly [Name in CallName]: (takes: Calls[Name]["takes"]) => Promise<Calls[Name]["gives"]> } = {
  start,
  useFile: async ({ name, bytes }) => use(await loader.chosen(name, new Uint8Array(bytes))),
  useSeed: async ({ seed }) => use(await loader.seeded(seed)),
  forget: async () => {
    await cache.forget("user");
    return start();
  },
  classify: async ({ picture, blob }) => {
    const pixels = picture && pixelsOf(picture);
    picture?.close();
    return engine.classify(pixels, blob);
  },
  blob: ({ name }) => engine.blob(name),
};

/** One question at a time: a blob belongs to the picture that was asked about before it. */
let turn: Promise<void> = Promise.resolve();

scope.onmessage = ({ data: { id, call, takes } }) => {
  turn = turn.then(async () => {
    try {
      const gives = await (answers[call] as (takes: unknown) => Promise<unknown>)(takes);
      tell({ kind: "answer", id, gives });
    } catch (error) {
      tell({ kind: "refusal", id, fault: faultOf(error) });
    }
  });
};
