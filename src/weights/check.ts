/** Whether weights fit a network, before anything runs on them. */

import { EngineError } from "../errors.ts";
import type { Parameter } from "../graph/graph.ts";
import { formatShape, sameShape } from "../graph/tensor.ts";
import type { Weights } from "../graph/weights.ts";

/** How many names an error lists before it only counts. */
const LISTED = 3;
const AUXILIARY = /^loss[12]\//;

/** Whether a tensor belongs to one of GoogLeNet's auxiliary classifiers. */
export function isAuxiliary(name: string): boolean {
  return AUXILIARY.test(name);
}

/**
 * Checks that weights fill exactly the given parameters: all there, of the right shape, finite; none besides, but for
 * auxiliary heads that were not asked for.
 *
 * @param source what to call the weights in errors
 * @throws EngineError "weights"
 */
export function checkWeights(weights: Weights, parameters: readonly Parameter[], source: string): void {
  const missing = parameters.filter(({ name }) => !weights.has(name)).map(({ name }) => name);
  if (missing.length > 0) {
    throw new EngineError(
      "weights",
      source,
      `lacks ${list(missing)}`,
      missing.every(isAuxiliary)
        ? "use weights that have the auxiliary heads, such as BVLC's caffemodel, or the main head alone"
        : "use weights of this very network",
    );
  }
  const asked = new Set(parameters.map(({ name }) => name));
  const extra = [...weights.keys()].filter((name) => !asked.has(name) && !isAuxiliary(name));
  if (extra.length > 0) {
    throw new EngineError(
      "weights",
      source,
      `has ${list(extra)}, which the network does not`,
      "use weights of this very network",
    );
  }
  const misshapen = parameters.filter(({ name, shape }) => !sameShape(weights.get(name)!.shape, shape));
  if (misshapen.length > 0) {
    throw new EngineError(
      "weights",
      source,
      `has another shape than the network in ${list(
        misshapen.map(
          ({ name, shape }) => `${name} (${formatShape(weights.get(name)!.shape)}, not ${formatShape(shape)})`,
        ),
      )}`,
      "use weights of this very network",
    );
  }
  const notFinite = parameters.filter(({ name }) => !weights.get(name)!.data.every(Number.isFinite));
  if (notFinite.length > 0) {
    throw new EngineError(
      "weights",
      source,
      `has values that are not finite in ${list(notFinite.map(({ name }) => name))}`,
      "fetch or convert the file again",
    );
  }
}

function list(names: readonly string[]): string {
  const listed = names.slice(0, LISTED).join(", ");
  return names.length > LISTED ? `${listed} and ${names.length - LISTED} more` : listed;
}
