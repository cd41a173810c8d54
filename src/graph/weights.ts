/** The learned tensors of a network. */

import type { Tensor } from "./tensor.ts";

/** Tensors by parameter name (see `Parameter` in graph.ts), e.g. `conv1/7x7_s2.weight`, `loss3/classifier.bias`. */
export type Weights = ReadonlyMap<string, Tensor>;
