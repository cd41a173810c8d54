/**
 * Average pooling. With `countPadding` (Caffe's way) the divisor is the number of taps that fall on the map or its
 * padding, so a last window that reaches past the padding counts only what lies before; without, the number that
 * fall on the map. A dilated window with no tap on the map gives 0.
 */

import type { PoolAvg } from "../graph/ops.ts";
import { elementCount, type Shape, type Tensor } from "../graph/tensor.ts";
import { tapsInside } from "./taps.ts";

export function poolAvg(op: PoolAvg, { shape, data }: Tensor, outputShape: Shape): Tensor {
  const [batch, channels, height, width] = shape;
  const [, , outHeight, outWidth] = outputShape;
  const { kernel, stride, pad, dilation, countPadding } = op;
  const output = new Float32Array(elementCount(outputShape));
  let next = 0;
  for (let map = 0; map < batch * channels; map++) {
    for (let outY = 0; outY < outHeight; outY++) {
      const originY = outY * stride[0] - pad.top;
      const rows = tapsInside(originY, kernel[0], dilation[0], height);
      const countedRows = countPadding
        ? tapsBefore(originY, kernel[0], dilation[0], height + pad.bottom)
        : length(rows);
      for (let outX = 0; outX < outWidth; outX++) {
        const originX = outX * stride[1] - pad.left;
        const columns = tapsInside(originX, kernel[1], dilation[1], width);
        const countedColumns = countPadding
          ? tapsBefore(originX, kernel[1], dilation[1], width + pad.right)
          : length(columns);
        let sum = 0;
        for (let tapY = rows.start; tapY < rows.end; tapY++) {
          const row = (map * height + originY + tapY * dilation[0]) * width + originX;
          for (let tapX = columns.start; tapX < columns.end; tapX++) sum += data[row + tapX * dilation[1]];
        }
        output[next++] = sum / Math.max(countedRows * countedColumns, 1);
      }
    }
  }
  return { shape: outputShape, data: output };
}

/** How many of a window's taps fall before `limit`: on the map, or in the padding on either side of it. */
function tapsBefore(origin: number, kernel: number, dilation: number, limit: number): number {
  return Math.min(kernel, Math.ceil((limit - origin) / dilation));
}

function length({ start, end }: { start: number; end: number }): number {
  return Math.max(end - start, 0);
}
