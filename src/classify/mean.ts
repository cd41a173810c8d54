/** Probabilities averaged: over crops for each model, then over models. */

import type { ValueId } from "../graph/graph.ts";
import type { Probabilities } from "./classifier.ts";

/** The mean of arrays that are added one by one; sums are kept in float64. */
class Mean {
  private readonly sums: Float64Array;
  private count = 0;

  constructor(length: number) {
    this.sums = new Float64Array(length);
  }

  add(values: Float32Array): void {
    for (let i = 0; i < values.length; i++) this.sums[i] += values[i];
    this.count++;
  }

  value(): Float32Array {
    return Float32Array.from(this.sums, (sum) => sum / this.count);
  }
}

/** The mean of several probabilities, of each output over those that have it. */
export class MeanProbabilities {
  private readonly means = new Map<ValueId, Mean>();

  add(probabilities: Probabilities): void {
    for (const [id, values] of Object.entries(probabilities)) {
      let mean = this.means.get(id);
      if (!mean) {
        mean = new Mean(values.length);
        this.means.set(id, mean);
      }
      mean.add(values);
    }
  }

  value(): Probabilities {
    return Object.fromEntries([...this.means].map(([id, mean]) => [id, mean.value()]));
  }
}

/** The mean over the models of an ensemble. */
export function meanOf(models: readonly Probabilities[]): Probabilities {
  const mean = new MeanProbabilities();
  for (const model of models) mean.add(model);
  return mean.value();
}
