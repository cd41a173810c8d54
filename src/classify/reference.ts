/** The CPU reference as a classifier: the same protocols and ensembles, crop by crop, cut by the CPU's own resizing. */

import { runReference } from "../cpu/reference.ts";
import { inferShapesForBatch } from "../graph/graph.ts";
import type { Model } from "../graph/model.ts";
import { type Crop, cropCount, cropsOf, cutCrop, type Protocol } from "../image/crops.ts";
import type { RgbImage } from "../image/resize.ts";
import type { Classification, Classified, Classifier, ClassifyOptions, Probabilities } from "./classifier.ts";
import { IdleTime } from "./idle.ts";
import { inputOf } from "./input.ts";
import { MeanProbabilities, meanOf } from "./mean.ts";

/** How pictures are looked at. */
export interface ReferenceClassifierOptions {
  /** How pictures are looked at; `squash256` unless given. */
  readonly protocol?: Protocol;
}

/** Classifies pictures on the CPU, slowly: what the GPU is held against. */
export class ReferenceClassifier implements Classifier<RgbImage> {
  readonly crops: number;
  readonly picturesTogether = 1;
  readonly picturesUnderWay = 1;
  readonly preparation = { kind: "picture" } as const;
  private readonly models: readonly Model[];
  private readonly protocol: Protocol;
  private readonly input: ReturnType<typeof inputOf>;

  /** Throws EngineError "usage" for no models, or for models whose inputs differ or are no square pictures. */
  constructor(models: readonly Model[], { protocol = "squash256" }: ReferenceClassifierOptions = {}) {
    this.models = models;
    this.protocol = protocol;
    this.crops = cropCount(protocol);
    this.input = inputOf(models);
  }

  prepare(image: RgbImage): RgbImage {
    return image;
  }

  async *classify<Item>(
    items: AsyncIterable<Item> | Iterable<Item>,
    preparedOf: (item: Item) => RgbImage | undefined,
    options: ClassifyOptions = {},
  ): AsyncGenerator<Classified<Item>, void, undefined> {
    const idle = new IdleTime((milliseconds) => options.onIdle?.(milliseconds));
    for await (const item of idle.watch(items)) {
      const image = preparedOf(item);
      yield { item, classification: image && (await idle.during(() => this.classifyOne(image, options))) };
    }
  }

  /** There is nothing to let go of. */
  [Symbol.dispose](): void {
    return;
  }

  private async classifyOne(image: RgbImage, { signal, onProgress }: ClassifyOptions): Promise<Classification> {
    const start = performance.now();
    const means = this.models.map(() => new MeanProbabilities());
    for (const crop of cropsOf(this.protocol, image, this.input.side)) {
      for (const [index, model] of this.models.entries()) {
        means[index].add(await this.run(model, image, crop, signal));
      }
      onProgress?.(1);
    }
    const models = means.map((mean) => mean.value());
    return { probabilities: meanOf(models), models, milliseconds: performance.now() - start };
  }

  private async run(
    { graph, weights }: Model,
    image: RgbImage,
    crop: Crop,
    signal: AbortSignal | undefined,
  ): Promise<Probabilities> {
    const { name, side } = this.input;
    const data = new Float32Array(3 * side * side);
    cutCrop(image, crop, data, 0, side);
    const inputs = new Map([[name, { shape: [1, 3, side, side], data }]]);
    const outputs = await runReference(inferShapesForBatch(graph, 1), weights, inputs, signal ? { signal } : {});
    return Object.fromEntries([...outputs].map(([id, tensor]) => [id, tensor.data]));
  }
}
