// Global average pooling: the mean of each whole feature map.
//
// input   (N, channels, pixels), each image contiguous from inOffset + n · inStride
// output  (N, channels), from outOffset + n · outStride
//
// One workgroup sums one feature map: its lanes take pixels workgroupSize apart, then add up in workgroup memory by
// halves, always in the same order.

alias Element = f32;

override workgroupSize: u32 = 64u; // a power of 2
override channels: u32;
override pixels: u32;
override images: u32;
override inOffset: u32;
override inStride: u32;
override outOffset: u32;
override outStride: u32;

@group(0) @binding(0) var<storage, read> input: array<Element>;
@group(0) @binding(1) var<storage, read_write> output: array<Element>;

var<workgroup> sums: array<f32, workgroupSize>;

@compute @workgroup_size(workgroupSize)
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let map = workgroup.x + workgroups.x * (workgroup.y + workgroups.y * workgroup.z);
  if (map >= images * channels) {
    return;
  }
  let image = map / channels;
  let channel = map % channels;
  let start = inOffset + image * inStride + channel * pixels;
  var sum = 0f;
  for (var pixel = lane; pixel < pixels; pixel += workgroupSize) {
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
    output[outOffset + image * outStride + channel] = Element(sums[0] / f32(pixels));
  }
}
