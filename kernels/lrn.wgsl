// Local response normalisation across channels: x / (k + (alpha / size) · Σ x²)^beta, the sum over `size` channels
// around x's own, fewer at the ends. alpha is divided by size, as in Caffe.
//
// input   (N, channels, pixels), each image contiguous from inOffset + n · inStride
// output  the same shape, from outOffset + n · outStride
//
// One thread computes TILE_CHANNELS channels of one pixel and loads every value they need once: neighbouring threads
// take neighbouring pixels. Each sum is added up afresh; a running sum would carry rounding from channel to channel.

alias Element = f32;

const TILE_CHANNELS = 8u;
const SIZE = 5u;
const BELOW = (SIZE - 1u) / 2u; // an even size reaches one further up
const SPAN = TILE_CHANNELS + SIZE - 1u;

override workgroupSize: u32 = 64u;
override threadCount: u32;
override channels: u32;
override pixels: u32;
override inOffset: u32;
override inStride: u32;
override outOffset: u32;
override outStride: u32;
override alphaOverSize: f32;
override beta: f32;
override k: f32;

@group(0) @binding(0) var<storage, read> input: array<Element>;
@group(0) @binding(1) var<storage, read_write> output: array<Element>;

// s^−beta. The usual 3/4 by square roots, which drivers keep exact to a few units in the last place where their pow,
// by way of log2 and exp2, may lose more.
fn inversePower(s: f32) -> f32 {
  if (beta == 0.75) {
    let root = sqrt(s);
    return 1 / (root * sqrt(root));
  }
  return pow(s, -beta);
}

@compute @workgroup_size(workgroupSize)
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let thread = (workgroup.x + workgroups.x * (workgroup.y + workgroups.y * workgroup.z)) * workgroupSize + lane;
  if (thread >= threadCount) {
    return;
  }
  let channelTiles = (channels + TILE_CHANNELS - 1u) / TILE_CHANNELS;
  let pixel = thread % pixels;
  let firstChannel = ((thread / pixels) % channelTiles) * TILE_CHANNELS;
  let image = thread / (pixels * channelTiles);

  let inStart = inOffset + image * inStride + pixel;
  var values: array<f32, SPAN>;
  for (var s = 0u; s < SPAN; s++) {
    let channel = i32(firstChannel + s) - i32(BELOW);
    if (channel >= 0 && channel < i32(channels)) {
      values[s] = f32(input[inStart + u32(channel) * pixels]);
    }
  }
  let outStart = outOffset + image * outStride + pixel;
  for (var c = 0u; c < TILE_CHANNELS; c++) {
    var sum = 0f;
    for (var s = 0u; s < SIZE; s++) {
      sum += values[c + s] * values[c + s];
    }
    if (firstChannel + c < channels) {
      let scale = k + alphaOverSize * sum;
      output[outStart + (firstChannel + c) * pixels] = Element(values[c + BELOW] * inversePower(scale));
    }
  }
}
