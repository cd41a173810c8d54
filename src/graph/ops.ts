/** The closed set of ops, and the shape rule of each. */

import { EngineError } from "../errors.ts";
import { type Binary, inferBinary } from "./ops/binary.ts";
import { type Concat, inferConcat } from "./ops/concat.ts";
import { type Constant, inferConstant } from "./ops/constant.ts";
import { type Conv, inferConv } from "./ops/conv.ts";
import { type FullyConnected, inferFullyConnected } from "./ops/fully_connected.ts";
import { type Gather, inferGather } from "./ops/gather.ts";
import { inferLrn, type Lrn } from "./ops/lrn.ts";
import { inferMatmul, type Matmul } from "./ops/matmul.ts";
import { type Inferred, sameShapeAsInput } from "./ops/op_rule.ts";
import { inferPad, type Pad } from "./ops/pad.ts";
import { inferPoolAvg, type PoolAvg } from "./ops/pool_avg.ts";
import { inferPoolGlobalAvg, type PoolGlobalAvg } from "./ops/pool_global_avg.ts";
import { inferPoolMax, type PoolMax } from "./ops/pool_max.ts";
import { inferReduce, type Reduce } from "./ops/reduce.ts";
import type { Relu } from "./ops/relu.ts";
import { inferScale, type Scale } from "./ops/scale.ts";
import { inferSlice, type Slice } from "./ops/slice.ts";
import { inferSoftmax, type Softmax } from "./ops/softmax.ts";
import { inferTranspose, type Transpose } from "./ops/transpose.ts";
import { inferUnary, type Unary } from "./ops/unary.ts";
import { type Dropout, type Identity, inferReshape, type Reshape } from "./ops/view.ts";
import { formatShape, type Shape } from "./tensor.ts";

/** What a layer computes: told apart by `type`, the rest are its attributes. */
export type Op =
  | Binary
  | Concat
  | Constant
  | Conv
  | Dropout
  | FullyConnected
  | Gather
  | Identity
  | Lrn
  | Matmul
  | Pad
  | PoolAvg
  | PoolGlobalAvg
  | PoolMax
  | Reduce
  | Relu
  | Reshape
  | Scale
  | Slice
  | Softmax
  | Transpose
  | Unary;

export type * from "./ops/attributes.ts";

/**
 * The output shape, parameters and multiply-accumulates of `op` on inputs of these shapes. `subject` names the
 * layer in errors. Throws EngineError "graph" where attributes and shapes do not fit together, or nothing is left.
 */
export function inferOp(subject: string, op: Op, inputs: readonly Shape[]): Inferred {
  const inferred = inferBy(subject, op, inputs);
  if (!inferred.output.every((extent) => Number.isSafeInteger(extent) && extent >= 1)) {
    throw new EngineError(
      "graph",
      subject,
      `its output would be ${formatShape(inferred.output)}`,
      "correct the graph, or give it a larger input",
    );
  }
  return inferred;
}

function inferBy(subject: string, op: Op, inputs: readonly Shape[]): Inferred {
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
    case "identity":
      return sameShapeAsInput(subject, inputs);
    case "unary":
      return inferUnary(subject, op, inputs);
    case "binary":
      return inferBinary(subject, op, inputs);
    case "scale":
      return inferScale(subject, op, inputs);
    case "lrn":
      return inferLrn(subject, op, inputs);
    case "concat":
      return inferConcat(subject, op, inputs);
    case "softmax":
      return inferSoftmax(subject, op, inputs);
    case "fully_connected":
      return inferFullyConnected(subject, op, inputs);
    case "matmul":
      return inferMatmul(subject, op, inputs);
    case "reduce":
      return inferReduce(subject, op, inputs);
    case "transpose":
      return inferTranspose(subject, op, inputs);
    case "slice":
      return inferSlice(subject, op, inputs);
    case "gather":
      return inferGather(subject, op, inputs);
    case "pad":
      return inferPad(subject, op, inputs);
    case "reshape":
      return inferReshape(subject, op, inputs);
    case "constant":
      return inferConstant(subject, op, inputs);
    default:
      return op satisfies never;
  }
}
