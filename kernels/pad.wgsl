// Elements put before and after the axes, by the number of the mode: 0 a value, 1 the element at the edge, 2 those behind
// the edge, mirrored. In mode 0 a negative pad takes elements away.
//
// input   an element lies Σ index · inStrides behind inOffset
// output  (N, elements), each image contiguous from outOffset + n · outStride
//
// One thread computes one element, threads numbered as the elements lie in memory. Neighbouring axes without pads have
// been joined.
// Arithmetic intensity: none; at most a load, and a store an element.
// (ONNX's Pad.)

alias Element = f32;

override workgroupSize: u32 = 64u;
override mode: u32;

struct Layer {
  // Of each axis, the innermost first.
  extents: array<vec4u, 2>, // of the output
  inExtents: array<vec4u, 2>,
  inStrides: array<vec4u, 2>,
  before: array<vec4u, 2>, // i32
  threadCount: u32,
  axes: u32,
  elements: u32, // of one image of the output
  inOffset: u32,
  outOffset: u32,
  outStride: u32,
  value: f32,
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
  var rest = thread;
  var inIndex = layer.inOffset;
  var inside = true;
  for (var axis = 0u; axis < layer.axes; axis++) {
    let extent = layer.extents[axis / 4u][axis % 4u];
    let last = i32(layer.inExtents[axis / 4u][axis % 4u]) - 1;
    var index = i32(rest % extent) - i32(layer.before[axis / 4u][axis % 4u]);
    rest /= extent;
    inside &= index >= 0 && index <= last;
    if (mode == 2u) {
      index = last - abs(last - abs(index));
    }
    inIndex += u32(clamp(index, 0, last)) * layer.inStrides[axis / 4u][axis % 4u];
  }
  let value = select(Element(layer.value), input[inIndex], inside || mode != 0u);
  output[layer.outOffset + (thread / layer.elements) * layer.outStride + thread % layer.elements] = value;
}
