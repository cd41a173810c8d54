// 1×1 convolution (stride 1, no padding, one group) with bias and optional ReLU, as a tiled matrix product:
// output (outChannels × pixels) = weight (outChannels × inChannels) · input (inChannels × pixels), for each image.
//
// input   (N, inChannels, pixels), each image contiguous from inOffset + n · inStride
// weight  packed into tiles of output channels, [tile][inChannel][TILE_CHANNELS]
// bias    [tile][TILE_CHANNELS]
// output  (N, outChannels, pixels), from outOffset + n · outStride
//
// One thread holds a TILE_CHANNELS × TILE_PIXELS tile of the product in registers: each step of its one loop loads a
// column of the weights and a row of the input and adds their outer product, TILE_CHANNELS · TILE_PIXELS multiply-adds
// for TILE_CHANNELS + TILE_PIXELS loaded values. A thread's pixels lie pixelTiles apart, so that neighbouring threads
// read neighbouring pixels and the same weights.
// Arithmetic intensity: TILE_CHANNELS · TILE_PIXELS / (TILE_CHANNELS + TILE_PIXELS) multiply-adds a loaded value.
// (Outer products summed in registers: Volkov & Demmel, "Benchmarking GPUs to Tune Dense Linear Algebra", SC 2008.)

alias Element = f32; // computed with in f32

const TILE_CHANNELS = 8u; // a multiple of 4
const TILE_PIXELS = 7u;
const QUADS = TILE_CHANNELS / 4u;

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
  let pixelTiles = (layer.pixels + TILE_PIXELS - 1u) / TILE_PIXELS;
  let channelTiles = (layer.outChannels + TILE_CHANNELS - 1u) / TILE_CHANNELS;
  let firstPixel = thread % pixelTiles;
  let tile = (thread / pixelTiles) % channelTiles;
  let image = thread / (pixelTiles * channelTiles);

  // A pixel past the end reads the last one instead and is not stored.
  var sums: array<array<vec4f, TILE_PIXELS>, QUADS>;
  var inIndex: array<u32, TILE_PIXELS>;
  for (var p = 0u; p < TILE_PIXELS; p++) {
    inIndex[p] = layer.inOffset + image * layer.inStride + min(firstPixel + p * pixelTiles, layer.pixels - 1u);
    for (var quad = 0u; quad < QUADS; quad++) {
      sums[quad][p] = vec4f(bias[tile * QUADS + quad]);
    }
  }

  var weightIndex = (image * layer.weightTiles + tile) * layer.inChannels * QUADS;
  var channelStart = 0u;
  for (var channel = 0u; channel < layer.inChannels; channel++) {
    var values: array<f32, TILE_PIXELS>;
    for (var p = 0u; p < TILE_PIXELS; p++) {
      values[p] = f32(input[inIndex[p] + channelStart]);
    }
    for (var quad = 0u; quad < QUADS; quad++) {
      let weights = vec4f(weight[weightIndex + quad]);
      for (var p = 0u; p < TILE_PIXELS; p++) {
        sums[quad][p] += weights * values[p];
      }
    }
    weightIndex += QUADS;
    channelStart += layer.pixels;
  }

  // The loop over channels is not unrolled and picks its sum by comparison: a store for each output of the tile would
  // make the code, and its compilation, several times as long.
  var outIndex = layer.outOffset + image * layer.outStride + tile * TILE_CHANNELS * layer.pixels;
  let channelsLeft = min(TILE_CHANNELS, layer.outChannels - tile * TILE_CHANNELS);
  for (var c = 0u; c < channelsLeft; c++) {
    for (var p = 0u; p < TILE_PIXELS; p++) {
      var values = sums[0][p];
      for (var quad = 1u; quad < QUADS; quad++) {
        values = select(values, sums[quad][p], c / 4u == quad);
      }
      let pair = select(values.xy, values.zw, (c & 2u) != 0u);
      var value = select(pair.x, pair.y, (c & 1u) != 0u);
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
