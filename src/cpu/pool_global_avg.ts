/** Global average pooling: the mean of each whole feature map. */

import { elementCount, type Shape, type Tensor } from "../graph/tensor.ts";

export function poolGlobalAvg({ shape, data }: Tensor, outputShape: Shape): Tensor {
  const area = shape[2] * shape[3];
  const output = new Float32Array(elementCount(outputShape));
  for (let map = 0; map < output.length; map++) {
    let sum = 0;
    for (let pixel = map * area; pixel < (map + 1) * area; pixel++) sum += data[pixel];
    output[map] = sum / area;
  }
  return { shape: outputShape, data: output };
}
