// Max pooling without dilation, several outputs of a row at once and of several rows in turn; a NaN under the window
// always wins.
//
// input   (N, channels, inHeight, inWidth), each image contiguous from inOffset + n · inStride
// output  (N, channels, outHeight, outWidth), from outOffset + n · outStride
//
// One thread computes TILE_COLUMNS neighbouring columns of tileRows rows, downwards. Of each row of the map it takes the
// maxima across TAPS_X columns once, and keeps those of TAPS_Y rows, so that windows that overlap share their loads to
// either side: seven 3×3 windows of stride 1 in a long column take 9 loads for 63. Few rows make many threads, for devices
// that want them. A tap in the padding is moved to the nearest pixel of the map, which the same window holds anyway: no
// maximum changes, and nothing has to be left out.
// Arithmetic intensity: TAPS_X − 1 + TAPS_Y − 1 comparisons an output of stride 1, for 4 bytes stored and little more
// than 4 loaded in float32: the work is bound by memory.
// (A maximum taken along rows, then down columns: van Herk, "A fast algorithm for local minimum and maximum filters on
// rectangular and octagonal kernels", Pattern Recognition Letters 1992.)

alias Element = f32; // computed with in f32

const TILE_COLUMNS = 7u;
const TAPS_X = 3u; // the kernel's width
const TAPS_Y = 3u; // its height
const STRIDE_X = 1u;
const STRIDE_Y = 1u; // at most TAPS_Y
const SEGMENT = (TILE_COLUMNS - 1u) * STRIDE_X + TAPS_X;

override workgroupSize: u32 = 64u;

struct Layer {
  threadCount: u32,
  channels: u32,
  inHeight: u32,
  inWidth: u32,
  inOffset: u32,
  inStride: u32,
  outHeight: u32,
  outWidth: u32,
  outOffset: u32,
  outStride: u32,
  tileRows: u32,
  padTop: u32,
  padLeft: u32,
}

@group(0) @binding(0) var<storage, read_write> input: array<Element>;
@group(0) @binding(1) var<storage, read_write> output: array<Element>;
@group(0) @binding(2) var<uniform> layer: Layer;

// Asked of the bits, since shaders may assume that no NaN occurs and drop `x != x`.
fn larger(largest: f32, value: f32) -> f32 {
  let isNan = (bitcast<u32>(value) & 0x7fffffffu) > 0x7f800000u;
  return select(largest, value, value > largest || isNan);
}

// The maxima across a row of the map, one for each column of the tile.
fn across(rowStart: u32, columns: array<u32, SEGMENT>) -> array<f32, TILE_COLUMNS> {
  var row: array<f32, SEGMENT>;
  for (var s = 0u; s < SEGMENT; s++) {
    row[s] = f32(input[rowStart + columns[s]]);
  }
  var maxima: array<f32, TILE_COLUMNS>;
  for (var x = 0u; x < TILE_COLUMNS; x++) {
    maxima[x] = row[x * STRIDE_X];
    for (var tap = 1u; tap < TAPS_X; tap++) {
      maxima[x] = larger(maxima[x], row[x * STRIDE_X + tap]);
    }
  }
  return maxima;
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
  let columnTiles = (layer.outWidth + TILE_COLUMNS - 1u) / TILE_COLUMNS;
  let rowTiles = (layer.outHeight + layer.tileRows - 1u) / layer.tileRows;
  let outColumn = (thread % columnTiles) * TILE_COLUMNS;
  let firstRow = (thread / columnTiles) % rowTiles * layer.tileRows;
  let channel = (thread / (columnTiles * rowTiles)) % layer.channels;
  let image = thread / (columnTiles * rowTiles * layer.channels);

  let left = i32(outColumn * STRIDE_X) - i32(layer.padLeft);
  let plane = layer.inOffset + image * layer.inStride + channel * layer.inHeight * layer.inWidth;
  let lastRow = i32(layer.inHeight) - 1;
  var columns: array<u32, SEGMENT>;
  for (var s = 0u; s < SEGMENT; s++) {
    columns[s] = u32(clamp(left + i32(s), 0, i32(layer.inWidth) - 1));
  }
  // The maxima of the rows under the next window; the last STRIDE_Y of them come with it.
  var rows: array<array<f32, TILE_COLUMNS>, TAPS_Y>;
  var row = i32(firstRow * STRIDE_Y) - i32(layer.padTop);
  for (var k = STRIDE_Y; k < TAPS_Y; k++) {
    rows[k] = across(plane + u32(clamp(row, 0, lastRow)) * layer.inWidth, columns);
    row++;
  }
  var outIndex = layer.outOffset + image * layer.outStride + outColumn
    + (channel * layer.outHeight + firstRow) * layer.outWidth;
  let rowCount = min(layer.tileRows, layer.outHeight - firstRow);
  for (var r = 0u; r < rowCount; r++) {
    for (var k = 0u; k < TAPS_Y - STRIDE_Y; k++) {
      rows[k] = rows[k + STRIDE_Y];
    }
    for (var k = TAPS_Y - STRIDE_Y; k < TAPS_Y; k++) {
      rows[k] = across(plane + u32(clamp(row, 0, lastRow)) * layer.inWidth, columns);
      row++;
    }
    for (var x = 0u; x < TILE_COLUMNS; x++) {
      var largest = -0x1.fffffep+127f; // as Caffe starts: no maximum is less
      for (var k = 0u; k < TAPS_Y; k++) {
        largest = larger(largest, rows[k][x]);
      }
      if (outColumn + x < layer.outWidth) {
        output[outIndex + x] = Element(largest);
      }
    }
    outIndex += layer.outWidth;
  }
}
