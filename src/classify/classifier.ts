/**
 * What a classifier is, whatever computes: pictures in, and for each the probabilities averaged over its crops and over
 * the models of an ensemble.
 */

import type { ValueId } from "../graph/graph.ts";
import type { Preparation } from "../image/preparation.ts";
import type { RgbImage } from "../image/resize.ts";

/** For each output of a network the probabilities of its classes: `prob`, and of auxiliary heads `loss1/prob` and so on. */
export type Probabilities = Readonly<Record<ValueId, Float32Array>>;

/** What is made of one picture. */
export interface Classification {
  /** Averaged over crops and models; an output that only some models have, over these. */
  readonly probabilities: Probabilities;
  /** What each model says by itself, averaged over crops, in the models' order. */
  readonly models: readonly Probabilities[];
  /** The time that its share of the batches took to compute. */
  readonly milliseconds: number;
}

/** An item of a stream with what was made of it: nothing where it holds no picture. */
export interface Classified<Item> {
  readonly item: Item;
  readonly classification: Classification | undefined;
}

/** How a stream of pictures is followed and given up. */
export interface ClassifyOptions {
  /** Gives the stream up: it throws the signal's reason. */
  readonly signal?: AbortSignal;
  /** Told how many more crops are done, after each batch. */
  readonly onProgress?: (crops: number) => void;
  /**
   * Told for how long there was nothing to compute because the next picture was not there, each time once it is over;
   * from the first picture that is computed on.
   */
  readonly onIdle?: (milliseconds: number) => void;
}

/** `Prepared` is a picture made ready: plain data that may be made anywhere, in a worker say. */
export interface Classifier<Prepared> extends Disposable {
  /** Crops of each picture. */
  readonly crops: number;
  /** Pictures that are computed together, where there are as many. */
  readonly picturesTogether: number;
  /** Pictures that are taken before the first is given back: as many should be decoded ahead. */
  readonly picturesUnderWay: number;
  /** What `prepare` does, for whoever does it elsewhere. */
  readonly preparation: Preparation;
  /** Makes a picture ready. Throws EngineError "picture" where its data does not have its size. */
  prepare(image: RgbImage): Prepared;
  /**
   * Classifies a stream of pictures and gives the results in their order. While some are computed, the next ones are
   * taken and uploaded. Items without a picture keep their place, so that one that can't be decoded can be reported
   * there. One stream at a time.
   *
   * @param preparedOf - the picture of an item, made ready, if it has one
   */
  classify<Item>(
    items: AsyncIterable<Item> | Iterable<Item>,
    preparedOf: (item: Item) => Prepared | undefined,
    options?: ClassifyOptions,
  ): AsyncGenerator<Classified<Item>, void, undefined>;
}
