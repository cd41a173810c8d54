// Last of two steps of a convolution in parts of its depth (split-K): adds up the parts' sums, with bias and optional
// ReLU.
//
// input   (parts, N, channels, pixels), always float32: parts may be far larger than their sum
// bias    (channels)
// output  (N, firstChannels, pixels), each image contiguous from outOffset + n · outStride
// rest    (N, channels - firstChannels, pixels), from restOffset + n · restStride: see conv_gemm.wgsl
//
// One thread makes one output, pixels fastest, and adds the parts in their order: so many loads for one store, all of
// them side by side with the neighbours'.
// Arithmetic intensity: an addition for each float32 loaded, 1/4 a byte: the work is bound by memory.
// (Split-K: NVIDIA, CUTLASS, "Efficient GEMM in CUDA", parallelised reductions.)

alias Element = f32; // computed with in f32

override workgroupSize: u32 = 64u;
override relu: bool;

struct Layer {
  threadCount: u32,
  parts: u32,
  channels: u32,
  pixels: u32,
  outOffset: u32,
  outStride: u32,
  firstChannels: u32,
  restOffset: u32,
  restStride: u32,
}

@group(0) @binding(0) var<storage, read_write> input: array<f32>;
@group(0) @binding(1) var<storage, read> bias: array<Element>;
@group(0) @binding(2) var<storage, read_write> rest: array<Element>;
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
  let image = thread / (layer.channels * layer.pixels);
  let within = thread % (layer.channels * layer.pixels);
  var value = f32(bias[within / layer.pixels]);
  for (var part = 0u; part < layer.parts; part++) {
    value += input[part * layer.threadCount + thread];
  }
  if (relu) {
    value = select(value, 0, value < 0);
  }
  let first = layer.firstChannels * layer.pixels;
  if (within < first) {
    output[layer.outOffset + image * layer.outStride + within] = Element(value);
  } else {
    rest[layer.restOffset + image * layer.restStride + within - first] = Element(value);
  }
}
