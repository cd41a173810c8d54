// Local response normalisation across channels: x / (k + (alpha / size) · Σ x²)^beta, the sum over `size` channels
// around x's own, fewer at the ends. alpha is divided by size, as in Caffe.
//
// input   (N, channels, pixels), each image contiguous from inOffset + n · inStride
// output  the same shape, from outOffset + n · outStride
//
// One thread computes TILE_CHANNELS channels of one pixel and loads every value they need once: neighbouring threads
// take neighbouring pixels. Each sum is added up afresh; a running sum would carry rounding from channel to channel.

alias Element = f32; // computed with in f32: squares beyond 255² overflow f16, and activations reach 3500

const TILE_CHANNELS = 8u;
const SIZE = 5u;
const BELOW = (SIZE - 1u) / 2u; // an even size reaches one further up
const SPAN = TILE_CHANNELS + SIZE - 1u;

override workgroupSize: u32 = 64u;

struct Layer {
  threadCount: u32,
  channels: u32,
  pixels: u32,
  inOffset: u32,
  inStride: u32,
  outOffset: u32,
  outStride: u32,
  alphaOverSize: f32,
  beta: f32,
  k: f32,
}

@group(0) @binding(0) var<storage, read_write> input: array<Element>;
@group(0) @binding(1) var<storage, read_write> output: array<Element>;
@group(0) @binding(2) var<uniform> layer: Layer;

// s^−layer.beta. The usual 3/4 by square roots, which drivers keep exact to a few units in the last place where their pow,
// by way of log2 and exp2, may lose more.
fn inversePower(s: f32) -> f32 {
  if (layer.beta == 0.75) {
    let root = sqrt(s);
    return 1 / (root * sqrt(root));
  }
  return pow(s, -layer.beta);
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
  let channelTiles = (layer.channels + TILE_CHANNELS - 1u) / TILE_CHANNELS;
  let pixel = thread % layer.pixels;
  let firstChannel = ((thread / layer.pixels) % channelTiles) * TILE_CHANNELS;
  let image = thread / (layer.pixels * channelTiles);

  let inStart = layer.inOffset + image * layer.inStride + pixel;
  var values: array<f32, SPAN>;
  for (var s = 0u; s < SPAN; s++) {
    let channel = i32(firstChannel + s) - i32(BELOW);
    if (channel >= 0 && channel < i32(layer.channels)) {
      values[s] = f32(input[inStart + u32(channel) * layer.pixels]);
    }
  }
  let outStart = layer.outOffset + image * layer.outStride + pixel;
  for (var c = 0u; c < TILE_CHANNELS; c++) {
    var sum = 0f;
    for (var s = 0u; s < SIZE; s++) {
      sum += values[c + s] * values[c + s];
    }
    if (firstChannel + c < layer.channels) {
      let scale = layer.k + layer.alphaOverSize * sum;
      output[outStart + (firstChannel + c) * layer.pixels] = Element(values[c + BELOW] * inversePower(scale));
    }
  }
}
