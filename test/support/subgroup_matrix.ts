/**
 * Subgroup matrices for devices that have none: kernels/conv_gemm_matrix.wgsl as it stands, but for the experimental
 * types and their three functions, which are written out in plain WGSL.
 */

import type { SubgroupMatrix } from "../../src/plan/limits.ts";

/** Configurations that GPUs have. */
export const matrices: readonly SubgroupMatrix[] = [
  { component: "f16", result: "f32", rows: 16, columns: 16, depth: 16 },
  { component: "f16", result: "f32", rows: 16, columns: 8, depth: 8 },
  { component: "f16", result: "f32", rows: 8, columns: 8, depth: 8 },
];

const replacements: readonly (readonly [RegExp, string])[] = [
  [/^enable chromium_experimental_subgroup_matrix;$/m, ""],
  [/subgroup_matrix_left<Element, MATRIX_DEPTH, MATRIX_ROWS>/, "Place"],
  [/subgroup_matrix_right<Element, MATRIX_COLUMNS, MATRIX_DEPTH>/, "Place"],
  [/subgroup_matrix_result<f32, MATRIX_COLUMNS, MATRIX_ROWS>/, "array<f32, MATRIX_SIZE / LANES>"],
  [/subgroupMatrixLoad<Weights, col_major>\(&weightPiece, /, "Place("],
  [/subgroupMatrixLoad<Inputs, row_major>\(&inputPiece, /, "Place("],
  [/subgroupMatrixMultiplyAccumulate\(/, "multiplyAccumulate("],
  [/subgroupMatrixStore<row_major>\(&results, /, "storeSums("],
  [
    /(@compute[^{]*\{\n)/,
    "$1" +
      "  ownLane = subgroupLane;\n" +
      "  ownCount = select(0u, MATRIX_SIZE / LANES, layer.depth > 0u);\n" +
      "  ownDepth = select(0u, MATRIX_DEPTH, layer.depth > 0u);\n",
  ],
];

/** Sums are dealt out to the lanes; factors stay in workgroup memory, and are known by their place. */
const functions = `
struct Place {
  offset: u32,
  stride: u32,
}

var<private> ownLane: u32;
// Loops whose ends a driver knows it may unroll, for minutes.
var<private> ownCount: u32;
var<private> ownDepth: u32;

fn multiplyAccumulate(left: Place, right: Place, sums: Sums) -> Sums {
  var result = sums;
  for (var i = 0u; i < ownCount; i++) {
    let element = ownLane + i * LANES;
    let row = left.offset + element / MATRIX_COLUMNS;
    let column = right.offset + element % MATRIX_COLUMNS;
    var sum = result[i];
    for (var k = 0u; k < ownDepth; k++) {
      sum += f32(weightPiece[row + k * left.stride]) * f32(inputPiece[column + k * right.stride]);
    }
    result[i] = sum;
  }
  return result;
}

fn storeSums(offset: u32, sums: Sums, stride: u32) {
  for (var i = 0u; i < ownCount; i++) {
    let element = ownLane + i * LANES;
    results[offset + element / MATRIX_COLUMNS * stride + element % MATRIX_COLUMNS] = sums[i];
  }
}
`;

/** Throws where the kernel asks for something that is not written out here. */
export function writeOut(source: string): string {
  let text = source;
  for (const [pattern, plain] of replacements) {
    if (!pattern.test(text)) throw new Error(`the kernel has no ${pattern.source}`);
    text = text.replace(pattern, plain);
  }
  const code = text.replace(/\/\/.*$/gm, "");
  if (/subgroup_?matrix/i.test(code)) throw new Error("the kernel asks for more of subgroup matrices");
  return text + functions;
}
