/** Fully connected layer: input (N, …) flattened to (N, I), weight (O, I), output (N, O). */

import { elementCount, type Shape, type Tensor } from "../graph/tensor.ts";

export function fullyConnected(input: Tensor, weight: Tensor, bias: Tensor | undefined, outputShape: Shape): Tensor {
  const [outFeatures, inFeatures] = weight.shape;
  const output = new Float32Array(elementCount(outputShape));
  for (let i = 0; i < output.length; i++) {
    const outFeature = i % outFeatures;
    const row = ((i - outFeature) / outFeatures) * inFeatures;
    const weightRow = outFeature * inFeatures;
    let sum = 0;
    for (let feature = 0; feature < inFeatures; feature++) {
      sum += input.data[row + feature] * weight.data[weightRow + feature];
    }
    output[i] = sum + (bias ? bias.data[outFeature] : 0);
  }
  return { shape: outputShape, data: output };
}
