/** Every op that is read, in the words of each operator set that changed its meaning: one node and random arrays. */

import type { AttributeValue, OpenShape } from "../../../src/formats/onnx/encode.ts";
import type { Shape, Tensor } from "../../../src/graph/tensor.ts";

/** An operand: one that is given when the model runs, or one that the file has. */
export type Operand =
  | { readonly given: OpenShape; readonly positive?: boolean }
  | { readonly weights: Shape; readonly positive?: boolean }
  | { readonly numbers: Tensor }
  | { readonly integers: readonly number[] }
  | null;

export interface OperatorCase {
  readonly type: string;
  readonly opset: number;
  readonly operands: readonly Operand[];
  readonly attributes?: Readonly<Record<string, AttributeValue>>;
  readonly others?: readonly string[];
  /** The same in words that ONNX Runtime has an implementation for, where it has none for this operator set. */
  readonly modern?: Pick<OperatorCase, "opset"> & Partial<OperatorCase>;
}

export const given = (...shape: OpenShape): Operand => ({ given: shape });
export const weights = (...shape: Shape): Operand => ({ weights: shape });
export const integers = (...list: readonly number[]): Operand => ({ integers: list });
export const scalar = (value: number): Operand => ({ numbers: { shape: [], data: Float32Array.of(value) } });
const float = (value: number) => ({ float: value });

type Attributes = Readonly<Record<string, AttributeValue>>;

/** A case for each operator set. */
function across(
  opsets: readonly number[],
  type: string,
  operands: readonly Operand[],
  attributes: Attributes = {},
): OperatorCase[] {
  return opsets.map((opset) => ({ type, opset, operands, attributes }));
}

/** The words in which ONNX Runtime is told the same. It has few ops by the meanings from before operator set 7. */
export function forOnnxRuntime(operatorCase: OperatorCase): OperatorCase {
  const { type, opset, attributes = {} } = operatorCase;
  if (operatorCase.modern) return { ...operatorCase, ...operatorCase.modern };
  const kept = Object.fromEntries(
    Object.entries(attributes).filter(([name]) => !["consumed_inputs", "is_test"].includes(name)),
  );
  return opset < 7 && !unchanged.has(type) ? { ...operatorCase, opset: 7, attributes: kept } : operatorCase;
}

/** Ops whose first meanings ONNX Runtime has. */
const unchanged = new Set(["Pad", "Cast", "Reshape"]);

/** The same where ONNX Runtime has to be told otherwise. */
function modern(cases: readonly OperatorCase[], words: OperatorCase["modern"]): OperatorCase[] {
  return cases.map((each) => ({ ...each, ...(words ? { modern: words } : {}) }));
}

const newest = 26;

const convolutions: OperatorCase[] = [
  ...across([1, 11, 22, newest], "Conv", [given("N", 4, 9, 8), weights(6, 2, 3, 2), weights(6)], {
    group: 2,
    dilations: [2, 1],
    strides: [1, 2],
    pads: [1, 0, 2, 1],
    kernel_shape: [3, 2],
  }),
  ...across([1, 11], "Conv", [given("N", 3, 7), weights(5, 3, 3)], { pads: [1, 2], strides: [2] }),
  ...across([11], "Conv", [given("N", 4, 10), weights(4, 1, 3), weights(4)], { group: 4, dilations: [2] }),
  ...["SAME_UPPER", "SAME_LOWER", "VALID", "NOTSET"].flatMap((auto_pad) => [
    ...across([1, 11], "Conv", [given("N", 3, 9, 8), weights(5, 3, 4, 3)], { auto_pad, strides: [2, 3] }),
    ...across([11], "Conv", [given("N", 3, 10), weights(5, 3, 4)], { auto_pad, strides: [3] }),
  ]),
];

const dilated = { dilations: [2, 3], strides: [2, 2] };
convolutions.push(
  ...[
    { auto_pad: "SAME_UPPER", pads: [1, 2, 1, 3] },
    { auto_pad: "SAME_LOWER", pads: [1, 3, 1, 2] },
  ].flatMap(({ auto_pad, pads }) =>
    modern(across([11], "Conv", [given("N", 3, 9, 8), weights(5, 3, 2, 3)], { auto_pad, ...dilated }), {
      opset: 11,
      attributes: { pads, ...dilated },
    }),
  ),
);

const pools: OperatorCase[] = [
  ...across([1, 8, 9, 10, 11, 12, 22, newest], "MaxPool", [given("N", 3, 9, 8)], {
    kernel_shape: [3, 2],
    strides: [2, 3],
    pads: [1, 0, 0, 1],
  }),
  ...across([1, 10, 12], "MaxPool", [given("N", 3, 11)], { kernel_shape: [3], strides: [2] }),
  ...across([10, 12, 22], "MaxPool", [given("N", 3, 9, 8)], {
    kernel_shape: [3, 2],
    strides: [2, 3],
    dilations: [2, 1],
    ceil_mode: 1,
  }),
  ...across([10, 12, 22], "MaxPool", [given("N", 2, 6, 6)], {
    kernel_shape: [2, 2],
    strides: [3, 3],
    pads: [1, 1, 1, 1],
    ceil_mode: 1,
  }),
  ...across([1, 7, 10, 11, 18, 19, 22, newest], "AveragePool", [given("N", 3, 9, 8)], {
    kernel_shape: [3, 2],
    strides: [2, 3],
    pads: [1, 0, 0, 1],
  }),
  ...across([7, 10, 11, 19], "AveragePool", [given("N", 3, 9, 8)], {
    kernel_shape: [3, 2],
    strides: [2, 3],
    pads: [1, 0, 0, 1],
    count_include_pad: 1,
  }),
  ...across([10, 11, 19], "AveragePool", [given("N", 3, 9, 8)], {
    kernel_shape: [3, 3],
    strides: [2, 2],
    pads: [1, 1, 1, 1],
    ceil_mode: 1,
  }),
  ...across([10, 11, 19, 22], "AveragePool", [given("N", 3, 8, 8)], {
    kernel_shape: [3, 3],
    strides: [2, 2],
    pads: [1, 1, 1, 1],
    ceil_mode: 1,
    count_include_pad: 1,
  }),
  ...across([19], "AveragePool", [given("N", 3, 9, 8)], { kernel_shape: [3, 2], dilations: [2, 3] }),
  ...across([7, 11], "AveragePool", [given("N", 3, 11)], { kernel_shape: [4], strides: [3], pads: [1, 2] }),
  ...["SAME_UPPER", "SAME_LOWER", "VALID"].flatMap((auto_pad) => [
    ...across([1, 11], "MaxPool", [given("N", 3, 9, 8)], { auto_pad, kernel_shape: [3, 2], strides: [2, 3] }),
    ...across([1, 11], "AveragePool", [given("N", 3, 9, 8)], { auto_pad, kernel_shape: [4, 2], strides: [2, 3] }),
    ...across([12], "MaxPool", [given("N", 3, 10)], { auto_pad, kernel_shape: [4], strides: [3] }),
  ]),
  ...across([1, 22], "GlobalAveragePool", [given("N", 3, 4, 5)]),
  ...across([1], "GlobalAveragePool", [given("N", 3, 7)]),
  ...across([1, 22], "GlobalMaxPool", [given("N", 3, 4, 5)]),
  ...across([1], "GlobalMaxPool", [given("N", 3, 7)]),
  ...across([1, 13], "LRN", [given("N", 9, 3, 2)], { size: 5, alpha: float(0.3), beta: float(0.6), bias: float(1.5) }),
  ...across([1], "LRN", [given("N", 9, 3, 2)], { size: 3 }),
];

const functions: OperatorCase[] = [
  ...["Abs", "Exp", "Neg", "Relu", "Sigmoid", "Tanh"].flatMap((type) =>
    across([1, 6, 13, newest], type, [given("N", 3, 4)], {}),
  ),
  ...["Log", "Sqrt"].flatMap((type) => across([1, 6, 13], type, [{ given: ["N", 3, 4], positive: true }])),
  ...["Relu", "Exp"].flatMap((type) => across([1], type, [given("N", 3)], { consumed_inputs: [0] })),
  ...across([1, 6, 16], "LeakyRelu", [given("N", 3, 4)], { alpha: float(0.2) }),
  ...across([6], "LeakyRelu", [given("N", 3, 4)]),
  ...across([1, 6, 10], "Clip", [given("N", 3)], { min: float(-0.3), max: float(0.4) }),
  ...across([6], "Clip", [given("N", 3)], { max: float(0.1) }),
  ...across([11, 12, 13], "Clip", [given("N", 3), scalar(-0.3), scalar(0.4)]),
  ...across([11, 13], "Clip", [given("N", 3), null, scalar(0.4)]),
  ...across([13], "Clip", [given("N", 3), scalar(0), scalar(Infinity)]),
  ...across([13], "Clip", [given("N", 3)]),
  ...across([1, 13, 24], "Identity", [given("N", 3)]),
  ...across([1, 6], "Dropout", [given("N", 3)], { is_test: 1, ratio: float(0.4) }),
  ...across([7, 10, 11], "Dropout", [given("N", 3)], { ratio: float(0.4) }),
  ...across([12, 13, 22], "Dropout", [given("N", 3), scalar(0.4)]),
  ...across([7, 12], "Dropout", [given("N", 3)]).map((each) => ({ ...each, others: ["mask"] })),
  ...across([6, 9, 13, 19], "Cast", [given("N", 3)], { to: 1 }),
  ...modern(across([1], "Cast", [given("N", 3)], { to: "FLOAT" }), { opset: 6, attributes: { to: 1 } }),
  ...across(
    [7, 8, 9, 13, 14, 15],
    "BatchNormalization",
    [given("N", 3, 4, 2), weights(3), weights(3), weights(3), { weights: [3], positive: true }],
    {
      epsilon: float(1e-3),
    },
  ),
  ...across([7, 9, 15], "BatchNormalization", [
    given("N", 5),
    weights(5),
    weights(5),
    weights(5),
    { weights: [5], positive: true },
  ]),
  ...across(
    [1],
    "BatchNormalization",
    [given("N", 3, 4), weights(3), weights(3), weights(3), { weights: [3], positive: true }],
    {
      is_test: 1,
      consumed_inputs: [0, 0, 0, 1, 1],
    },
  ),
];

const arithmetic: OperatorCase[] = [
  ...["Add", "Sub", "Mul", "Div"].flatMap((type) => [
    ...across([7, 13, 14], type, [given("N", 3, 4), { given: ["N", 3, 4], positive: true }]),
    ...across([7, 14], type, [given("N", 3, 4), { weights: [3, 1], positive: true }]),
    ...across([7, 14], type, [{ weights: [2, 1, 1, 4] }, { given: ["N", 3, 1], positive: true }]),
    ...(
      [
        [{ broadcast: 1, axis: 1 }, [3, 4], [3, 4, 1]],
        [{ broadcast: 1, axis: -3 }, [3], [3, 1, 1]],
        [{ broadcast: 1 }, [4, 2], [4, 2]],
        [{ broadcast: 1 }, [1], [1]],
        [{ broadcast: 1, axis: 0 }, [1, 3], [1, 3, 1, 1]],
      ] as const
    ).flatMap(([attributes, shape, today]) =>
      modern(across([1, 6], type, [given("N", 3, 4, 2), { weights: shape, positive: true }], attributes), {
        opset: 7,
        operands: [given("N", 3, 4, 2), { weights: today, positive: true }],
        attributes: {},
      }),
    ),
    ...across([6], type, [given("N", 3), { given: ["N", 3], positive: true }]),
  ]),
  ...across([7, 12, 15], "Pow", [{ given: ["N", 3], positive: true }, given("N", 3)]),
  ...across([12], "Pow", [{ given: ["N", 3], positive: true }, integers(2)]),
  ...modern(across([1], "Pow", [{ given: ["N", 3, 2], positive: true }, weights(3)], { broadcast: 1, axis: 1 }), {
    opset: 7,
    operands: [{ given: ["N", 3, 2], positive: true }, weights(3, 1)],
    attributes: {},
  }),
  ...["Sum", "Max", "Min"].flatMap((type) => [
    ...across([1, 6, 8, 13], type, [given("N", 3), given("N", 3), given("N", 3), given("N", 3)]),
    ...across([8, 13], type, [given("N", 3), weights(4, 1, 1), weights(3)]),
    ...across([6, 8], type, [given("N", 3)]),
  ]),
];

const products: OperatorCase[] = [
  ...across([7, 9, 11, 13], "Gemm", [given("N", 4), weights(4, 5), weights(5)]),
  ...across([7, 13], "Gemm", [given("N", 4), weights(5, 4), weights(1, 5)], {
    transB: 1,
    alpha: float(0.5),
    beta: float(2),
  }),
  ...across([7, 13], "Gemm", [given(4, "N"), weights(4, 5), weights(5)], {
    transA: 1,
    alpha: float(0.5),
    beta: float(2),
  }),
  ...across([7], "Gemm", [given("N", 4), given(4, 5), given("N", 1)], { alpha: float(0.5), beta: float(-1) }),
  ...across([11], "Gemm", [given("N", 4), given(5, 4)], { transB: 1, alpha: float(0.5) }),
  ...across([11], "Gemm", [given("N", 4), weights(4, 5)]),
  ...across([11], "Gemm", [given("N", 4), weights(4, 5), given("N", 5)], { beta: float(0.5) }),
  ...across([11], "Gemm", [given(3, 4), weights(4, 5), weights(3, 5)], { beta: float(0.5) }),
  ...across([11], "Gemm", [given("N", 4), weights(4, 5), scalar(0.5)], { beta: float(0.5) }),
  ...across([11], "Gemm", [weights(3, 4), given(4, "N")]),
  ...modern(across([1, 6], "Gemm", [given("N", 4), weights(4, 5), weights(5)], { broadcast: 1 }), {
    opset: 7,
    attributes: {},
  }),
  ...across([6], "Gemm", [given(3, 4), weights(4, 5), weights(3, 5)]),
  ...across([1, 9, 13], "MatMul", [given("N", 4), weights(4, 5)]),
  ...across([9], "MatMul", [given("N", 3, 4), weights(4, 5)]),
  ...across([9], "MatMul", [given(2, 1, 3, 4), given("N", 4, 5)]),
  ...across([9], "MatMul", [given("N", 4), weights(4)]),
  ...across([9], "MatMul", [weights(2, 4), given(4, "N")]),
];

const arrays: OperatorCase[] = [
  ...across([1, 4, 11, 13], "Concat", [given("N", 3, 4), given("N", 2, 4)], { axis: 1 }),
  ...modern(across([1], "Concat", [given("N", 3), given("N", 2)]), { opset: 4, attributes: { axis: 1 } }),
  ...across([11, 13], "Concat", [given("N", 3, 4), weights(1, 3, 4), given("N", 3, 4)], { axis: -3 }),
  ...["Softmax", "LogSoftmax"].flatMap((type) => [
    ...across([1, 11, 12, 13, newest], type, [given("N", 3, 4)]),
    ...across([1, 11, 13], type, [given("N", 3, 4)], { axis: 2 }),
    ...across([1, 11], type, [given("N", 3, 4)], { axis: 0 }),
    ...across([11, 13], type, [given("N", 3, 4)], { axis: -2 }),
  ]),
  ...across([1, 9, 11, 13], "Flatten", [given("N", 3, 4)]),
  ...across([9, 11], "Flatten", [given("N", 3, 4)], { axis: 0 }),
  ...across([11, 24], "Flatten", [given("N", 3, 4)], { axis: -1 }),
  ...across([9], "Flatten", [given("N", 3, 4)], { axis: 3 }),
  ...across([1, 4], "Reshape", [given("N", 3, 4)], { shape: [0, -1, 2] }),
  ...across([5, 13, 14, 21], "Reshape", [given("N", 3, 4), integers(0, -1, 2)]),
  ...across([14], "Reshape", [given("N", 3, 4), integers(-1, 6)], { allowzero: 1 }),
  ...across([5], "Reshape", [given("N", 3, 4), integers(-1)]),
  ...across([1, 11, 12], "Squeeze", [given("N", 1, 4, 1)], { axes: [1, 3] }),
  ...across([11], "Squeeze", [given("N", 1, 4, 1)], { axes: [-1] }),
  ...across([1, 11], "Squeeze", [given(3, 1, 4, 1)]),
  ...across([13, 21], "Squeeze", [given("N", 1, 4, 1), integers(-1, 1)]),
  ...across([13], "Squeeze", [given(3, 1, 4, 1)]),
  ...across([1, 11, 12], "Unsqueeze", [given("N", 4)], { axes: [1, 3] }),
  ...across([13, 21], "Unsqueeze", [given("N", 4), integers(-1, 1)]),
  ...across([1, 13, 23], "Transpose", [given("N", 3, 4)], { perm: [1, 2, 0] }),
  ...across([1, 13], "Transpose", [given("N", 3, 4)]),
  ...modern(across([1], "Pad", [given("N", 3, 4)], { paddings: [0, 1, 0, 0, 2, 1], value: float(0.5) }), {
    opset: 2,
    attributes: { pads: [0, 1, 0, 0, 2, 1], value: float(0.5) },
  }),
  ...across([2, 10], "Pad", [given("N", 3, 4)], { pads: [0, 1, 0, 0, 2, 1], value: float(0.5) }),
  ...across([2], "Pad", [given("N", 3, 4)], { pads: [0, 1, 2, 0, 2, 1], mode: "reflect" }),
  ...across([2], "Pad", [given("N", 3, 4)], { pads: [1, 1, 0, 0, 2, 1], mode: "edge" }),
  ...across([2], "Pad", [given("N", 3, 4)], { pads: [0, -1, 1, 0, 2, -2] }),
  ...across([11, 13, 18], "Pad", [given("N", 3, 4), integers(0, 1, 0, 0, 2, 1), scalar(0.5)]),
  ...across([11, 19, 21], "Pad", [given("N", 3, 4), integers(0, 1, 0, 0, 2, 1)], { mode: "edge" }),
  ...across([18, 21], "Pad", [given("N", 3, 4), integers(1, 2, 0, 1), scalar(0.5), integers(-1, 1)]),
  ...across([1, 11, 13], "Gather", [given("N", 3, 4), integers(2, 0, 1, 1)], { axis: 1 }),
  ...across([11, 13], "Gather", [given("N", 3, 4), integers(-1, 0)], { axis: -1 }),
  ...across([1, 9], "Slice", [given("N", 5, 4)], { starts: [1, -3], ends: [1000, -1], axes: [1, 2] }),
  ...across([1], "Slice", [given(5, 4)], { starts: [1, 0], ends: [3, 9] }),
  ...across([10, 11, 13], "Slice", [given("N", 5, 4), integers(1, -3), integers(1000, -1), integers(1, 2)]),
  ...across([10, 13], "Slice", [
    given("N", 5, 4),
    integers(-1, 0),
    integers(-1000, 4),
    integers(-2, 2),
    integers(-2, 3),
  ]),
  ...across([13], "Slice", [given("N", 5), integers(1), integers(Number.MAX_SAFE_INTEGER), integers(1)]),
  ...["ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin"].flatMap((type) => [
    ...across([1, 11, 12], type, [given("N", 3, 4, 5)], { axes: [2, 3], keepdims: 0 }),
    ...across([11], type, [given("N", 3, 4)], { axes: [-1] }),
    ...across([1, 12, 17], type, [given("N", 3, 4)]),
    ...across([18, 20], type, [given("N", 3, 4, 5), integers(2, -1)], { keepdims: 0 }),
    ...across([18], type, [given("N", 3, 4)], { noop_with_empty_axes: 1 }),
    ...across([18], type, [given("N", 3, 4)], { keepdims: 0 }),
  ]),
  ...across([13], "ReduceSum", [given("N", 3, 4), integers(1)]),
];

const families = { convolutions, pools, functions, arithmetic, products, arrays };

/** Bears everything that tells it from the others. */
export function nameOf({ type, opset, operands, attributes = {}, others = [] }: OperatorCase): string {
  const shapes = operands.map((operand) => {
    if (operand === null) return "–";
    if ("given" in operand) return operand.given.join("×");
    if ("weights" in operand) return `W${operand.weights.join("×")}`;
    return "numbers" in operand ? operand.numbers.data.join() : `[${operand.integers.join()}]`;
  });
  const settings = Object.entries(attributes).map(([key, value]) => `${key}=${JSON.stringify(value)}`);
  return [`${type}-${opset}`, shapes.join(" "), ...settings, ...others].join(" ");
}

export const operatorCases: readonly OperatorCase[] = Object.values(families).flat();
