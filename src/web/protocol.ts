/**
 * What the page and its worker say to each other. The page asks, each question with a number; the worker answers each
 * once, and tells of what goes on meanwhile.
 */

import { EngineError, type ErrorCode } from "../errors.ts";
import type { Shape } from "../graph/tensor.ts";
import { messageOf } from "./values.ts";
import type { NoWeights } from "./weights-offer.ts";

/** What the weights in use are. */
export interface WeightsState {
  /** The trained network's name where it is known, else the file's, or `seed:N`. */
  readonly name: string;
  /** Whose choice they were: the server's, the user's, or made up. */
  readonly from: "server" | "user" | "seed";
  /** Of the file; 0 where there is none. */
  readonly bytes: number;
  /** Whether this browser keeps the file, so that the next visit loads nothing. */
  readonly kept: boolean;
  /** Whether they have the auxiliary heads. */
  readonly heads: "main" | "all";
  /** What became of a file that was expected and can't be used. */
  readonly note?: string;
}

export interface Ready {
  readonly state: "ready";
  readonly adapter: string;
  readonly weights: WeightsState;
}

export interface WithoutWeights {
  readonly state: "without weights";
  readonly adapter: string;
  readonly offer: NoWeights;
}

export interface Classified {
  /** Of the 1000 classes. */
  readonly probabilities: Float32Array;
  readonly milliseconds: number;
  /** Whether the GPU's own clock measured it, or the page's, with what lies between them. */
  readonly clock: "gpu" | "wall";
  /** The blob that was asked for beside, where the same run could give it. */
  readonly blob?: Blob;
}

export interface Blob {
  readonly shape: Shape;
  readonly data: Float32Array;
}

/** Questions, by their names, with what each takes and gives. */
export interface Calls {
  /** Opens the GPU and gets the weights: kept ones, those of the server, or none. */
  start: { takes: undefined; gives: Ready | WithoutWeights };
  /** Uses a file of the user's from now on, and keeps it. */
  useFile: { takes: { readonly name: string; readonly bytes: ArrayBuffer }; gives: Ready };
  useSeed: { takes: { readonly seed: number }; gives: Ready };
  /** Forgets the user's file, and starts over. */
  forget: { takes: undefined; gives: Ready | WithoutWeights };
  /** Labels a picture; without one, the last picture again. A blob that is to be shown comes with it, if it can. */
  classify: { takes: { readonly picture?: ImageBitmap; readonly blob: string }; gives: Classified };
  /** A blob of the network as it was for the last picture. */
  blob: { takes: { readonly name: string }; gives: Blob };
}

export type CallName = keyof Calls;

export type Stage = "gpu" | "download" | "check" | "read" | "upload" | "compile";

/** What the worker tells without being asked. */
export type News =
  | { readonly kind: "progress"; readonly stage: Stage; readonly done: number; readonly of: number }
  | { readonly kind: "lost"; readonly why: string };

export interface Question<Name extends CallName = CallName> {
  readonly id: number;
  readonly call: Name;
  readonly takes: Calls[Name]["takes"];
}

/** An error, as it goes from one thread to the other. */
export interface Fault {
  readonly code: ErrorCode;
  readonly subject: string;
  readonly problem: string;
  readonly remedy: string;
}

export type Message =
  | { readonly kind: "answer"; readonly id: number; readonly gives: unknown }
  | { readonly kind: "refusal"; readonly id: number; readonly fault: Fault }
  | News;

/** What can be sent of an error. */
export function faultOf(error: unknown): Fault {
  if (error instanceof EngineError) {
    const { code, subject, remedy, problem } = error;
    return { code, subject, remedy, problem };
  }
  return { code: "check", subject: "internal error", problem: messageOf(error), remedy: "reload the page" };
}

export function errorOf({ code, subject, problem, remedy }: Fault): EngineError {
  return new EngineError(code, subject, problem, remedy);
}
