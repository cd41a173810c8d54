// 1×1 convolution (stride 1, no padding, one group) with bias and optional ReLU, as a tiled matrix product:
// conv_pointwise.wgsl where pixels, offsets and strides are multiples of 4, so that four pixels are loaded and stored
// at once.
//
// input   (N, inChannels, pixels), each image contiguous from inOffset + n · inStride
// weight  packed into tiles of output channels, [tile][inChannel][TILE_CHANNELS]
// bias    [tile][TILE_CHANNELS]
// output  (N, outChannels, pixels), from outOffset + n · outStride
//
// One thread holds TILE_CHANNELS × (4 · TILE_QUADS) outputs in registers. Its quads of pixels lie pixelTiles quads
// apart, so that neighbouring threads read neighbouring quads and the same weights.
// Arithmetic intensity: a step of the loop loads TILE_CHANNELS + 4 · TILE_QUADS values, TILE_QUADS of the loads being
// of four, for TILE_CHANNELS · 4 · TILE_QUADS multiply-adds.
// (Volkov & Demmel, as in conv_pointwise.wgsl; four values a load as in TensorFlow.js's packed matrix products.)

alias Element = f32; // computed with in f32

const TILE_CHANNELS = 8u; // a multiple of 4
const TILE_QUADS = 2u; // quads of pixels
const CHANNEL_QUADS = TILE_CHANNELS / 4u;

override workgroupSize: u32 = 64u;
override relu: bool;

struct Layer {
  threadCount: u32,
  inChannels: u32,
  inOffset: u32,
  inStride: u32,
  outChannels: u32,
  outOffset: u32,
  outStride: u32,
  pixels: u32,
  weightTiles: u32, // from the weights of an image to those of the next: 0 where all share them
}

@group(0) @binding(0) var<storage, read_write> input: array<vec4<Element>>;
@group(0) @binding(1) var<storage, read> weight: array<vec4<Element>>;
@group(0) @binding(2) var<storage, read> bias: array<vec4<Element>>;
@group(0) @binding(3) var<storage, read_write> output: array<vec4<Element>>;
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
  let pixelQuads = layer.pixels / 4u;
  let pixelTiles = (pixelQuads + TILE_QUADS - 1u) / TILE_QUADS;
  let channelTiles = (layer.outChannels + TILE_CHANNELS - 1u) / TILE_CHANNELS;
  let firstQuad = thread % pixelTiles;
  let tile = (thread / pixelTiles) % channelTiles;
  let image = thread / (pixelTiles * channelTiles);

  // A quad past the end reads the last one instead and is not stored.
  var inIndex: array<u32, TILE_QUADS>;
  for (var p = 0u; p < TILE_QUADS; p++) {
    inIndex[p] = (layer.inOffset + image * layer.inStride) / 4u + min(firstQuad + p * pixelTiles, pixelQuads - 1u);
  }
  var sums: array<array<vec4f, TILE_QUADS>, TILE_CHANNELS>;
  for (var quad = 0u; quad < CHANNEL_QUADS; quad++) {
    let biases = vec4f(bias[tile * CHANNEL_QUADS + quad]);
    for (var c = 0u; c < 4u; c++) {
      for (var p = 0u; p < TILE_QUADS; p++) {
        sums[quad * 4u + c][p] = vec4f(biases[c]);
      }
    }
  }

  var weightIndex = (image * layer.weightTiles + tile) * layer.inChannels * CHANNEL_QUADS;
  var channelStart = 0u;
  for (var channel = 0u; channel < layer.inChannels; channel++) {
    var values: array<vec4f, TILE_QUADS>;
    for (var p = 0u; p < TILE_QUADS; p++) {
      values[p] = vec4f(input[inIndex[p] + channelStart]);
    }
    for (var quad = 0u; quad < CHANNEL_QUADS; quad++) {
      let weights = vec4f(weight[weightIndex + quad]);
      for (var c = 0u; c < 4u; c++) {
        for (var p = 0u; p < TILE_QUADS; p++) {
          sums[quad * 4u + c][p] += weights[c] * values[p];
        }
      }
    }
    weightIndex += CHANNEL_QUADS;
    channelStart += pixelQuads;
  }

  // The loop over channels is not unrolled and picks its sum by comparison: a store for each output of the tile would
  // make the code, and its compilation, several times as long.
  var outIndex = (layer.outOffset + image * layer.outStride) / 4u + tile * TILE_CHANNELS * pixelQuads;
  let channelsLeft = min(TILE_CHANNELS, layer.outChannels - tile * TILE_CHANNELS);
  for (var c = 0u; c < channelsLeft; c++) {
    for (var p = 0u; p < TILE_QUADS; p++) {
      var values = sums[0][p];
      for (var k = 1u; k < TILE_CHANNELS; k++) {
        values = select(values, sums[k][p], c == k);
      }
      if (relu) {
        values = select(values, vec4f(), values < vec4f());
      }
      let quad = firstQuad + p * pixelTiles;
      if (quad < pixelQuads) {
        output[outIndex + quad] = vec4<Element>(values);
      }
    }
    outIndex += pixelQuads;
  }
}
