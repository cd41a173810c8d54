// Local response normalisation across channels: x / (k + (alpha / size) · Σ x²)^beta, the sum over `size` channels
// around x's own, fewer at the ends. alpha is divided by size, as in Caffe.
//
// input   (N, channels, pixels), each image contiguous from inOffset + n · inStride
// output  the same shape, from outOffset + n · outStride
//
// One thread computes tileChannels channels of one pixel in turn and loads every value they need once: neighbouring
// threads take neighbouring pixels. Few channels make many threads, for devices that want them. Each sum is added up
// afresh; a running sum would carry rounding from channel to channel.
// Arithmetic intensity: SIZE multiply-adds, two roots and a division for a value loaded and one stored, some 2
// operations a float32 byte: the work is bound by memory.
// (The formula: Krizhevsky, Sutskever & Hinton, "ImageNet Classification with Deep Convolutional Neural Networks", NIPS
// 2012, section 3.3, with Caffe's alpha.)

alias Element = f32; // computed with in f32: squares beyond 255² overflow f16, and activations reach 3500

const SIZE = 5u;
const BELOW = (SIZE - 1u) / 2u; // an even size reaches one further up

override workgroupSize: u32 = 64u;
override threeQuarters: bool; // whether beta is 3/4

struct Layer {
  threadCount: u32,
  channels: u32,
  tileChannels: u32,
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
  if (threeQuarters) {
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
  let channelTiles = (layer.channels + layer.tileChannels - 1u) / layer.tileChannels;
  let pixel = thread % layer.pixels;
  let firstChannel = ((thread / layer.pixels) % channelTiles) * layer.tileChannels;
  let image = thread / (layer.pixels * channelTiles);

  // The values around the next channel; the last of them comes with it.
  var values: array<f32, SIZE>;
  let inStart = layer.inOffset + image * layer.inStride + pixel;
  for (var s = 1u; s < SIZE; s++) {
    let channel = i32(firstChannel + s) - i32(BELOW + 1u);
    if (channel >= 0 && channel < i32(layer.channels)) {
      values[s] = f32(input[inStart + u32(channel) * layer.pixels]);
    }
  }
  let outStart = layer.outOffset + image * layer.outStride + pixel;
  let end = min(firstChannel + layer.tileChannels, layer.channels);
  for (var channel = firstChannel; channel < end; channel++) {
    for (var s = 0u; s < SIZE - 1u; s++) {
      values[s] = values[s + 1u];
    }
    let next = channel + SIZE - 1u - BELOW;
    values[SIZE - 1u] = 0;
    if (next < layer.channels) {
      values[SIZE - 1u] = f32(input[inStart + next * layer.pixels]);
    }
    var sum = 0f;
    for (var s = 0u; s < SIZE; s++) {
      sum += values[s] * values[s];
    }
    let scale = layer.k + layer.alphaOverSize * sum;
    output[outStart + channel * layer.pixels] = Element(values[BELOW] * inversePower(scale));
  }
}
