/** What the models of an ensemble take. */

import { EngineError } from "../errors.ts";
import { formatShape } from "../graph/tensor.ts";
import type { Model } from "../graph/model.ts";

/**
 * The input's name, and the side of the square pictures that it takes.
 * @throws EngineError `usage` for no models, or for models whose inputs differ or are not (N, 3, side, side).
 */
export function inputOf(models: readonly Model[]): { readonly name: string; readonly side: number } {
  if (models.length === 0) throw new EngineError("usage", "models", "there is none", "give one or more");
  const [first, ...others] = models.map(({ graph }) => {
    const [input] = graph.inputs;
    const [batch, channels, height, width] = input.shape;
    const fits = graph.inputs.length === 1 && input.shape.length === 4 && batch === "N" && channels === 3;
    if (!fits || typeof width !== "number" || height !== width) {
      const shapes = graph.inputs.map(({ shape }) => formatShape(shape)).join(" and ");
      throw new EngineError("usage", `model ${graph.name}`, `its input is ${shapes}`, "give a model of N×3×side×side");
    }
    return { name: input.name, side: width };
  });
  const other = others.find(({ name, side }) => name !== first.name || side !== first.side);
  if (other) {
    const problem = `their inputs differ: ${first.name} of ${first.side}×${first.side}, ${other.name} of ${other.side}×${other.side}`;
    throw new EngineError("usage", "models", problem, "give models of one graph");
  }
  return first;
}
