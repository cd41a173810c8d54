/** Local response normalisation within each channel: x / (k + (α / n²) · Σ x²)^β over n × n pixels. */

import type { Lrn } from "../graph/ops.ts";
import { lrnReach } from "../graph/ops/lrn.ts";
import type { Tensor } from "../graph/tensor.ts";

export function lrnWithin({ size, alpha, beta, k }: Lrn, { shape, data }: Tensor): Tensor {
  const [batch, channels, height, width] = shape;
  const { below, above } = lrnReach(size);
  const output = new Float32Array(data.length);
  let next = 0;
  for (let map = 0; map < batch * channels; map++) {
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        let squares = 0;
        for (let v = Math.max(y - below, 0); v <= Math.min(y + above, height - 1); v++) {
          for (let u = Math.max(x - below, 0); u <= Math.min(x + above, width - 1); u++) {
            squares += data[(map * height + v) * width + u] ** 2;
          }
        }
        output[next] = data[next] / Math.pow(k + (alpha / (size * size)) * squares, beta);
        next++;
      }
    }
  }
  return { shape, data: output };
}
