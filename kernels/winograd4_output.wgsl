// Winograd convolution F(4×4, 3×3), last of three steps: the products' tiles, transformed back, with bias and optional
// ReLU. (Lavin & Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016.)
//
// input   (36 frequencies, channels, tiles), always float32
// bias    (the output's channels)
// output  (N, the output's channels, height, width), each image contiguous from outOffset + n · outStride: Aᵀ m A for each tile m
//
// One thread transforms one tile of one channel, tiles fastest: 36 loads, up to 16 stores. A last tile that reaches past
// the feature map is cut off there.
// Arithmetic intensity: 130 operations a tile for 36 float32 loaded and 16 stored, 0.6 a byte: bound by memory.

alias Element = f32; // computed with in f32

override workgroupSize: u32 = 64u;
override relu: bool;

struct Layer {
  threadCount: u32,
  channels: u32, // of the products
  firstChannel: u32, // of the output
  height: u32,
  width: u32,
  outOffset: u32,
  outStride: u32,
  rowTiles: u32, // down the feature map
  columnTiles: u32, // across it
  firstTile: u32, // of the whole batch's
  tiles: u32,
}

@group(0) @binding(0) var<storage, read_write> input: array<f32>;
@group(0) @binding(1) var<storage, read> bias: array<Element>;
@group(0) @binding(2) var<storage, read_write> output: array<Element>;
@group(0) @binding(3) var<uniform> layer: Layer;

// Aᵀ times a column.
fn transform(m: array<f32, 6>) -> array<f32, 4> {
  let sum12 = m[1] + m[2];
  let difference12 = m[1] - m[2];
  let sum34 = m[3] + m[4];
  let difference34 = m[3] - m[4];
  return array<f32, 4>(
    m[0] + sum12 + sum34,
    difference12 + 2 * difference34,
    sum12 + 4 * sum34,
    difference12 + 8 * difference34 + m[5],
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
  let channel = layer.firstChannel + thread / layer.tiles;
  let tile = layer.firstTile + thread % layer.tiles;
  let image = tile / mapTiles;
  let top = (tile % mapTiles) / layer.columnTiles * 4u;
  let left = tile % layer.columnTiles * 4u;

  let frequencyStride = layer.channels * layer.tiles;
  var rows: array<array<f32, 4>, 6>;
  for (var y = 0u; y < 6u; y++) {
    var row: array<f32, 6>;
    for (var x = 0u; x < 6u; x++) {
      row[x] = input[thread + (y * 6u + x) * frequencyStride];
    }
    rows[y] = transform(row);
  }
  let channelBias = f32(bias[channel]);
  let plane = layer.outOffset + image * layer.outStride + channel * layer.height * layer.width;
  for (var x = 0u; x < 4u; x++) {
    var column: array<f32, 6>;
    for (var y = 0u; y < 6u; y++) {
      column[y] = rows[y][x];
    }
    let transformed = transform(column);
    for (var y = 0u; y < 4u; y++) {
      var value = transformed[y] + channelBias;
      if (relu) {
        value = select(value, 0, value < 0);
      }
      if (top + y < layer.height && left + x < layer.width) {
        output[plane + (top + y) * layer.width + left + x] = Element(value);
      }
    }
  }
}
