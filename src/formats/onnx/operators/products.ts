/** ONNX's matrix products. By constant matrices they are fully connected layers. */

import { elementCount, type Shape, type Tensor } from "../../../graph/tensor.ts";
import { type Computed, type Layer, rankOf } from "../layer.ts";

export function matMul(layer: Layer): Computed {
  const [a, b] = [layer.input(0), layer.input(1)];
  if (a.kind === "computed" && rankOf(a) === 2 && b.kind === "constant" && rankOf(b) === 2) {
    const weight = weightOf(layer, false, 1);
    checkInner(layer, a, weight);
    return layer.output({ type: "fully_connected", outFeatures: weight.shape[0], bias: false }, [a], [weight]);
  }
  return layer.output({ type: "matmul", transposeA: false, transposeB: false }, [layer.operand(0), layer.operand(1)]);
}

/** alpha · A' · B' + beta · C */
export function gemm(layer: Layer): Computed {
  const { attributes, opset } = layer;
  const alpha = attributes.float("alpha", 1);
  const beta = attributes.float("beta", 1);
  const transposeA = attributes.flag("transA");
  const transposeB = attributes.flag("transB");
  // Until operator set 6 C is broadcast only if asked for; where it isn't, it has the product's shape.
  const broadcast = opset >= 7 || attributes.flag("broadcast");
  if (opset < 6) attributes.ignore("consumed_inputs");
  const [a, b, c] = [layer.input(0), layer.input(1), layer.optional(2)];
  if (rankOf(a) !== 2 || rankOf(b) !== 2) layer.refuse("it multiplies what is no matrix", "correct the model");

  if (a.kind === "computed" && b.kind === "constant" && !transposeA) {
    const weight = weightOf(layer, transposeB, alpha);
    checkInner(layer, a, weight);
    const outFeatures = weight.shape[0];
    const bias = c?.kind === "constant" ? biasOf(layer, outFeatures, beta) : undefined;
    if (bias || !c) {
      return layer.output(
        { type: "fully_connected", outFeatures, bias: bias !== undefined },
        [a],
        bias ? [weight, bias] : [weight],
      );
    }
    const product = layer.part("product", { type: "fully_connected", outFeatures, bias: false }, [a], [weight]);
    return addScaled(layer, product, 1, beta, broadcast);
  }
  const op = { type: "matmul", transposeA, transposeB } as const;
  const operands = [layer.operand(0), layer.operand(1)];
  if (c) return addScaled(layer, layer.part("product", op, operands), alpha, beta, broadcast);
  if (alpha === 1) return layer.output(op, operands);
  const product = layer.part("product", op, operands);
  return layer.output({ type: "binary", function: "mul" }, [product, layer.given("alpha", [], Float32Array.of(alpha))]);
}

function addScaled(layer: Layer, product: Computed, alpha: number, beta: number, broadcast: boolean): Computed {
  const c = layer.operand(2);
  const fits = product.shapes.every((shape, batch) => canStretch(c.shapes[batch] ?? c.shapes[0], shape, broadcast));
  if (!fits) layer.refuse("its third input doesn't fit its product", "correct the model");
  return layer.output({ type: "binary", function: "add", scales: [alpha, beta] }, [product, c]);
}

function canStretch(shape: Shape, wide: Shape, broadcast: boolean): boolean {
  if (!broadcast) return shape.join() === wide.join();
  const lead = wide.length - shape.length;
  return lead >= 0 && shape.every((extent, axis) => extent === 1 || extent === wide[axis + lead]);
}

function checkInner(layer: Layer, input: Computed, { shape: [, inner] }: Tensor): void {
  const found = input.shapes[0][1];
  if (found !== inner) layer.refuse(`it multiplies ${found} features by weights for ${inner}`, "correct the model");
}

/** C as a bias of a fully connected layer, where it is the same for every row. */
function biasOf(layer: Layer, features: number, beta: number): Tensor | undefined {
  const { shape, data } = layer.weights(2, "bias");
  if (shape.length > 2 || elementCount(shape.slice(0, -1)) !== 1) return undefined;
  if (data.length !== features && data.length !== 1) return undefined;
  if (data.length === features && beta === 1) return { shape: [features], data };
  layer.folding.spend(4 * features);
  return { shape: [features], data: Float32Array.from({ length: features }, (_, i) => beta * data[i % data.length]) };
}

/** B as the weights of a fully connected layer (O, I), times a factor. */
function weightOf(layer: Layer, isTransposed: boolean, factor: number): Tensor {
  const given = layer.constant(1, "weights");
  const { shape, data } = layer.tensorOf(isTransposed ? given : layer.folding.transpose(given, [1, 0]), 1);
  if (factor === 1) return { shape, data };
  layer.folding.spend(data.byteLength);
  return { shape, data: data.map((value) => factor * value) };
}
