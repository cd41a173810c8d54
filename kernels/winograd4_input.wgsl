// Winograd convolution F(4×4, 3×3), first of three steps: the input's tiles, transformed.
// (Lavin & Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016; their points 0, ±1, ±2, ∞.)
//
// input   (N, channels, height, width), each image contiguous from inOffset + n · inStride
// output  (36 frequencies, channels, tiles): Bᵀ d B for each 6×6 tile d of the input, always float32:
//         in float16, GoogLeNet's blobs were off by 2.4e-2 of their largest magnitude rather than 4e-3
//
// A tile yields 4×4 outputs, so tiles overlap by 2. One thread transforms one tile of one channel, tiles fastest: 36
// loads, additions and a few multiplications by small constants, 36 stores. What lies in the padding counts as zero.
// Arithmetic intensity: some 280 operations a tile for 36 float32 loaded and 36 stored, 1 a byte: bound by memory, and
// won back by the products, which are four times fewer.

alias Element = f32; // computed with in f32

override workgroupSize: u32 = 64u;

struct Layer {
  threadCount: u32,
  channels: u32,
  height: u32,
  width: u32,
  inOffset: u32,
  inStride: u32,
  padTop: u32,
  padLeft: u32,
  rowTiles: u32, // down the feature map
  columnTiles: u32, // across it
  firstTile: u32, // of the whole batch's
  tiles: u32,
}

@group(0) @binding(0) var<storage, read_write> input: array<Element>;
@group(0) @binding(1) var<storage, read_write> output: array<f32>;
@group(0) @binding(2) var<uniform> layer: Layer;

// Bᵀ times a column.
fn transform(d: array<f32, 6>) -> array<f32, 6> {
  return array<f32, 6>(
    4 * d[0] - 5 * d[2] + d[4],
    d[3] + d[4] - 4 * (d[1] + d[2]),
    d[4] - d[3] + 4 * (d[1] - d[2]),
    d[4] - d[2] + 2 * (d[3] - d[1]),
    d[4] - d[2] + 2 * (d[1] - d[3]),
    4 * d[1] - 5 * d[3] + d[5],
  );
}

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
  let mapTiles = layer.rowTiles * layer.columnTiles;
  let channel = thread / layer.tiles;
  let tile = layer.firstTile + thread % layer.tiles;
  let image = tile / mapTiles;
  let top = i32((tile % mapTiles) / layer.columnTiles * 4u) - i32(layer.padTop);
  let left = i32(tile % layer.columnTiles * 4u) - i32(layer.padLeft);

  var columns: array<u32, 6>;
  var inside: array<bool, 6>;
  for (var x = 0; x < 6; x++) {
    columns[x] = u32(clamp(left + x, 0, i32(layer.width) - 1));
    inside[x] = left + x >= 0 && left + x < i32(layer.width);
  }
  let plane = layer.inOffset + image * layer.inStride + channel * layer.height * layer.width;
  var rows: array<array<f32, 6>, 6>;
  for (var y = 0; y < 6; y++) {
    let rowStart = plane + u32(clamp(top + y, 0, i32(layer.height) - 1)) * layer.width;
    let rowInside = top + y >= 0 && top + y < i32(layer.height);
    var row: array<f32, 6>;
    for (var x = 0; x < 6; x++) {
      row[x] = select(0, f32(input[rowStart + columns[x]]), rowInside && inside[x]);
    }
    rows[y] = transform(row);
  }
  let frequencyStride = layer.channels * layer.tiles;
  for (var x = 0; x < 6; x++) {
    var column: array<f32, 6>;
    for (var y = 0; y < 6; y++) {
      column[y] = rows[y][x];
    }
    let transformed = transform(column);
    for (var y = 0u; y < 6u; y++) {
      output[thread + (y * 6u + u32(x)) * frequencyStride] = transformed[y];
    }
  }
}
