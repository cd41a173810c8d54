/** Where the taps of a sliding window fall along one axis: what convolution and pooling share. */

/** The half-open range of integers `start` ≤ i < `end`; empty where `end` ≤ `start`. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/**
 * Which taps of a kernel fall inside the feature map: those i of 0 … kernel − 1 for which
 * 0 ≤ origin + i · dilation < extent. `origin` is where the window's first tap falls, negative in the padding.
 */
export function tapsInside(origin: number, kernel: number, dilation: number, extent: number): Range {
  return {
    start: Math.max(0, Math.ceil(-origin / dilation)),
    end: Math.min(kernel, Math.ceil((extent - origin) / dilation)),
  };
}

/**
 * For which output positions one tap falls inside the feature map: those x of 0 … count − 1 for which
 * 0 ≤ x · stride + offset < extent.
 */
export function positionsInside(offset: number, count: number, stride: number, extent: number): Range {
  return {
    start: Math.max(0, Math.ceil(-offset / stride)),
    end: Math.min(count, Math.ceil((extent - offset) / stride)),
  };
}
