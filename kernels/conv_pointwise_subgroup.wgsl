// 1×1 convolution (stride 1, no padding, one group) with bias and optional ReLU, as a tiled matrix product whose
// weights are loaded once for a subgroup and handed round by broadcast: for devices on which a load costs much more
// than a broadcast (a CPU that plays GPU: every lane's load is one of its own there).
//
// input   (N, inChannels, pixels), each image contiguous from inOffset + n · inStride
// weight  packed into tiles of output channels, [tile][inChannel][TILE_CHANNELS]
// bias    [tile][TILE_CHANNELS]
// output  (N, outChannels, pixels), from outOffset + n · outStride
//
// One thread holds a TILE_CHANNELS × TILE_PIXELS tile of the product in registers; its pixels lie pixelTiles apart.
// The workgroup's threads share their output channels, so that in whatever order the device deals lanes to subgroups,
// each of a subgroup's first eight lanes can hold one weight for all. A step of the loop loads
// TILE_CHANNELS / 8 + TILE_PIXELS values a lane for TILE_CHANNELS · TILE_PIXELS multiply-adds. Every lane must take
// part in the broadcasts to the end: those past the last pixel repeat it and store nothing.

enable subgroups;

alias Element = f32; // computed with in f32

const TILE_CHANNELS = 16u; // a multiple of 8
const TILE_PIXELS = 7u;
const EIGHTHS = TILE_CHANNELS / 8u;

override workgroupSize: u32 = 64u; // a multiple of the subgroup size, which is at least 8
override relu: bool;

struct Layer {
  images: u32,
  inChannels: u32,
  inOffset: u32,
  inStride: u32,
  outChannels: u32,
  outOffset: u32,
  outStride: u32,
  pixels: u32,
  weightTiles: u32, // from the weights of an image to those of the next: 0 where all share them
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
  let blockPixels = workgroupSize * TILE_PIXELS;
  let pixelBlocks = (layer.pixels + blockPixels - 1u) / blockPixels;
  let channelTiles = (layer.outChannels + TILE_CHANNELS - 1u) / TILE_CHANNELS;
  let pixelTiles = pixelBlocks * workgroupSize;
  let firstPixel = (block % pixelBlocks) * workgroupSize + lane;
  let tile = (block / pixelBlocks) % channelTiles;
  let image = block / (pixelBlocks * channelTiles);
  if (image >= layer.images) {
    return;
  }

  var sums: array<array<f32, TILE_PIXELS>, TILE_CHANNELS>;
  var inIndex: array<u32, TILE_PIXELS>;
  for (var p = 0u; p < TILE_PIXELS; p++) {
    inIndex[p] = layer.inOffset + image * layer.inStride + min(firstPixel + p * pixelTiles, layer.pixels - 1u);
  }

  var weightIndex = (image * layer.weightTiles + tile) * layer.inChannels * TILE_CHANNELS + subgroupLane % 8u;
  var channelStart = 0u;
  for (var channel = 0u; channel < layer.inChannels; channel++) {
    var values: array<f32, TILE_PIXELS>;
    for (var p = 0u; p < TILE_PIXELS; p++) {
      values[p] = f32(input[inIndex[p] + channelStart]);
    }
    for (var eighth = 0u; eighth < EIGHTHS; eighth++) {
      let held = f32(weight[weightIndex + eighth * 8u]);
      // A broadcast's lane must be a constant in the text, so this is a loop written out.
      let weights = array<f32, 8>(
        subgroupBroadcast(held, 0u), subgroupBroadcast(held, 1u), subgroupBroadcast(held, 2u),
        subgroupBroadcast(held, 3u), subgroupBroadcast(held, 4u), subgroupBroadcast(held, 5u),
        subgroupBroadcast(held, 6u), subgroupBroadcast(held, 7u));
      for (var c = 0u; c < 8u; c++) {
        for (var p = 0u; p < TILE_PIXELS; p++) {
          sums[eighth * 8u + c][p] += weights[c] * values[p];
        }
      }
    }
    weightIndex += TILE_CHANNELS;
    channelStart += layer.pixels;
  }

  // The loop over channels is not unrolled and picks its sum by comparison: a store for each output of the tile would
  // make the code, and its compilation, several times as long.
  var outIndex = layer.outOffset + image * layer.outStride + tile * TILE_CHANNELS * layer.pixels;
  let channelsLeft = min(TILE_CHANNELS, layer.outChannels - tile * TILE_CHANNELS);
  for (var c = 0u; c < channelsLeft; c++) {
    let channelBias = f32(bias[tile * TILE_CHANNELS + c]);
    for (var p = 0u; p < TILE_PIXELS; p++) {
      var value = sums[0][p];
      for (var k = 1u; k < TILE_CHANNELS; k++) {
        value = select(value, sums[k][p], c == k);
      }
      value += channelBias;
      if (relu) {
        value = select(value, 0, value < 0);
      }
      let pixel = firstPixel + p * pixelTiles;
      if (pixel < layer.pixels) {
        output[outIndex + pixel] = Element(value);
      }
    }
    outIndex += layer.pixels;
  }
}
