/** Matrix product of two values, broadcast before their last two axes. */

import { type MatmulExtents, matmulExtents } from "../graph/ops/matmul.ts";
import type { Matmul } from "../graph/ops.ts";
import { elementCount, type Shape, type Tensor } from "../graph/tensor.ts";
import { broadcastStrides, offsetsOf } from "./offsets.ts";

export function matmul(op: Matmul, inputs: readonly Tensor[], outputShape: Shape): Tensor {
  const [a, b] = inputs;
  const extents = matmulExtents(
    "matmul",
    op,
    inputs.map(({ shape }) => shape),
  );
  const { rows, inner, columns } = extents;
  const [startsA, startsB] = matrixStarts(extents);
  const [rowStepA, innerStepA] = op.transposeA ? [1, rows] : [inner, 1];
  const [innerStepB, columnStepB] = op.transposeB ? [1, inner] : [columns, 1];
  const output = new Float32Array(elementCount(outputShape));
  let next = 0;
  startsA.forEach((startA, index) => {
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        let sum = 0;
        for (let i = 0; i < inner; i++) {
          const atB = startsB[index] + i * innerStepB + column * columnStepB;
          sum += a.data[startA + row * rowStepA + i * innerStepA] * b.data[atB];
        }
        output[next++] = sum;
      }
    }
  });
  return { shape: outputShape, data: output };
}

/** Where each product's matrices start. */
function matrixStarts({ a, b, batch }: MatmulExtents): Int32Array[] {
  return [a, b].map((shape) => {
    const matrix = elementCount(shape.slice(-2));
    const strides = broadcastStrides(shape.slice(0, -2), batch).map((stride) => stride * matrix);
    return offsetsOf(batch, strides);
  });
}
