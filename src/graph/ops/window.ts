/** Sliding windows over (H, W): what convolution and pooling share. */

import { EngineError } from "../../errors.ts";

/** (height, width) */
export type Pair = readonly [height: number, width: number];

/** Zeros (convolution) or nothing at all (max pooling) beside the feature map, in pixels. */
export interface Padding {
  readonly top: number;
  readonly left: number;
  readonly bottom: number;
  readonly right: number;
}

/** What a sliding window is, whichever op slides it. */
export interface Window {
  readonly kernel: Pair;
  readonly stride: Pair;
  readonly pad: Padding;
  readonly dilation: Pair;
}

/**
 * How the number of window positions is rounded where the stride does not divide evenly.
 * Caffe rounds convolutions down and pools up; ONNX's `ceil_mode` says which.
 */
export type Rounding = "floor" | "ceil";

export const noPadding: Padding = { top: 0, left: 0, bottom: 0, right: 0 };

/** A square window: the same extent, stride, pad and dilation in both directions. */
export function squareWindow(kernel: number, stride = 1, pad = 0, dilation = 1): Window {
  return {
    kernel: [kernel, kernel],
    stride: [stride, stride],
    pad: { top: pad, left: pad, bottom: pad, right: pad },
    dilation: [dilation, dilation],
  };
}

/** The extent that a kernel covers once dilated. */
export function dilatedExtent(kernel: number, dilation: number): number {
  return (kernel - 1) * dilation + 1;
}

/**
 * The number of window positions along one axis.
 *
 * `ceil` is Caffe's pooling rule: ceil((in + 2·pad − k) / stride) + 1, less one where the last window would start
 * behind the feature map. Caffe looks at that only where there is padding; without, it happens only where the stride
 * exceeds the window, and Caffe's window over nothing then yields nothing of use (ONNX leaves it out, too).
 */
export function windowCount(
  extent: number,
  kernel: number,
  stride: number,
  padBefore: number,
  padAfter: number,
  dilation: number,
  rounding: Rounding,
): number {
  const slack = (extent + padBefore + padAfter - dilatedExtent(kernel, dilation)) / stride;
  if (rounding === "floor") return Math.floor(slack) + 1;
  const count = Math.ceil(slack) + 1;
  return (count - 1) * stride >= extent + padBefore ? count - 1 : count;
}

/**
 * The (H, W) that a window slid over `height` × `width` gives; throws where that leaves nothing.
 *
 * @param overPadding - whether a window may lie in the padding whole: a convolution's may, a pool finds nothing there
 */
export function slideWindow(
  subject: string,
  height: number,
  width: number,
  window: Window,
  rounding: Rounding,
  overPadding = false,
): Pair {
  checkWindow(subject, window, overPadding);
  const { kernel, stride, pad, dilation } = window;
  const outHeight = windowCount(height, kernel[0], stride[0], pad.top, pad.bottom, dilation[0], rounding);
  const outWidth = windowCount(width, kernel[1], stride[1], pad.left, pad.right, dilation[1], rounding);
  if (outHeight < 1 || outWidth < 1) {
    throw new EngineError(
      "graph",
      subject,
      `a ${kernel[0]}×${kernel[1]} window with stride ${stride[0]}×${stride[1]} finds no position on a ${height}×${width} feature map`,
      "give the network a larger input",
    );
  }
  return [outHeight, outWidth];
}

/** What kernels, which count pixels in 32 bits, take with room to spare. */
const largestNumber = 2 ** 24;

function checkWindow(subject: string, { kernel, stride, pad, dilation }: Window, overPadding: boolean): void {
  const wrong = (problem: string): never => {
    throw new EngineError("graph", subject, problem, "correct the layer's attributes");
  };
  const dilated = [0, 1].map((axis) => dilatedExtent(kernel[axis], dilation[axis]));
  const largest = Math.max(...stride, ...dilated, pad.top, pad.bottom, pad.left, pad.right);
  if (largest > largestNumber) wrong(`its window reaches ${largest} pixels, more than ${largestNumber}`);
  for (const [name, values] of Object.entries({ kernel, stride, dilation })) {
    if (!values.every((value) => Number.isSafeInteger(value) && value >= 1)) {
      wrong(`its ${name} ${values.join("×")} is not a pair of whole numbers from 1`);
    }
  }
  const padded = [pad.top, pad.bottom, pad.left, pad.right];
  if (!padded.every((value) => Number.isSafeInteger(value) && value >= 0)) {
    wrong(`its pad ${padded.join(", ")} is not four whole numbers from 0`);
  }
  const extents = [kernel[0], kernel[0], kernel[1], kernel[1]].map((extent, side) =>
    dilatedExtent(extent, dilation[side >> 1]),
  );
  if (!overPadding && !padded.every((value, side) => value < extents[side])) {
    wrong(`its pad ${padded.join(", ")} is not from 0 to one less than the window`);
  }
}
