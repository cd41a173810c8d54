// Max pooling without dilation, several outputs of a row at once; a NaN under the window always wins.
//
// input   (N, channels, inHeight, inWidth), each image contiguous from inOffset + n · inStride
// output  (N, channels, outHeight, outWidth), from outOffset + n · outStride
//
// One thread computes TILE_COLUMNS neighbouring outputs of one row: it takes the maximum down each column under them,
// then across TAPS columns for each output, so that windows that overlap share their loads: 27 instead of 63 for seven
// 3×3 windows of stride 1. A tap in the padding is moved to the nearest pixel of the map, which the same window holds
// anyway: no maximum changes, and nothing has to be left out.

alias Element = f32; // computed with in f32

const TILE_COLUMNS = 7u;
const TAPS = 3u; // the kernel's width
const STRIDE_X = 1u;
const SEGMENT = (TILE_COLUMNS - 1u) * STRIDE_X + TAPS;

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
  kernelHeight: u32,
  strideY: u32,
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
  let rowTiles = (layer.outWidth + TILE_COLUMNS - 1u) / TILE_COLUMNS;
  let outColumn = (thread % rowTiles) * TILE_COLUMNS;
  let outRow = (thread / rowTiles) % layer.outHeight;
  let channel = (thread / (rowTiles * layer.outHeight)) % layer.channels;
  let image = thread / (rowTiles * layer.outHeight * layer.channels);

  let top = i32(outRow * layer.strideY) - i32(layer.padTop);
  let left = i32(outColumn * STRIDE_X) - i32(layer.padLeft);
  let plane = layer.inOffset + image * layer.inStride + channel * layer.inHeight * layer.inWidth;
  var columns: array<u32, SEGMENT>;
  var down: array<f32, SEGMENT>;
  for (var s = 0u; s < SEGMENT; s++) {
    columns[s] = u32(clamp(left + i32(s), 0, i32(layer.inWidth) - 1));
    down[s] = -0x1.fffffep+127f;
  }
  for (var ky = 0u; ky < layer.kernelHeight; ky++) {
    let rowStart = plane + u32(clamp(top + i32(ky), 0, i32(layer.inHeight) - 1)) * layer.inWidth;
    for (var s = 0u; s < SEGMENT; s++) {
      down[s] = larger(down[s], f32(input[rowStart + columns[s]]));
    }
  }

  let outStart = layer.outOffset + image * layer.outStride + (channel * layer.outHeight + outRow) * layer.outWidth;
  for (var x = 0u; x < TILE_COLUMNS; x++) {
    var largest = down[x * STRIDE_X];
    for (var tap = 1u; tap < TAPS; tap++) {
      largest = larger(largest, down[x * STRIDE_X + tap]);
    }
    if (outColumn + x < layer.outWidth) {
      output[outStart + outColumn + x] = Element(largest);
    }
  }
}
