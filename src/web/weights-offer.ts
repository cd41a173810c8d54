/** What the page's own server has to offer as weights: the answer to `weights.json`. */

import { isObject } from "./values.ts";

/** A file that can be had from the server. */
export interface ServedWeights {
  readonly kind: "file";
  /** Relative to the page. */
  readonly url: string;
  readonly name: string;
  readonly bytes: number;
  /** Hexadecimal. */
  readonly sha256: string;
}

/** Made-up weights, which need no file. */
export interface SeededWeights {
  readonly kind: "seed";
  readonly seed: number;
}

/** No weights, but where there are some. */
export interface NoWeights {
  readonly kind: "none";
  readonly file?: string;
  readonly url?: string;
  readonly bytes?: number;
  readonly licence?: string;
  /** A page about them. */
  readonly source?: string;
}

export type WeightsOffer = ServedWeights | SeededWeights | NoWeights;

/** Where the offer lies, relative to the page. */
export const OFFER_URL = "weights.json";

/**
 * Asks the server. One that knows nothing of weights, because it only serves files, has none.
 *
 * @param fetch as the global one
 */
export async function askForWeights(fetch: (url: string) => Promise<Response>): Promise<WeightsOffer> {
  try {
    const response = await fetch(OFFER_URL);
    const offer: unknown = response.ok ? await response.json() : null;
    return isOffer(offer) ? offer : { kind: "none" };
  } catch {
    return { kind: "none" };
  }
}

function isOffer(value: unknown): value is WeightsOffer {
  if (!isObject(value)) return false;
  const { kind, url, name, bytes, sha256, seed } = value;
  switch (kind) {
    case "file":
      return (
        [url, name, sha256].every((text) => typeof text === "string" && text !== "") &&
        Number.isSafeInteger(bytes) &&
        (bytes as number) > 0
      );
    case "seed":
      return Number.isSafeInteger(seed);
    default:
      return kind === "none";
  }
}
