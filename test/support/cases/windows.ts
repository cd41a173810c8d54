/** Awkward convolutions and pools: where window, stride, pad, dilation and map do not fit each other neatly. */

import type { Pair, Rounding, Window } from "../../../src/graph/ops/window.ts";
import { dilatedExtent, windowCount } from "../../../src/graph/ops/window.ts";
import type { Shape } from "../../../src/graph/tensor.ts";
import { type OpCase, opCase } from "./op_case.ts";

interface WindowOptions {
  readonly stride?: Pair | number;
  /** All four sides, or top, left, bottom, right. */
  readonly pad?: number | readonly [number, number, number, number];
  readonly dilation?: Pair | number;
}

interface ConvOptions extends WindowOptions {
  readonly groups?: number;
  readonly bias?: boolean;
}

function window(kernel: Pair | number, { stride = 1, pad = 0, dilation = 1 }: WindowOptions): Window {
  const [top, left, bottom, right] = typeof pad === "number" ? [pad, pad, pad, pad] : pad;
  return { kernel: pair(kernel), stride: pair(stride), pad: { top, left, bottom, right }, dilation: pair(dilation) };
}

function pair(value: Pair | number): Pair {
  return typeof value === "number" ? [value, value] : value;
}

function conv(input: Shape, outChannels: number, kernel: Pair | number, options: ConvOptions = {}): OpCase {
  const { groups = 1, bias = true } = options;
  return opCase({ type: "conv", ...window(kernel, options), outChannels, groups, bias }, [input]);
}

const kernels: readonly Pair[] = [1, 2, 3, 4, 5, 7, 11].map(pair).concat([
  [1, 7],
  [7, 1],
  [2, 3],
]);

/** Every kernel at odd map sizes and channel counts, with stride 1 to 3, every kind of pad, and dilated. */
function convSweep(): OpCase[] {
  return kernels.flatMap((kernel) => {
    const [height, width] = kernel;
    return [
      conv([1, 3, 13, 17], 5, kernel),
      conv([2, 5, 12, 9], 6, kernel, { pad: [height >> 1, width >> 1, height >> 1, width >> 1] }),
      conv([1, 2, 11, 14], 7, kernel, { stride: 2, pad: [height - 1, width - 1, height - 1, width - 1] }),
      conv([3, 1, 12, 13], 3, kernel, { stride: [3, 2], pad: [height - 1, 0, 0, width - 1], bias: false }),
      conv([1, 6, 23, 22], 9, kernel, { dilation: [2, 1], pad: [0, width >> 1, height >> 1, 0] }),
    ];
  });
}

export const convCases: readonly OpCase[] = [
  ...convSweep(),
  // Maps of one pixel, and one channel in or out.
  conv([1, 1, 1, 1], 1, 1),
  conv([5, 7, 1, 1], 3, 1),
  conv([2, 4, 1, 1], 5, 3, { pad: 1 }),
  conv([1, 3, 1, 1], 2, 5, { pad: 4 }),
  conv([1, 1, 9, 9], 1, 3, { pad: 1 }),
  conv([1, 1, 6, 7], 33, 3),
  conv([1, 129, 5, 5], 1, 1),
  // A stride larger than the window, so that pixels are never looked at.
  conv([1, 3, 10, 11], 4, 1, { stride: 2 }),
  conv([2, 4, 15, 14], 5, 2, { stride: [5, 3] }),
  conv([1, 3, 9, 20], 3, 3, { stride: [4, 7], pad: 1 }),
  // Patches side by side; strides and dilations that no row of registers spans.
  conv([1, 3, 33, 49], 6, 16, { stride: 16 }),
  conv([1, 2, 5, 400], 3, [2, 3], { stride: [1, 97], dilation: [2, 90], pad: [0, 3, 1, 100] }),
  conv([1, 2, 4, 300], 3, [1, 8], { dilation: [1, 13] }),
  // Dilated both ways, padded up to one less than what the kernel then covers.
  conv([1, 3, 17, 19], 4, 3, { dilation: 3, pad: 6 }),
  conv([1, 2, 8, 9], 5, [3, 2], { dilation: [2, 5], pad: [4, 5, 0, 1] }),
  conv([1, 2, 3, 3], 3, 3, { dilation: 2, pad: 2 }),
  // Groups: two, three, depthwise with one and with several outputs a channel.
  conv([1, 4, 7, 9], 6, 3, { groups: 2, pad: 1 }),
  conv([2, 9, 8, 5], 15, [3, 1], { groups: 3, stride: [2, 1], pad: [1, 0, 1, 0] }),
  conv([3, 5, 9, 7], 5, 3, { groups: 5, pad: 1 }),
  conv([1, 3, 10, 10], 12, 3, { groups: 3, pad: [1, 0, 2, 1] }),
  conv([2, 6, 5, 5], 4, 1, { groups: 2 }),
  conv([1, 8, 6, 6], 8, 5, { groups: 8, pad: 4, dilation: [1, 2], bias: false }),
  conv([1, 96, 9, 9], 40, 5, { groups: 2, pad: 2 }),
  // The window larger than the map but for its padding; asymmetric pads.
  conv([1, 3, 2, 3], 4, 7, { pad: [3, 2, 3, 3] }),
  conv([1, 2, 4, 4], 3, 4, { pad: [0, 3, 2, 0] }),
  conv([2, 3, 6, 8], 5, 3, { pad: [0, 1, 2, 0], stride: [1, 2] }),
  // Windows that lie in the padding whole, as in SqueezeNet's last layer.
  conv([1, 3, 6, 5], 9, 1, { pad: 1 }),
  conv([2, 4, 7, 9], 5, 3, { pad: [3, 5, 4, 3] }),
  conv([1, 2, 5, 4], 3, [2, 3], { pad: [7, 1, 0, 6], stride: 2, dilation: [1, 2] }),
  conv([1, 12, 9, 10], 17, 3, { pad: 4 }),
  // Rows longer than a workgroup, columns of one, many channels, batches.
  conv([1, 3, 2, 301], 5, 3, { pad: 1 }),
  conv([1, 2, 270, 1], 3, [3, 1], { pad: [1, 0, 1, 0] }),
  conv([1, 3, 1, 515], 6, 1),
  conv([2, 130, 7, 7], 67, 1),
  conv([1, 65, 6, 5], 66, 3, { pad: 1 }),
  conv([3, 8, 5, 5], 8, 3, { pad: 1 }),
  conv([5, 12, 4, 3], 10, 1),
  conv([64, 3, 5, 4], 2, 3, { pad: 1 }),
  conv([64, 5, 3, 3], 7, 1),
];

interface PoolOptions extends WindowOptions {
  readonly roundings?: readonly Rounding[];
}

/** Max pooling and average pooling with and without padding counted, rounded either way where that differs. */
function pools(input: Shape, kernel: Pair | number, options: PoolOptions = {}): OpCase[] {
  const shared = window(kernel, options);
  const { roundings = roundingMatters(input, shared) ? (["floor", "ceil"] as const) : (["ceil"] as const) } = options;
  return roundings.flatMap((rounding) => [
    opCase({ type: "pool_max", ...shared, rounding }, [input]),
    opCase({ type: "pool_avg", ...shared, rounding, countPadding: true }, [input]),
    opCase({ type: "pool_avg", ...shared, rounding, countPadding: false }, [input]),
  ]);
}

function roundingMatters([, , height, width]: Shape, { kernel, stride, pad, dilation }: Window): boolean {
  const counts = (rounding: Rounding) => [
    windowCount(height, kernel[0], stride[0], pad.top, pad.bottom, dilation[0], rounding),
    windowCount(width, kernel[1], stride[1], pad.left, pad.right, dilation[1], rounding),
  ];
  return counts("floor").join() !== counts("ceil").join();
}

/** Padding all around as wide as the window allows. */
function fullPad(kernel: number, dilation = 1): number {
  return dilatedExtent(kernel, dilation) - 1;
}

export const poolCases: readonly OpCase[] = [
  ...pools([1, 3, 13, 17], 3, { stride: 2 }),
  ...pools([2, 5, 14, 10], 3, { stride: 2 }),
  ...pools([1, 2, 12, 15], 3, { stride: 2, pad: 1 }),
  ...pools([1, 7, 7, 7], 3, { pad: 1 }),
  ...pools([3, 1, 9, 8], 2, { stride: 2 }),
  ...pools([1, 2, 9, 8], 2, { stride: [3, 2], pad: 1 }),
  ...pools([1, 3, 14, 14], 5, { stride: 3 }),
  ...pools([1, 2, 10, 11], [1, 7], { pad: [0, 3, 0, 3] }),
  ...pools([1, 2, 11, 6], [4, 2], { stride: [3, 1], pad: [3, 1, 3, 1] }),
  ...pools([2, 3, 5, 6], 5, { stride: 2, pad: fullPad(5) }),
  ...pools([1, 2, 6, 7], 3, { stride: 2, pad: [2, 0, 1, 2] }),
  ...pools([1, 2, 8, 9], 3, { stride: 3, pad: [0, 1, 2, 0] }),
  ...pools([1, 3, 1, 1], 1),
  ...pools([2, 3, 1, 1], 3, { pad: 1 }),
  ...pools([1, 2, 3, 2], 7, { pad: [3, 4, 3, 4] }),
  ...pools([1, 65, 7, 7], 7),
  // Rounded up, a window somewhat larger than the map still has one position: so it is at the end of a 31 × 31 input.
  ...pools([1, 3, 2, 2], 3, { stride: 2, roundings: ["ceil"] }),
  ...pools([1, 2, 11, 12], 2, { stride: 5 }),
  ...pools([1, 2, 10, 10], 1, { stride: 4 }),
  ...pools([1, 2, 13, 12], 3, { dilation: 2, stride: 2, pad: 1 }),
  ...pools([1, 2, 9, 12], [2, 3], { dilation: [3, 2], pad: [1, 2, 2, 1] }),
  ...pools([1, 2, 20, 21], 11, { stride: 4, pad: 5 }),
  ...pools([1, 2, 3, 301], 3, { pad: 1 }),
  ...pools([5, 3, 6, 5], 3, { stride: 2, pad: 1 }),
  ...pools([64, 2, 5, 4], 3, { stride: 2 }),
];
