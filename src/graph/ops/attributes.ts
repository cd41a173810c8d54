/** Every op's attributes, and what they are made of: for those who write a graph of their own. */

export type { Binary } from "./binary.ts";
export type { Concat } from "./concat.ts";
export type { Constant } from "./constant.ts";
export type { Conv } from "./conv.ts";
export type { FullyConnected } from "./fully_connected.ts";
export type { Gather } from "./gather.ts";
export type { Lrn } from "./lrn.ts";
export type { Matmul } from "./matmul.ts";
export type { Pad } from "./pad.ts";
export type { PoolAvg } from "./pool_avg.ts";
export type { PoolGlobalAvg } from "./pool_global_avg.ts";
export type { PoolMax } from "./pool_max.ts";
export type { Reduce } from "./reduce.ts";
export type { Relu } from "./relu.ts";
export type { Scale } from "./scale.ts";
export type { Slice, SliceRange } from "./slice.ts";
export type { Softmax } from "./softmax.ts";
export type { Transpose } from "./transpose.ts";
export type { PlainFunction, Unary } from "./unary.ts";
export type { Dropout, Identity, Reshape } from "./view.ts";
export type { Pair, Padding, Rounding, Window } from "./window.ts";
