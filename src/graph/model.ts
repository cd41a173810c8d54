/** A network that can be run: what is computed, and with which trained tensors. */

import type { Graph } from "./graph.ts";
import type { Weights } from "./weights.ts";

/** What readers of model files give, and what a session is made of. */
export interface Model {
  readonly graph: Graph;
  /** A tensor for each parameter of the graph, by its name; others are left alone. */
  readonly weights: Weights;
}
