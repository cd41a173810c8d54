/**
 * Max pooling: the largest value under the window; padding never wins. A NaN under the window makes the result NaN
 * (Caffe's comparison passes over it, which would hide what went wrong before). A dilated window whose every tap
 * falls beside the map gives the lowest finite float32, the value that Caffe and ONNX Runtime start from.
 */

import type { PoolMax } from "../graph/ops.ts";
import { elementCount, type Shape, type Tensor } from "../graph/tensor.ts";
import { tapsInside } from "./taps.ts";

const lowest = -3.4028234663852886e38;

export function poolMax(op: PoolMax, { shape, data }: Tensor, outputShape: Shape): Tensor {
  const [batch, channels, height, width] = shape;
  const [, , outHeight, outWidth] = outputShape;
  const { kernel, stride, pad, dilation } = op;
  const output = new Float32Array(elementCount(outputShape));
  let next = 0;
  for (let map = 0; map < batch * channels; map++) {
    for (let outY = 0; outY < outHeight; outY++) {
      const originY = outY * stride[0] - pad.top;
      const rows = tapsInside(originY, kernel[0], dilation[0], height);
      for (let outX = 0; outX < outWidth; outX++) {
        const originX = outX * stride[1] - pad.left;
        const columns = tapsInside(originX, kernel[1], dilation[1], width);
        let largest = lowest;
        for (let tapY = rows.start; tapY < rows.end; tapY++) {
          const row = (map * height + originY + tapY * dilation[0]) * width + originX;
          for (let tapX = columns.start; tapX < columns.end; tapX++) {
            largest = Math.max(largest, data[row + tapX * dilation[1]]);
          }
        }
        output[next++] = largest;
      }
    }
  }
  return { shape: outputShape, data: output };
}
