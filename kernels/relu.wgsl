// ReLU, for where it is not fused into the layer before it: 0 for what is below 0. A NaN stays one, as in Caffe.
//
// input   (N, elements), each image contiguous from inOffset + n · inStride
// output  the same shape, from outOffset + n · outStride
//
// One thread computes one element, threads numbered as the elements lie in memory.

alias Element = f32;

override workgroupSize: u32 = 64u;
override threadCount: u32;
override elements: u32; // of one image
override inOffset: u32;
override inStride: u32;
override outOffset: u32;
override outStride: u32;

@group(0) @binding(0) var<storage, read> input: array<Element>;
@group(0) @binding(1) var<storage, read_write> output: array<Element>;

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
  let image = thread / elements;
  let element = thread % elements;
  let value = input[inOffset + image * inStride + element];
  output[outOffset + image * outStride + element] = select(value, Element(0), value < Element(0));
}
