/** The closed set of ops, and the shape rule of each. */

import { inferConcat, type Concat } from "./ops/concat.ts";
import { inferConv, type Conv } from "./ops/conv.ts";
import { type Dropout, inferElementwise, type Relu } from "./ops/elementwise.ts";
import { type FullyConnected, inferFullyConnected } from "./ops/fully_connected.ts";
import { inferLrn, type Lrn } from "./ops/lrn.ts";
import type { Inferred } from "./ops/op_rule.ts";
import { inferPoolAvg, type PoolAvg } from "./ops/pool_avg.ts";
import { inferPoolGlobalAvg, type PoolGlobalAvg } from "./ops/pool_global_avg.ts";
import { inferPoolMax, type PoolMax } from "./ops/pool_max.ts";
import { inferSoftmax, type Softmax } from "./ops/softmax.ts";
import type { Shape } from "./tensor.ts";

export type Op = Conv | PoolMax | PoolAvg | PoolGlobalAvg | Relu | Lrn | Concat | Softmax | FullyConnected | Dropout;

export type { Concat, Conv, Dropout, FullyConnected, Lrn, PoolAvg, PoolGlobalAvg, PoolMax, Relu, Softmax };

/**
 * The output shape, parameters and multiply-accumulates of `op` on inputs of these shapes. `subject` names the
 * layer in errors. Throws EngineError "graph" where attributes and shapes do not fit together.
 */
export function inferOp(subject: string, op: Op, inputs: readonly Shape[]): Inferred {
  switch (op.type) {
    case "conv":
      return inferConv(subject, op, inputs);
    case "pool_max":
      return inferPoolMax(subject, op, inputs);
    case "pool_avg":
      return inferPoolAvg(subject, op, inputs);
    case "pool_global_avg":
      return inferPoolGlobalAvg(subject, inputs);
    case "relu":
    case "dropout":
      return inferElementwise(subject, inputs);
    case "lrn":
      return inferLrn(subject, op, inputs);
    case "concat":
      return inferConcat(subject, op, inputs);
    case "softmax":
      return inferSoftmax(subject, op, inputs);
    case "fully_connected":
      return inferFullyConnected(subject, op, inputs);
    default:
      return op satisfies never;
  }
}
