/**
 * Matrix product of two values, (…, M, K) · (…, K, N) → (…, M, N), by NumPy's rules: what stands before the last two
 * axes is broadcast, and a vector counts as one row on the left or one column on the right, which the result leaves
 * out.
 */

import { EngineError } from "../../errors.ts";
import { elementCount, formatShape, type Shape } from "../tensor.ts";
import { broadcastShapes } from "./broadcast.ts";
import { type Inferred, twoInputs } from "./op_rule.ts";

/** Matrix product of two values, (…, M, K) · (…, K, N) → (…, M, N), by NumPy's rules. */
export interface Matmul {
  readonly type: "matmul";
  /** Whether the last two axes of the first input are exchanged before. */
  readonly transposeA: boolean;
  /** Whether those of the second are. */
  readonly transposeB: boolean;
}

/** The extents of a product, and the shapes of its operands once vectors are matrices. */
export interface MatmulExtents {
  readonly a: Shape;
  readonly b: Shape;
  /** What stands before the last two axes of the result. */
  readonly batch: Shape;
  readonly rows: number;
  readonly inner: number;
  readonly columns: number;
}

export function matmulExtents(subject: string, op: Matmul, inputs: readonly Shape[]): MatmulExtents {
  const [first, second] = twoInputs(subject, inputs);
  const a = first.length === 1 ? [1, first[0]] : first;
  const b = second.length === 1 ? [second[0], 1] : second;
  const [rows, inner] = op.transposeA ? [a.at(-1), a.at(-2)] : [a.at(-2), a.at(-1)];
  const [innerB, columns] = op.transposeB ? [b.at(-1), b.at(-2)] : [b.at(-2), b.at(-1)];
  const transposesVector = (op.transposeA && first.length === 1) || (op.transposeB && second.length === 1);
  if (rows === undefined || columns === undefined || inner === undefined || inner !== innerB || transposesVector) {
    const flipped = (flip: boolean) => (flip ? "ᵀ" : "");
    throw new EngineError(
      "graph",
      subject,
      `${formatShape(first)}${flipped(op.transposeA)} and ${formatShape(second)}${flipped(op.transposeB)} cannot be multiplied`,
      "correct the graph",
    );
  }
  return { a, b, batch: broadcastShapes(subject, a.slice(0, -2), b.slice(0, -2)), rows, inner, columns };
}

export function inferMatmul(subject: string, op: Matmul, inputs: readonly Shape[]): Inferred {
  const { batch, rows, inner, columns } = matmulExtents(subject, op, inputs);
  return {
    output: [...batch, ...(inputs[0].length === 1 ? [] : [rows]), ...(inputs[1].length === 1 ? [] : [columns])],
    parameters: [],
    macs: elementCount(batch) * rows * inner * columns,
  };
}
