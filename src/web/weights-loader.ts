/** Where the worker's weights come from: kept by this browser, served beside the page, chosen by the user, made up. */

import { EngineError } from "../errors.ts";
import { googLeNet } from "../graph/googlenet.ts";
import { inferShapesForBatch, type Parameter } from "../graph/graph.ts";
import type { Weights } from "../graph/weights.ts";
import { checkWeights, isAuxiliary } from "../weights/check.ts";
import { readAnyWeights } from "../weights/read-any.ts";
import { recogniseWeights } from "../weights/recognise.ts";
import { seededWeights } from "../weights/seed.ts";
import { sha256 } from "./digest.ts";
import type { Stage, WeightsState } from "./protocol.ts";
import { receive } from "./receive.ts";
import type { WeightsCache } from "./weights-cache.ts";
import { askForWeights, type NoWeights, type ServedWeights } from "./weights-offer.ts";

/** Weights that fit the network, and what they are. */
export interface LoadedWeights {
  readonly weights: Weights;
  readonly state: WeightsState;
}

export type OnProgress = (stage: Stage, done: number, of: number) => void;

export interface LoaderOptions {
  readonly cache: WeightsCache;
  /** As the global one. */
  readonly fetch: (url: string, init?: { headers: Record<string, string> }) => Promise<Response>;
  readonly onProgress: OnProgress;
}

export class WeightsLoader {
  private readonly options: LoaderOptions;

  constructor(options: LoaderOptions) {
    this.options = options;
  }

  /**
   * The user's own file where one is kept, else what the server has. Rejects with EngineError "download" or "weights"
   * where the server's can't be had or used.
   */
  async find(): Promise<LoadedWeights | NoWeights> {
    const own = await this.options.cache.find("user");
    let note: string | undefined;
    if (own) {
      try {
        return await this.read(own.name, own.bytes, { from: "user", kept: true });
      } catch (error) {
        if (!(error instanceof EngineError)) throw error;
        // A newer page may ask more of a file than the one that kept it.
        note = error.message;
        await this.options.cache.forget("user");
      }
    }
    const offer = await askForWeights(this.options.fetch);
    if (offer.kind === "none") return offer;
    const found = offer.kind === "seed" ? await this.seeded(offer.seed) : await this.served(offer);
    return note === undefined ? found : { ...found, state: { ...found.state, note } };
  }

  /** A file of the user's, kept from now on where it is one. Rejects with EngineError "weights". */
  async chosen(name: string, bytes: Uint8Array): Promise<LoadedWeights> {
    const loaded = await this.read(name, bytes, { from: "user", kept: false });
    const kept = await this.options.cache.keep("user", { name, bytes, sha256: await sha256(bytes) });
    return { ...loaded, state: { ...loaded.state, kept } };
  }

  async seeded(seed: number): Promise<LoadedWeights> {
    this.options.onProgress("read", 0, 1);
    const weights = seededWeights(parametersOf("all"), seed);
    return Promise.resolve({
      weights,
      state: { name: `seed:${seed}`, from: "seed", bytes: 0, kept: false, heads: "all" },
    });
  }

  private async served(offer: ServedWeights): Promise<LoadedWeights> {
    const { cache, fetch, onProgress } = this.options;
    const kept = await cache.find("server", offer.sha256);
    if (kept) return this.read(kept.name, kept.bytes, { from: "server", kept: true });
    const bytes = await receive(offer, { fetch, onProgress: (done, of) => onProgress("download", done, of) });
    const loaded = await this.read(offer.name, bytes, { from: "server", kept: false });
    const keeps = await cache.keep("server", { name: offer.name, bytes, sha256: offer.sha256 });
    return { ...loaded, state: { ...loaded.state, kept: keeps } };
  }

  private async read(
    name: string,
    bytes: Uint8Array,
    origin: Pick<WeightsState, "from" | "kept">,
  ): Promise<LoadedWeights> {
    this.options.onProgress("read", 0, 1);
    const { tensors } = await readAnyWeights(bytes, name);
    const heads = [...tensors.keys()].some(isAuxiliary) ? "all" : "main";
    const parameters = parametersOf(heads);
    checkWeights(tensors, parameters, name);
    const weights = new Map(parameters.map((parameter) => [parameter.name, tensors.get(parameter.name)!]));
    const recognised = await recogniseWeights(weights);
    return { weights, state: { name: recognised ?? name, bytes: bytes.length, heads, ...origin } };
  }
}

function parametersOf(heads: "main" | "all"): readonly Parameter[] {
  return inferShapesForBatch(googLeNet({ heads }), 1).parameters;
}
