/** The ops of ONNX that are read, each by the meaning that the file's operator set gives it. */

import {
  constantOf,
  concat,
  flatten,
  gather,
  pad,
  reduce,
  reshape,
  shape,
  slice,
  softmax,
  squeeze,
  transpose,
  unsqueeze,
} from "./operators/arrays.ts";
import {
  batchNormalization,
  binary,
  cast,
  clip,
  dropout,
  identity,
  leakyRelu,
  relu,
  several,
  unary,
} from "./operators/elements.ts";
import { gemm, matMul } from "./operators/products.ts";
import { averagePool, conv, globalAveragePool, globalMaxPool, lrn, maxPool } from "./operators/windows.ts";
import type { Layer, Value } from "./layer.ts";

/** The newest operator set whose meanings are known. */
export const NEWEST_OPSET = 26;

/** Gives a node's first output. */
export type Operator = (layer: Layer) => Value;

/** Those of ONNX's own domain. */
export const operators: ReadonlyMap<string, Operator> = new Map<string, Operator>([
  ["Abs", unary("abs")],
  ["Add", binary("add")],
  ["AveragePool", averagePool],
  ["BatchNormalization", batchNormalization],
  ["Cast", cast],
  ["Clip", clip],
  ["Concat", concat],
  ["Constant", constantOf],
  ["Conv", conv],
  ["Div", binary("div")],
  ["Dropout", dropout],
  ["Exp", unary("exp")],
  ["Flatten", flatten],
  ["Gather", gather],
  ["Gemm", gemm],
  ["GlobalAveragePool", globalAveragePool],
  ["GlobalMaxPool", globalMaxPool],
  ["Identity", identity],
  ["LRN", lrn],
  ["LeakyRelu", leakyRelu],
  ["Log", unary("log")],
  ["LogSoftmax", softmax(true)],
  ["MatMul", matMul],
  ["Max", several("max")],
  ["MaxPool", maxPool],
  ["Min", several("min")],
  ["Mul", binary("mul")],
  ["Neg", unary("neg")],
  ["Pad", pad],
  ["Pow", binary("pow")],
  ["ReduceMax", reduce("max")],
  ["ReduceMean", reduce("mean")],
  ["ReduceMin", reduce("min")],
  ["ReduceSum", reduce("sum")],
  ["Relu", relu],
  ["Reshape", reshape],
  ["Shape", shape],
  ["Sigmoid", unary("sigmoid")],
  ["Slice", slice],
  ["Softmax", softmax(false)],
  ["Sqrt", unary("sqrt")],
  ["Squeeze", squeeze],
  ["Sub", binary("sub")],
  ["Sum", several("add")],
  ["Tanh", unary("tanh")],
  ["Transpose", transpose],
  ["Unsqueeze", unsqueeze],
]);
