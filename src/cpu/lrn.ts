/** Local response normalisation across channels: x / (k + (α / n) · Σ x²)^β. */

import type { Lrn } from "../graph/ops.ts";
import { lrnReach } from "../graph/ops/lrn.ts";
import type { Tensor } from "../graph/tensor.ts";

export function lrn({ size, alpha, beta, k }: Lrn, { shape, data }: Tensor): Tensor {
  const [batch, channels, height, width] = shape;
  const area = height * width;
  const { below, above } = lrnReach(size);
  const output = new Float32Array(data.length);
  for (let image = 0; image < batch; image++) {
    for (let channel = 0; channel < channels; channel++) {
      const first = (image * channels + Math.max(channel - below, 0)) * area;
      const last = (image * channels + Math.min(channel + above, channels - 1)) * area;
      const own = (image * channels + channel) * area;
      for (let pixel = 0; pixel < area; pixel++) {
        let squares = 0;
        for (let at = first + pixel; at <= last + pixel; at += area) squares += data[at] * data[at];
        output[own + pixel] = data[own + pixel] / Math.pow(k + (alpha / size) * squares, beta);
      }
    }
  }
  return { shape, data: output };
}
