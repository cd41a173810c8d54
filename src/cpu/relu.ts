/** max(x, 0); a NaN stays NaN, as in Caffe. */

import type { Tensor } from "../graph/tensor.ts";

export function relu({ shape, data }: Tensor): Tensor {
  return { shape, data: data.map((value) => (value < 0 ? 0 : value)) };
}
