// Products of matrices, output (…, rows, columns) = left (…, rows, inner) · right (…, inner, columns), either transposed by
// its strides, and one matrix used for many where its stride along an axis before is 0.
//
// left, right, output  a matrix lies Σ index · strides behind the offset; rows, inner and columns have strides of their own
//
// One thread computes TILE_ROWS × TILE_COLUMNS outputs in registers and loads TILE_ROWS + TILE_COLUMNS values for as many
// products. Threads are numbered column tile first, then rows, then matrices: neighbours read the same rows of left.
// Arithmetic intensity: TILE_ROWS · TILE_COLUMNS / (TILE_ROWS + TILE_COLUMNS) multiply-adds a loaded value.
// (Volkov & Demmel, "Benchmarking GPUs to Tune Dense Linear Algebra", SC 2008.)

alias Element = f32; // computed with in f32

const TILE_ROWS = 4u;
const TILE_COLUMNS = 4u;

override workgroupSize: u32 = 64u;

struct Layer {
  // Of each axis before the matrices', the innermost first.
  extents: array<vec4u, 2>,
  leftStrides: array<vec4u, 2>,
  rightStrides: array<vec4u, 2>,
  outStrides: array<vec4u, 2>,
  threadCount: u32,
  axes: u32,
  rows: u32,
  inner: u32,
  columns: u32,
  leftOffset: u32,
  leftRowStride: u32,
  leftInnerStride: u32,
  rightOffset: u32,
  rightInnerStride: u32,
  rightColumnStride: u32,
  outOffset: u32,
  outRowStride: u32,
  outColumnStride: u32,
}

@group(0) @binding(0) var<storage, read_write> left: array<Element>;
@group(0) @binding(1) var<storage, read_write> right: array<Element>;
@group(0) @binding(2) var<storage, read_write> output: array<Element>;
@group(0) @binding(3) var<uniform> layer: Layer;

@compute @workgroup_size(workgroupSize)
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let thread = (workgroup.x + workgroups.x * (workgroup.y + workgroups.y * workgroup.z)) * workgroupSize + lane;
  if (thread >= layer.threadCount) {
    return;
  }
  let columnTiles = (layer.columns + TILE_COLUMNS - 1u) / TILE_COLUMNS;
  let rowTiles = (layer.rows + TILE_ROWS - 1u) / TILE_ROWS;
  let firstColumn = (thread % columnTiles) * TILE_COLUMNS;
  let firstRow = ((thread / columnTiles) % rowTiles) * TILE_ROWS;
  var rest = thread / (columnTiles * rowTiles);
  var leftStart = layer.leftOffset;
  var rightStart = layer.rightOffset;
  var outStart = layer.outOffset;
  for (var axis = 0u; axis < layer.axes; axis++) {
    let extent = layer.extents[axis / 4u][axis % 4u];
    let index = rest % extent;
    rest /= extent;
    leftStart += index * layer.leftStrides[axis / 4u][axis % 4u];
    rightStart += index * layer.rightStrides[axis / 4u][axis % 4u];
    outStart += index * layer.outStrides[axis / 4u][axis % 4u];
  }

  // A row or column past the end reads the last one instead and is not stored.
  var leftRows: array<u32, TILE_ROWS>;
  for (var r = 0u; r < TILE_ROWS; r++) {
    leftRows[r] = leftStart + min(firstRow + r, layer.rows - 1u) * layer.leftRowStride;
  }
  var rightColumns: array<u32, TILE_COLUMNS>;
  for (var c = 0u; c < TILE_COLUMNS; c++) {
    rightColumns[c] = rightStart + min(firstColumn + c, layer.columns - 1u) * layer.rightColumnStride;
  }
  var sums: array<array<f32, TILE_COLUMNS>, TILE_ROWS>;
  for (var i = 0u; i < layer.inner; i++) {
    var rightValues: array<f32, TILE_COLUMNS>;
    for (var c = 0u; c < TILE_COLUMNS; c++) {
      rightValues[c] = f32(right[rightColumns[c] + i * layer.rightInnerStride]);
    }
    for (var r = 0u; r < TILE_ROWS; r++) {
      let leftValue = f32(left[leftRows[r] + i * layer.leftInnerStride]);
      for (var c = 0u; c < TILE_COLUMNS; c++) {
        sums[r][c] += leftValue * rightValues[c];
      }
    }
  }
  for (var r = 0u; r < TILE_ROWS; r++) {
    for (var c = 0u; c < TILE_COLUMNS; c++) {
      if (firstRow + r < layer.rows && firstColumn + c < layer.columns) {
        let outIndex = outStart + (firstRow + r) * layer.outRowStride + (firstColumn + c) * layer.outColumnStride;
        output[outIndex] = Element(sums[r][c]);
      }
    }
  }
}
