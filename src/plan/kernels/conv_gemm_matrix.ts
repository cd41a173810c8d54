/**
 * Convolutions by kernels/conv_gemm_matrix.wgsl, on matrix units. Nobody has measured it: no plan prefers it, so it
 * computes where it is asked for, or where a tuner found it right and fast.
 */

import type { Conv } from "../../graph/ops.ts";
import {
  type Algorithm,
  inputWeightBiasRestOutput,
  type Kernel,
  type Launch,
  type Problem,
  workgroupGrid,
} from "../kernel.ts";
import type { PlanLimits, SubgroupMatrix } from "../limits.ts";
import { restBinding, sizeOf, windowOf } from "./conv_gemm.ts";
import { convParameters } from "./conv_parameters.ts";
import { windowFields } from "./gemm.ts";

/** Outputs of a workgroup, and how its subgroups share them: `tileRows` × `tileColumns` matrices each. */
interface MatrixTile {
  readonly blockChannels: number;
  readonly blockColumns: number;
  readonly blockDepth: number;
  readonly tileRows: number;
  readonly tileColumns: number;
}

/** Large blocks for large products; small ones where there are too few of those to fill a device. */
const matrixTiles: readonly MatrixTile[] = [
  { blockChannels: 128, blockColumns: 64, blockDepth: 32, tileRows: 4, tileColumns: 2 },
  { blockChannels: 64, blockColumns: 64, blockDepth: 32, tileRows: 2, tileColumns: 2 },
  { blockChannels: 32, blockColumns: 32, blockDepth: 64, tileRows: 1, tileColumns: 1 },
];

/** Elements between the rows in workgroup memory: 16 bytes, to which matrices that are loaded are aligned. */
const padding = 8;

const kernel: Kernel = {
  name: "conv_gemm_matrix",
  bindings: inputWeightBiasRestOutput,
  constants: ["workgroupSize", "relu"],
  layer: windowFields,
  tiles: [
    "MATRIX_ROWS",
    "MATRIX_COLUMNS",
    "MATRIX_DEPTH",
    "TILE_ROWS",
    "TILE_COLUMNS",
    "BLOCK_CHANNELS",
    "BLOCK_COLUMNS",
    "BLOCK_DEPTH",
    "PADDING",
    "LANES",
  ],
};

/** A way to lay a tile out on the device: its matrices and its subgroups. */
interface Layout {
  readonly matrix: SubgroupMatrix;
  readonly lanes: number;
  readonly threads: number;
}

/**
 * The device's matrices of float16 with sums in float32 that the tile is made of, the largest first, as far as a
 * workgroup is large enough; `undefined` where there is none, or where subgroups are of more than one size.
 */
function layoutOf(tile: MatrixTile, limits: PlanLimits): Layout | undefined {
  const { subgroup, subgroupMatrices = [] } = limits;
  if (subgroup === undefined || subgroup.min !== subgroup.max) return undefined;
  const lanes = subgroup.max;
  return subgroupMatrices
    .filter(({ component, result }) => component === "f16" && result === "f32")
    .map((matrix) => ({ matrix, lanes, threads: subgroupsOf(tile, matrix) * lanes }))
    .filter((layout) => fits(tile, layout, limits))
    .sort((a, b) => volumeOf(b.matrix) - volumeOf(a.matrix))[0];
}

function subgroupsOf(tile: MatrixTile, { rows, columns }: SubgroupMatrix): number {
  return (tile.blockChannels / (rows * tile.tileRows)) * (tile.blockColumns / (columns * tile.tileColumns));
}

function volumeOf({ rows, columns, depth }: SubgroupMatrix): number {
  return rows * columns * depth;
}

function fits(tile: MatrixTile, { matrix, threads }: Layout, limits: PlanLimits): boolean {
  const { blockChannels, blockColumns, blockDepth } = tile;
  // What the kernel's constants come to, a whole number each.
  const whole = [
    subgroupsOf(tile, matrix),
    blockColumns / (matrix.columns * tile.tileColumns),
    blockDepth / matrix.depth,
    threads / (blockColumns / 4),
    (blockDepth * blockChannels) / 4 / threads,
    (blockDepth * blockColumns) / 4 / threads,
  ];
  const storage =
    2 * blockDepth * (blockChannels + blockColumns + 2 * padding) +
    4 * subgroupsOf(tile, matrix) * matrix.rows * matrix.columns;
  return (
    whole.every((count) => Number.isInteger(count) && count >= 1) &&
    threads <= limits.maxComputeWorkgroupSizeX &&
    threads <= limits.maxComputeInvocationsPerWorkgroup &&
    storage <= limits.maxComputeWorkgroupStorageSize
  );
}

function convGemmMatrix(tile: MatrixTile): Algorithm<Conv> {
  const { blockChannels, blockColumns, blockDepth, tileRows, tileColumns } = tile;
  return {
    name: `conv_gemm_matrix_${blockChannels}x${blockColumns}`,
    op: "conv",
    kernels: [kernel],
    fuses: ["rest"],
    accepts: ({ op, precision, limits }) =>
      op.groups === 1 && precision === "f16" && layoutOf(tile, limits) !== undefined,
    // Behind all others.
    preference: () => -10,
    launch(problem: Problem<Conv>): readonly Launch[] {
      const { layer, op, relu, limits } = problem;
      const { matrix, lanes, threads } = layoutOf(tile, limits)!;
      const { columns } = sizeOf(problem);
      const { weight, bias } = convParameters(problem, blockChannels);
      const blocks = Math.ceil(op.outChannels / blockChannels) * Math.ceil(columns / blockColumns);
      return [
        {
          kernel,
          values: {
            ...windowOf(problem),
            workgroupSize: threads,
            relu: Number(relu),
            MATRIX_ROWS: matrix.rows,
            MATRIX_COLUMNS: matrix.columns,
            MATRIX_DEPTH: matrix.depth,
            TILE_ROWS: tileRows,
            TILE_COLUMNS: tileColumns,
            BLOCK_CHANNELS: blockChannels,
            BLOCK_COLUMNS: blockColumns,
            BLOCK_DEPTH: blockDepth,
            PADDING: padding,
            LANES: lanes,
          },
          bindings: [
            { kind: "input", input: 0 },
            { kind: "parameter", parameter: weight },
            { kind: "parameter", parameter: bias },
            restBinding(problem),
            { kind: "output" },
          ],
          workgroups: workgroupGrid(layer, blocks, limits),
        },
      ];
    },
  };
}

export const convGemmMatrices: readonly Algorithm<Conv>[] = matrixTiles.map(convGemmMatrix);
