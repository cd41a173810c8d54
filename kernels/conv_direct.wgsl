// Direct convolution with bias and optional ReLU: any kernel, stride, padding, dilation and groups.
//
// input   (N, groups · inChannels, inHeight, inWidth), each image contiguous from inOffset + n · inStride
// weight  packed into tiles of output channels, [group][tile][inChannel][ky][kx][TILE_CHANNELS]
// bias    [group][tile][TILE_CHANNELS]
// output  (N, groups · outChannels, outHeight, outWidth), from outOffset + n · outStride
//
// One thread computes TILE_COLUMNS neighbouring outputs of one row for TILE_CHANNELS channels in registers. For each
// input channel and kernel row it loads the piece of the input row under its outputs once and slides all the kernel's
// columns over it, so that a loaded value serves TILE_CHANNELS · TAPS multiply-adds and a weight TILE_COLUMNS.
// Threads are numbered row tile first, then output channels, then images: neighbours read the same weights.
//
// What lies outside the input is decided before the loops over channels: rows by the bounds of ky, columns by a mask.
// A kernel wider than TAPS columns is walked TAPS columns at a time.
// Arithmetic intensity: in the inner loop TAPS + TILE_COLUMNS − 1 values (at stride 1) and TAPS · TILE_CHANNELS weights
// are loaded for TAPS · TILE_CHANNELS · TILE_COLUMNS multiply-adds.
// (Register blocks of output pixels under a sliding row: Georganas et al., "Anatomy of High-Performance Deep Learning
// Convolutions on SIMD Architectures", SC 2018.)

alias Element = f32; // computed with in f32

const TILE_CHANNELS = 8u; // a multiple of 4
const TILE_COLUMNS = 7u;
const TAPS = 3u; // columns of the kernel that are walked at once; divides kernelWidth
const STRIDE_X = 1u;
const DILATION_X = 1u;
const QUADS = TILE_CHANNELS / 4u;
const SEGMENT = (TILE_COLUMNS - 1u) * STRIDE_X + (TAPS - 1u) * DILATION_X + 1u;

override workgroupSize: u32 = 64u;
override relu: bool;

struct Layer {
  threadCount: u32,
  inChannels: u32, // of one group
  inHeight: u32,
  inWidth: u32,
  inOffset: u32,
  inStride: u32,
  groups: u32,
  outChannels: u32, // of one group
  outHeight: u32,
  outWidth: u32,
  outOffset: u32,
  outStride: u32,
  kernelHeight: u32,
  kernelWidth: u32,
  strideY: u32,
  dilationY: u32,
  padTop: u32,
  padLeft: u32,
}

@group(0) @binding(0) var<storage, read_write> input: array<Element>;
@group(0) @binding(1) var<storage, read> weight: array<vec4<Element>>;
@group(0) @binding(2) var<storage, read> bias: array<vec4<Element>>;
@group(0) @binding(3) var<storage, read_write> output: array<Element>;
@group(0) @binding(4) var<uniform> layer: Layer;

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
  let channelTiles = (layer.outChannels + TILE_CHANNELS - 1u) / TILE_CHANNELS;
  let outColumn = (thread % rowTiles) * TILE_COLUMNS;
  let outRow = (thread / rowTiles) % layer.outHeight;
  let tile = (thread / (rowTiles * layer.outHeight)) % (layer.groups * channelTiles);
  let image = thread / (rowTiles * layer.outHeight * layer.groups * channelTiles);
  let group = tile / channelTiles;

  // The rows of the kernel that meet the input.
  let firstRow = i32(outRow * layer.strideY) - i32(layer.padTop);
  let rowsAbove = u32(max(-firstRow, 0));
  let rowsLeft = u32(max(i32(layer.inHeight) - firstRow, 0));
  let kyBegin = min((rowsAbove + layer.dilationY - 1u) / layer.dilationY, layer.kernelHeight);
  let kyEnd = min((rowsLeft + layer.dilationY - 1u) / layer.dilationY, layer.kernelHeight);

  var sums: array<array<vec4f, TILE_COLUMNS>, QUADS>;
  for (var quad = 0u; quad < QUADS; quad++) {
    for (var x = 0u; x < TILE_COLUMNS; x++) {
      sums[quad][x] = vec4f(bias[tile * QUADS + quad]);
    }
  }

  for (var firstTap = 0u; firstTap < layer.kernelWidth; firstTap += TAPS) {
    // Columns of the input under the segment: their index, held inside the row, and whether they are real.
    var columns: array<u32, SEGMENT>;
    var inside: array<bool, SEGMENT>;
    for (var s = 0u; s < SEGMENT; s++) {
      let column = i32(outColumn * STRIDE_X + firstTap * DILATION_X + s) - i32(layer.padLeft);
      columns[s] = u32(clamp(column, 0, i32(layer.inWidth) - 1));
      inside[s] = column >= 0 && column < i32(layer.inWidth);
    }

    let plane = layer.inHeight * layer.inWidth;
    var channelStart = layer.inOffset + image * layer.inStride + group * layer.inChannels * plane;
    for (var channel = 0u; channel < layer.inChannels; channel++) {
      for (var ky = kyBegin; ky < kyEnd; ky++) {
        let rowStart = channelStart + u32(firstRow + i32(ky * layer.dilationY)) * layer.inWidth;
        var segment: array<f32, SEGMENT>;
        for (var s = 0u; s < SEGMENT; s++) {
          segment[s] = select(0, f32(input[rowStart + columns[s]]), inside[s]);
        }
        let kernelRow = (tile * layer.inChannels + channel) * layer.kernelHeight + ky;
        let weightStart = (kernelRow * layer.kernelWidth + firstTap) * QUADS;
        for (var tap = 0u; tap < TAPS; tap++) {
          for (var quad = 0u; quad < QUADS; quad++) {
            let weights = vec4f(weight[weightStart + tap * QUADS + quad]);
            for (var x = 0u; x < TILE_COLUMNS; x++) {
              sums[quad][x] += weights * segment[x * STRIDE_X + tap * DILATION_X];
            }
          }
        }
      }
      channelStart += plane;
    }
  }

  // The loop over channels is not unrolled and picks its sum by comparison: a store for each output of the tile would
  // make the code, and its compilation, several times as long.
  let firstChannel = (tile % channelTiles) * TILE_CHANNELS;
  let outPlane = layer.outHeight * layer.outWidth;
  var outIndex = layer.outOffset + image * layer.outStride + outRow * layer.outWidth + outColumn
    + (group * layer.outChannels + firstChannel) * outPlane;
  let channelsLeft = min(TILE_CHANNELS, layer.outChannels - firstChannel);
  let columnsLeft = layer.outWidth - outColumn;
  for (var c = 0u; c < channelsLeft; c++) {
    for (var x = 0u; x < TILE_COLUMNS; x++) {
      var values = sums[0][x];
      for (var quad = 1u; quad < QUADS; quad++) {
        values = select(values, sums[quad][x], c / 4u == quad);
      }
      let pair = select(values.xy, values.zw, (c & 2u) != 0u);
      var value = select(pair.x, pair.y, (c & 1u) != 0u);
      if (relu) {
        value = select(value, 0, value < 0);
      }
      if (x < columnsLeft) {
        output[outIndex + x] = Element(value);
      }
    }
    outIndex += outPlane;
  }
}
