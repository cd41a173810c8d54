/** Launches kernels/matmul.wgsl. */

import { matmulExtents } from "../../graph/ops/matmul.ts";
import type { Matmul } from "../../graph/ops.ts";
import { elementCount, type Shape } from "../../graph/tensor.ts";
import { broadcastStrides, listFields, listValues, viewStrides, walkAxes } from "../axes.ts";
import { type Algorithm, type Kernel, threadPerTile } from "../kernel.ts";
import type { View } from "../plan.ts";
import { operandBytes, operandsAndOutput, operandScratch, operandsOf } from "./operands.ts";
import { stridedCopy } from "./strided_copy.ts";

const kernel: Kernel = {
  name: "matmul",
  bindings: operandsAndOutput,
  constants: ["workgroupSize"],
  layer: [
    ...listFields("extents"),
    ...listFields("leftStrides"),
    ...listFields("rightStrides"),
    ...listFields("outStrides"),
    "threadCount",
    "axes",
    "rows",
    "inner",
    "columns",
    "leftOffset",
    "leftRowStride",
    "leftInnerStride",
    "rightOffset",
    "rightInnerStride",
    "rightColumnStride",
    "outOffset",
    "outRowStride",
    "outColumnStride",
  ],
  tiles: ["TILE_ROWS", "TILE_COLUMNS"],
};

/** Where a stack of matrices lies: strides of the axes before, from a row to the next, and from a column. */
interface Matrices {
  readonly batch: readonly number[];
  readonly row: number;
  readonly column: number;
}

/** The matrices of an operand, of `shape` once a vector is one of a row or column. */
function matricesOf(view: View, shape: Shape, transposed: boolean, batch: Shape): Matrices {
  const strides = viewStrides(view);
  // A vector's only stride is that of the axis which is not 1.
  const [row, column] = view.shape.length === 1 ? [strides[0], strides[0]] : strides.slice(-2);
  const outer = broadcastStrides(shape.slice(0, -2), strides.slice(0, -2), batch);
  return { batch: outer, row: transposed ? column : row, column: transposed ? row : column };
}

function tile(extent: number): number {
  return extent === 1 ? 1 : 4;
}

export const matmul: Algorithm<Matmul> = {
  name: "matmul",
  op: "matmul",
  kernels: [kernel, stridedCopy],
  accepts: () => true,
  scratch: operandScratch,
  launch(problem) {
    const { layer, op, inputs, output, limits } = problem;
    const { views, bindings, before } = operandsOf(problem);
    const { a, b, batch, rows, inner, columns } = matmulExtents(
      layer,
      op,
      inputs.map(({ shape }) => shape),
    );
    const left = matricesOf(views[0], a, op.transposeA, batch);
    const right = matricesOf(views[1], b, op.transposeB, batch);
    // Rows or columns that the result leaves out have but one index.
    const outStrides = viewStrides(output);
    const outColumn = inputs[1].shape.length === 1 ? 0 : outStrides.at(-1)!;
    const outRow = inputs[0].shape.length === 1 ? 0 : outStrides[batch.length];
    const walk = walkAxes(layer, batch, [left.batch, right.batch, outStrides.slice(0, batch.length)]);
    const [tileRows, tileColumns] = [tile(rows), tile(columns)];
    const threads = elementCount(batch) * Math.ceil(rows / tileRows) * Math.ceil(columns / tileColumns);
    const { values, workgroups } = threadPerTile(layer, threads, limits);
    return [
      ...before,
      {
        kernel,
        values: {
          ...values,
          ...listValues("extents", walk.extents),
          ...listValues("leftStrides", walk.strides[0]),
          ...listValues("rightStrides", walk.strides[1]),
          ...listValues("outStrides", walk.strides[2]),
          axes: walk.extents.length,
          rows,
          inner,
          columns,
          leftOffset: views[0].offset,
          leftRowStride: left.row,
          leftInnerStride: left.column,
          rightOffset: views[1].offset,
          rightInnerStride: right.row,
          rightColumnStride: right.column,
          outOffset: output.offset,
          outRowStride: outRow,
          outColumnStride: outColumn,
          TILE_ROWS: tileRows,
          TILE_COLUMNS: tileColumns,
        },
        bindings: [...bindings, { kind: "output" }],
        workgroups,
        macs: elementCount(batch) * rows * inner * columns,
        bytes: operandBytes(problem),
      },
    ];
  },
};
