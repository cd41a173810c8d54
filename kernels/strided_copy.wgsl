// Elements put in other places: transposing, slicing, and copies between values that lie differently.
//
// input   an element lies Σ index · inStrides behind inOffset; a stride may be negative, modulo 2^32
// output  an element lies Σ index · outStrides behind outOffset
//
// One thread copies one element, threads numbered in the order of the indices: neighbours write neighbouring elements.
// Axes that lie as one for both have been joined, so that most copies walk two or three.
// Arithmetic intensity: none; a load and a store an element.
// (ONNX's Transpose and Slice as one walk by strides, as NumPy's views are.)

alias Element = f32;
alias Target = f32; // of the output

override workgroupSize: u32 = 64u;

struct Layer {
  // Of each axis, the innermost first.
  extents: array<vec4u, 2>,
  inStrides: array<vec4u, 2>,
  outStrides: array<vec4u, 2>,
  threadCount: u32,
  axes: u32,
  inOffset: u32,
  outOffset: u32,
}

@group(0) @binding(0) var<storage, read_write> input: array<Element>;
@group(0) @binding(1) var<storage, read_write> output: array<Target>;
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
  var rest = thread;
  var inIndex = layer.inOffset;
  var outIndex = layer.outOffset;
  for (var axis = 0u; axis < layer.axes; axis++) {
    let extent = layer.extents[axis / 4u][axis % 4u];
    let index = rest % extent;
    rest /= extent;
    inIndex += index * layer.inStrides[axis / 4u][axis % 4u];
    outIndex += index * layer.outStrides[axis / 4u][axis % 4u];
  }
  output[outIndex] = Target(input[inIndex]);
}
