// ReLU, for where it is not fused into the layer before it: 0 for what is below 0. A NaN stays one, as in Caffe.
//
// input   (N, elements), each image contiguous from inOffset + n · inStride
// output  the same shape, from outOffset + n · outStride
//
// One thread computes one element, threads numbered as the elements lie in memory.
// Arithmetic intensity: one comparison for a load and a store, 1/8 a float32 byte: the work is bound by memory.
// (Nair & Hinton, "Rectified Linear Units Improve Restricted Boltzmann Machines", ICML 2010.)

alias Element = f32;

override workgroupSize: u32 = 64u;

struct Layer {
  threadCount: u32,
  elements: u32, // of one image
  inOffset: u32,
  inStride: u32,
  outOffset: u32,
  outStride: u32,
}

@group(0) @binding(0) var<storage, read_write> input: array<Element>;
@group(0) @binding(1) var<storage, read_write> output: array<Element>;
@group(0) @binding(2) var<uniform> layer: Layer;

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
  let value = input[layer.inOffset + image * layer.inStride + element];
  output[layer.outOffset + image * layer.outStride + element] = select(value, Element(0), value < Element(0));
}
