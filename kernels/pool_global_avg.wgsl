// Global average pooling: the mean of each whole feature map.
//
// input   (N, channels, pixels), each image contiguous from inOffset + n · inStride
// output  (N, channels), from outOffset + n · outStride
//
// One workgroup sums one feature map: its lanes take pixels workgroupSize apart, then add up in workgroup memory by
// halves, always in the same order.
// Arithmetic intensity: an addition for each value loaded, 1/4 a float32 byte: the work is bound by memory.
// (Harris, "Optimizing Parallel Reduction in CUDA", NVIDIA 2007.)

alias Element = f32; // computed with in f32

override workgroupSize: u32 = 64u; // a power of 2

struct Layer {
  channels: u32,
  pixels: u32,
  images: u32,
  inOffset: u32,
  inStride: u32,
  outOffset: u32,
  outStride: u32,
}

@group(0) @binding(0) var<storage, read_write> input: array<Element>;
@group(0) @binding(1) var<storage, read_write> output: array<Element>;
@group(0) @binding(2) var<uniform> layer: Layer;

var<workgroup> sums: array<f32, workgroupSize>;

@compute @workgroup_size(workgroupSize)
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let map = workgroup.x + workgroups.x * (workgroup.y + workgroups.y * workgroup.z);
  if (map >= layer.images * layer.channels) {
    return;
  }
  let image = map / layer.channels;
  let channel = map % layer.channels;
  let start = layer.inOffset + image * layer.inStride + channel * layer.pixels;
  var sum = 0f;
  for (var pixel = lane; pixel < layer.pixels; pixel += workgroupSize) {
    sum += f32(input[start + pixel]);
  }
  sums[lane] = sum;
  for (var half = workgroupSize / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) {
      sums[lane] += sums[lane + half];
    }
  }
  if (lane == 0u) {
    output[layer.outOffset + image * layer.outStride + channel] = Element(sums[0] / f32(layer.pixels));
  }
}
