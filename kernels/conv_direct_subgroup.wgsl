// Direct convolution with bias and optional ReLU, any kernel, stride, padding, dilation and groups, whose weights are
// loaded once for a subgroup and handed round by broadcast: for devices on which a load costs much more than a
// broadcast (a CPU that plays GPU: every lane's load is one of its own there).
//
// input   (N, groups · inChannels, inHeight, inWidth), each image contiguous from inOffset + n · inStride
// weight  packed into tiles of output channels, [group][tile][inChannel][ky][kx][TILE_CHANNELS]
// bias    [group][tile][TILE_CHANNELS]
// output  (N, groups · outChannels, outHeight, outWidth), from outOffset + n · outStride
//
// One thread computes TILE_COLUMNS neighbouring outputs of one row for TILE_CHANNELS channels in registers, sliding
// the kernel's columns over a piece of the input row as conv_direct.wgsl does. The workgroup's threads share their
// output channels, so that in whatever order the device deals lanes to subgroups, each of a subgroup's first eight
// lanes can hold one weight for all. Every lane must take part in the broadcasts to the end: rows that lie outside the
// input count as zeros rather than being left out, and lanes past the last row tile repeat it and store nothing.

enable subgroups;

alias Element = f32; // computed with in f32

const TILE_CHANNELS = 16u; // a multiple of 8
const TILE_COLUMNS = 7u;
const TAPS = 3u; // columns of the kernel that are walked at once; divides kernelWidth
const STRIDE_X = 1u;
const DILATION_X = 1u;
const EIGHTHS = TILE_CHANNELS / 8u;
const SEGMENT = (TILE_COLUMNS - 1u) * STRIDE_X + (TAPS - 1u) * DILATION_X + 1u;

override workgroupSize: u32 = 64u; // a multiple of the subgroup size, which is at least 8
override relu: bool;

struct Layer {
  images: u32,
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
@group(0) @binding(1) var<storage, read> weight: array<Element>;
@group(0) @binding(2) var<storage, read> bias: array<Element>;
@group(0) @binding(3) var<storage, read_write> output: array<Element>;
@group(0) @binding(4) var<uniform> layer: Layer;

@compute @workgroup_size(workgroupSize)
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
  @builtin(subgroup_invocation_id) subgroupLane: u32,
) {
  let block = workgroup.x + workgroups.x * (workgroup.y + workgroups.y * workgroup.z);
  let rowTiles = (layer.outWidth + TILE_COLUMNS - 1u) / TILE_COLUMNS;
  let mapTiles = rowTiles * layer.outHeight;
  let mapBlocks = (mapTiles + workgroupSize - 1u) / workgroupSize;
  let groupTiles = (layer.outChannels + TILE_CHANNELS - 1u) / TILE_CHANNELS;
  let mapTile = (block % mapBlocks) * workgroupSize + lane;
  let tile = (block / mapBlocks) % (layer.groups * groupTiles);
  let image = block / (mapBlocks * layer.groups * groupTiles);
  if (image >= layer.images) {
    return;
  }
  let group = tile / groupTiles;
  let outRow = min(mapTile, mapTiles - 1u) / rowTiles;
  let outColumn = (min(mapTile, mapTiles - 1u) % rowTiles) * TILE_COLUMNS;
  let firstRow = i32(outRow * layer.strideY) - i32(layer.padTop);
  let plane = layer.inHeight * layer.inWidth;
  let inStart = layer.inOffset + image * layer.inStride + group * layer.inChannels * plane;

  var sums: array<array<f32, TILE_COLUMNS>, TILE_CHANNELS>;
  for (var firstTap = 0u; firstTap < layer.kernelWidth; firstTap += TAPS) {
    // Columns of the input under the segment: their index, held inside the row, and whether they are real.
    var columns: array<u32, SEGMENT>;
    var inside: array<bool, SEGMENT>;
    for (var s = 0u; s < SEGMENT; s++) {
      let column = i32(outColumn * STRIDE_X + firstTap * DILATION_X + s) - i32(layer.padLeft);
      columns[s] = u32(clamp(column, 0, i32(layer.inWidth) - 1));
      inside[s] = column >= 0 && column < i32(layer.inWidth);
    }

    var channelStart = inStart;
    for (var channel = 0u; channel < layer.inChannels; channel++) {
      for (var ky = 0u; ky < layer.kernelHeight; ky++) {
        let row = firstRow + i32(ky * layer.dilationY);
        let rowInside = row >= 0 && row < i32(layer.inHeight);
        let rowStart = channelStart + u32(clamp(row, 0, i32(layer.inHeight) - 1)) * layer.inWidth;
        var segment: array<f32, SEGMENT>;
        for (var s = 0u; s < SEGMENT; s++) {
          segment[s] = select(0, f32(input[rowStart + columns[s]]), rowInside && inside[s]);
        }
        let kernelRow = (tile * layer.inChannels + channel) * layer.kernelHeight + ky;
        let weightStart = (kernelRow * layer.kernelWidth + firstTap) * TILE_CHANNELS + subgroupLane % 8u;
        for (var tap = 0u; tap < TAPS; tap++) {
          for (var eighth = 0u; eighth < EIGHTHS; eighth++) {
            let held = f32(weight[weightStart + tap * TILE_CHANNELS + eighth * 8u]);
            // A broadcast's lane must be a constant in the text, so this is a loop written out.
            let weights = array<f32, 8>(
              subgroupBroadcast(held, 0u), subgroupBroadcast(held, 1u), subgroupBroadcast(held, 2u),
              subgroupBroadcast(held, 3u), subgroupBroadcast(held, 4u), subgroupBroadcast(held, 5u),
              subgroupBroadcast(held, 6u), subgroupBroadcast(held, 7u));
            for (var c = 0u; c < 8u; c++) {
              for (var x = 0u; x < TILE_COLUMNS; x++) {
                sums[eighth * 8u + c][x] += weights[c] * segment[x * STRIDE_X + tap * DILATION_X];
              }
            }
          }
        }
      }
      channelStart += plane;
    }
  }

  // The loop over channels is not unrolled and picks its sum by comparison: a store for each output of the tile would
  // make the code, and its compilation, several times as long.
  let firstChannel = (tile % groupTiles) * TILE_CHANNELS;
  let outPlane = layer.outHeight * layer.outWidth;
  var outIndex = layer.outOffset + image * layer.outStride + outRow * layer.outWidth + outColumn
    + (group * layer.outChannels + firstChannel) * outPlane;
  let channelsLeft = min(TILE_CHANNELS, layer.outChannels - firstChannel);
  let columnsLeft = select(0u, layer.outWidth - outColumn, mapTile < mapTiles);
  for (var c = 0u; c < channelsLeft; c++) {
    let channelBias = f32(bias[tile * TILE_CHANNELS + c]);
    for (var x = 0u; x < TILE_COLUMNS; x++) {
      var value = sums[0][x];
      for (var k = 1u; k < TILE_CHANNELS; k++) {
        value = select(value, sums[k][x], c == k);
      }
      value += channelBias;
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
