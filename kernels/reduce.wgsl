// Mean, sum, largest or smallest along some axes, by the number of the operation: 0 mean, 1 sum, 2 max, 3 min. The latter
// two are no number where one of the elements is none.
//
// input   an element lies Σ index · keptStrides + Σ index · reducedStrides behind inOffset
// output  an element lies Σ index · outStrides behind outOffset, by the same indices of the axes that are kept
//
// One workgroup computes one output: its lanes take elements workgroupSize apart, then join theirs in workgroup memory by
// halves, always in the same order.
// Arithmetic intensity: one operation for each value loaded, 1/4 a float32 byte: the work is bound by memory.
// (Harris, "Optimizing Parallel Reduction in CUDA", NVIDIA 2007.)

alias Element = f32; // computed with in f32

override workgroupSize: u32 = 64u; // a power of 2
override operation: u32;

struct Layer {
  // Of each axis, the innermost first.
  keptExtents: array<vec4u, 2>,
  keptStrides: array<vec4u, 2>,
  outStrides: array<vec4u, 2>,
  reducedExtents: array<vec4u, 2>,
  reducedStrides: array<vec4u, 2>,
  keptAxes: u32,
  reducedAxes: u32,
  outputs: u32,
  elements: u32, // that make one output
  inOffset: u32,
  outOffset: u32,
}

@group(0) @binding(0) var<storage, read_write> input: array<Element>;
@group(0) @binding(1) var<storage, read_write> output: array<Element>;
@group(0) @binding(2) var<uniform> layer: Layer;

var<workgroup> partial: array<f32, workgroupSize>;

// Asked of the bits, since shaders may assume that no NaN occurs and drop `x != x`.
fn isNan(x: f32) -> bool {
  return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}

fn join(a: f32, b: f32) -> f32 {
  switch (operation) {
    case 2u: {
      return select(a, b, b > a || isNan(b));
    }
    case 3u: {
      return select(a, b, b < a || isNan(b));
    }
    default: {
      return a + b;
    }
  }
}

@compute @workgroup_size(workgroupSize)
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let number = workgroup.x + workgroups.x * (workgroup.y + workgroups.y * workgroup.z);
  if (number >= layer.outputs) {
    return;
  }
  var rest = number;
  var start = layer.inOffset;
  var outIndex = layer.outOffset;
  for (var axis = 0u; axis < layer.keptAxes; axis++) {
    let extent = layer.keptExtents[axis / 4u][axis % 4u];
    let index = rest % extent;
    rest /= extent;
    start += index * layer.keptStrides[axis / 4u][axis % 4u];
    outIndex += index * layer.outStrides[axis / 4u][axis % 4u];
  }

  // A lane without elements joins in what changes nothing.
  var joined = select(0f, f32(input[start]), operation >= 2u);
  for (var element = lane; element < layer.elements; element += workgroupSize) {
    rest = element;
    var inIndex = start;
    for (var axis = 0u; axis < layer.reducedAxes; axis++) {
      let extent = layer.reducedExtents[axis / 4u][axis % 4u];
      inIndex += (rest % extent) * layer.reducedStrides[axis / 4u][axis % 4u];
      rest /= extent;
    }
    joined = join(joined, f32(input[inIndex]));
  }
  partial[lane] = joined;
  for (var half = workgroupSize / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) {
      partial[lane] = join(partial[lane], partial[lane + half]);
    }
  }
  if (lane == 0u) {
    output[outIndex] = Element(select(partial[0], partial[0] / f32(layer.elements), operation == 0u));
  }
}
