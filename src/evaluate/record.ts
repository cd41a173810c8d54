/**
 * What an evaluation leaves behind, as plain data: which run it was, and what it said of each picture. A state file,
 * the command's JSON, a merged result and a report all hold the same.
 */

/** What two evaluations must agree in to be parts of one. */
export interface EvaluationRun {
  /** The engine's version. */
  readonly engine: string;
  /**
   * The models of the ensemble in their order: the SHA-256 of their weights as float32, and what they are called, which
   * may differ from machine to machine.
   */
  readonly models: readonly { readonly name: string; readonly sha256: string }[];
  /** How a picture is looked at: one of `PROTOCOLS`. */
  readonly protocol: string;
  /** Crops of each picture. */
  readonly crops: number;
  readonly precision: string;
  readonly backend: string;
  /** SHA-256 of the list of all shards' pictures with their classes, in order. */
  readonly pictures: string;
  /** How many pictures all shards have together. */
  readonly total: number;
}

/** A part of an evaluation: every `of`-th picture from `index` on, counted from 1. The whole is 1 of 1. */
export interface Shard {
  readonly index: number;
  readonly of: number;
}

/** What computed: an attempt on an evaluation, or on a shard of it. Last bits of probabilities depend on it. */
export interface ComputedBy {
  readonly shard: Shard;
  /** The adapter's name with its driver's, or the processor's; empty where it is not known. */
  readonly adapter: string;
  /**
   * SHA-256 of the choices that `tune` made for the adapter; null where kernels are chosen by default; left out where it
   * is not known.
   */
  readonly tuning?: string | null;
  /** Crops at once, at most; left out where it is not known. */
  readonly batch?: number;
}

/** What became of one picture. */
export type EvaluatedPicture = {
  /** Its place among all shards' pictures, from 0. */
  readonly number: number;
  /** Its path, relative to the folder that was evaluated. */
  readonly image: string;
  /** The class that it shows by its label: a line of the label file, from 0. */
  readonly class: number;
} & (
  | {
      /** The five most probable classes, the first one first. */
      readonly top5: readonly number[];
      /** Their probabilities. */
      readonly probabilities: readonly number[];
      /** The probability of the class that it shows. */
      readonly ofClass: number;
      /** Of an ensemble: the five most probable classes by each model alone, in the models' order. */
      readonly models?: readonly (readonly number[])[];
    }
  /** Why it could not be read. */
  | { readonly error: string }
);

/** An evaluation, or a shard of one. */
export interface Evaluation {
  readonly run: EvaluationRun;
  readonly shard: Shard;
  /** The adapter's name, or the processor's; of several, all of them. */
  readonly adapter: string;
  /** All attempts on all shards, those once that are alike. */
  readonly computedBy: readonly ComputedBy[];
  /** In the order of their numbers. */
  readonly pictures: readonly EvaluatedPicture[];
  /** Time that was spent on classifying, over all attempts and shards, in seconds. */
  readonly seconds: number;
  /**
   * Of these seconds, how many there was nothing to compute because the next picture was not decoded, from the first
   * batch of each attempt on; null where that is not known.
   */
  readonly waitingSeconds: number | null;
  /** Whether unreadable pictures are left out of the denominators rather than counted as errors. */
  readonly skipUnreadable: boolean;
}
