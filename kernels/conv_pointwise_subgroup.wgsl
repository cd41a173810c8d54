// 1×1 convolution (stride 1, no padding, one group) with bias and optional ReLU, as a tiled matrix product whose
// weights are loaded once for a subgroup and handed round by broadcast: for devices on which a load costs much more
// than a broadcast (a CPU that plays GPU: every lane's load is one of its own there).
//
// input   (N, inChannels, pixels), each image contiguous from inOffset + n · inStride
// weight  packed into tiles of 32 output channels, [tile][inChannel][32]
// bias    [tile][32]
// output  (N, firstChannels, pixels), from outOffset + n · outStride
// rest    (N, outChannels - firstChannels, pixels), from restOffset + n · restStride: the others, where convolutions of
//         one input are computed as one
//
// One thread holds a tile of the product in registers: 32 output channels, four to a vector, by TILE_PIXELS pixels, which
// lie pixelTiles apart. The workgroup's threads share their output channels, so that in whatever order the device deals
// lanes to subgroups, each of a subgroup's first eight lanes can hold four weights for all. A step of the loop takes
// DEPTH input channels: DEPTH · (1 + TILE_PIXELS) loads a lane, the first of four values, for
// DEPTH · 32 · TILE_PIXELS multiply-adds. More channels at once mean fewer stores of the sums, which no CPU has registers
// for; from three on, what was loaded finds no room either. Every lane must take part in the broadcasts to the end: those
// past the last pixel repeat it and store nothing.
// Arithmetic intensity: 32 · TILE_PIXELS multiply-adds for 4 + TILE_PIXELS loaded float32 values a lane: 20 a value, 5
// a byte, at seven pixels.
// (Volkov & Demmel, as in conv_pointwise.wgsl, a broadcast in place of their workgroup memory: measured here, on
// lavapipe.)

enable subgroups;

alias Element = f32; // computed with in f32

const TILE_PIXELS = 7u;
const DEPTH = 2u; // divides inChannels
const TILE_CHANNELS = 8u * 4u; // eight lanes hold four each

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
  firstChannels: u32,
  restOffset: u32,
  restStride: u32,
}

@group(0) @binding(0) var<storage, read_write> input: array<Element>;
@group(0) @binding(1) var<storage, read> weight: array<vec4<Element>>;
@group(0) @binding(2) var<storage, read> bias: array<vec4<Element>>;
@group(0) @binding(3) var<storage, read_write> rest: array<Element>;
@group(0) @binding(4) var<storage, read_write> output: array<Element>;
@group(0) @binding(5) var<uniform> layer: Layer;

fn component(four: vec4f, i: u32) -> f32 {
  return select(select(four.x, four.y, i == 1u), select(four.z, four.w, i == 3u), i > 1u);
}

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

  var sums: array<array<vec4f, TILE_PIXELS>, 8>;
  var inIndex: array<u32, TILE_PIXELS>;
  for (var p = 0u; p < TILE_PIXELS; p++) {
    inIndex[p] = layer.inOffset + image * layer.inStride + min(firstPixel + p * pixelTiles, layer.pixels - 1u);
  }

  var weightIndex = (image * layer.weightTiles + tile) * layer.inChannels * 8u + subgroupLane % 8u;
  var channelStart = 0u;
  for (var channel = 0u; channel < layer.inChannels; channel += DEPTH) {
    var values: array<array<f32, TILE_PIXELS>, DEPTH>;
    var held: array<vec4f, DEPTH>;
    for (var d = 0u; d < DEPTH; d++) {
      held[d] = vec4f(weight[weightIndex + d * 8u]);
      for (var p = 0u; p < TILE_PIXELS; p++) {
        values[d][p] = f32(input[inIndex[p] + channelStart]);
      }
      channelStart += layer.pixels;
    }
    weightIndex += DEPTH * 8u;
    // A broadcast's lane must be a constant in the text, so this is a loop written out.
    var weights: array<vec4f, DEPTH>;
    for (var d = 0u; d < DEPTH; d++) { weights[d] = subgroupBroadcast(held[d], 0u); }
    for (var p = 0u; p < TILE_PIXELS; p++) {
      for (var d = 0u; d < DEPTH; d++) { sums[0][p] += weights[d] * values[d][p]; }
    }
    for (var d = 0u; d < DEPTH; d++) { weights[d] = subgroupBroadcast(held[d], 1u); }
    for (var p = 0u; p < TILE_PIXELS; p++) {
      for (var d = 0u; d < DEPTH; d++) { sums[1][p] += weights[d] * values[d][p]; }
    }
    for (var d = 0u; d < DEPTH; d++) { weights[d] = subgroupBroadcast(held[d], 2u); }
    for (var p = 0u; p < TILE_PIXELS; p++) {
      for (var d = 0u; d < DEPTH; d++) { sums[2][p] += weights[d] * values[d][p]; }
    }
    for (var d = 0u; d < DEPTH; d++) { weights[d] = subgroupBroadcast(held[d], 3u); }
    for (var p = 0u; p < TILE_PIXELS; p++) {
      for (var d = 0u; d < DEPTH; d++) { sums[3][p] += weights[d] * values[d][p]; }
    }
    for (var d = 0u; d < DEPTH; d++) { weights[d] = subgroupBroadcast(held[d], 4u); }
    for (var p = 0u; p < TILE_PIXELS; p++) {
      for (var d = 0u; d < DEPTH; d++) { sums[4][p] += weights[d] * values[d][p]; }
    }
    for (var d = 0u; d < DEPTH; d++) { weights[d] = subgroupBroadcast(held[d], 5u); }
    for (var p = 0u; p < TILE_PIXELS; p++) {
      for (var d = 0u; d < DEPTH; d++) { sums[5][p] += weights[d] * values[d][p]; }
    }
    for (var d = 0u; d < DEPTH; d++) { weights[d] = subgroupBroadcast(held[d], 6u); }
    for (var p = 0u; p < TILE_PIXELS; p++) {
      for (var d = 0u; d < DEPTH; d++) { sums[6][p] += weights[d] * values[d][p]; }
    }
    for (var d = 0u; d < DEPTH; d++) { weights[d] = subgroupBroadcast(held[d], 7u); }
    for (var p = 0u; p < TILE_PIXELS; p++) {
      for (var d = 0u; d < DEPTH; d++) { sums[7][p] += weights[d] * values[d][p]; }
    }
  }

  // The loops over channels are not unrolled and pick their sums by comparison: a store for each output of the tile would
  // make the code, and its compilation, several times as long.
  let outStart = layer.outOffset + image * layer.outStride;
  let restStart = layer.restOffset + image * layer.restStride;
  let firstChannel = tile * TILE_CHANNELS;
  let channelsLeft = min(TILE_CHANNELS, layer.outChannels - firstChannel);
  for (var c = 0u; c < channelsLeft; c += 4u) {
    let channelBias = vec4f(bias[tile * 8u + c / 4u]);
    var four: array<vec4f, TILE_PIXELS>;
    for (var p = 0u; p < TILE_PIXELS; p++) {
      four[p] = sums[0][p];
      for (var k = 1u; k < 8u; k++) {
        four[p] = select(four[p], sums[k][p], c == 4u * k);
      }
      four[p] += channelBias;
      if (relu) {
        four[p] = select(four[p], vec4f(0), four[p] < vec4f(0));
      }
    }
    let left = min(4u, channelsLeft - c);
    let leftOfFirst = clamp(i32(layer.firstChannels) - i32(firstChannel + c), 0, i32(left));
    for (var i = 0u; i < u32(leftOfFirst); i++) {
      let outIndex = outStart + (firstChannel + c + i) * layer.pixels;
      for (var p = 0u; p < TILE_PIXELS; p++) {
        let pixel = firstPixel + p * pixelTiles;
        if (pixel < layer.pixels) {
          output[outIndex + pixel] = Element(component(four[p], i));
        }
      }
    }
    for (var i = u32(leftOfFirst); i < left; i++) {
      let restIndex = restStart + (firstChannel + c + i - layer.firstChannels) * layer.pixels;
      for (var p = 0u; p < TILE_PIXELS; p++) {
        let pixel = firstPixel + p * pixelTiles;
        if (pixel < layer.pixels) {
          rest[restIndex + pixel] = Element(component(four[p], i));
        }
      }
    }
  }
}
