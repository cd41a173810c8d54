// Scale and shift by channel, weight · x + bias, with optional ReLU.
//
// input   (N, blocks, channels, inner), each image of so many elements contiguous from inOffset + n · inStride
// weight  (channels)
// bias    (channels)
// output  the same shape as input, from outOffset + n · outStride
//
// One thread computes one element, threads numbered as the elements lie in memory.
// Arithmetic intensity: one multiply-add for a load and a store, 1/8 a float32 byte: the work is bound by memory.
// (Caffe's Scale; ONNX's BatchNormalization where no convolution before it takes it in.)

alias Element = f32; // computed with in f32

override workgroupSize: u32 = 64u;
override relu: bool;

struct Layer {
  threadCount: u32,
  elements: u32, // of one image
  channels: u32,
  inner: u32,
  inOffset: u32,
  inStride: u32,
  outOffset: u32,
  outStride: u32,
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
) {
  let thread = (workgroup.x + workgroups.x * (workgroup.y + workgroups.y * workgroup.z)) * workgroupSize + lane;
  if (thread >= layer.threadCount) {
    return;
  }
  let image = thread / layer.elements;
  let element = thread % layer.elements;
  let channel = (element / layer.inner) % layer.channels;
  let x = f32(input[layer.inOffset + image * layer.inStride + element]);
  var value = f32(weight[channel]) * x + f32(bias[channel]);
  if (relu) {
    value = select(value, 0, value < 0);
  }
  output[layer.outOffset + image * layer.outStride + element] = Element(value);
}
