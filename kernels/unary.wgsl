// Functions of one element, by the number of the operation: 0 abs, 1 exp, 2 log, 3 neg, 4 sigmoid, 5 sqrt, 6 tanh,
// 7 leaky ReLU, 8 clip. What is no number stays none.
//
// input   (N, elements), each image contiguous from inOffset + n · inStride
// output  the same shape, from outOffset + n · outStride
//
// One thread computes one element, threads numbered as the elements lie in memory.
// Arithmetic intensity: one function for a load and a store, 1/8 a float32 byte: the work is bound by memory.
// (ONNX's functions of the same names.)

alias Element = f32; // computed with in f32

override workgroupSize: u32 = 64u;
override operation: u32;

struct Layer {
  threadCount: u32,
  elements: u32, // of one image
  inOffset: u32,
  inStride: u32,
  outOffset: u32,
  outStride: u32,
  slope: f32, // of leaky ReLU below 0
  least: f32, // of clip
  most: f32,
}

@group(0) @binding(0) var<storage, read_write> input: array<Element>;
@group(0) @binding(1) var<storage, read_write> output: array<Element>;
@group(0) @binding(2) var<uniform> layer: Layer;

// Asked of the bits, since shaders may assume that no NaN occurs and drop `x != x`.
fn isNan(x: f32) -> bool {
  return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}

// By e^−|x|, which no x makes infinite.
fn sigmoid(x: f32) -> f32 {
  let small = exp(-abs(x));
  return select(small, 1f, x >= 0) / (1 + small);
}

fn hyperbolicTangent(x: f32) -> f32 {
  // Near 0 the difference below would lose digits that the series has.
  if (abs(x) < 0.1) {
    let square = x * x;
    return x * (1 - square * (1f / 3 - square * (2f / 15 - square * (17f / 315))));
  }
  let small = exp(-2 * abs(x));
  return sign(x) * (1 - small) / (1 + small);
}

fn apply(x: f32) -> f32 {
  switch (operation) {
    case 0u: {
      return abs(x);
    }
    case 1u: {
      return exp(x);
    }
    case 2u: {
      return log(x);
    }
    case 3u: {
      return -x;
    }
    case 4u: {
      return sigmoid(x);
    }
    case 5u: {
      return sqrt(x);
    }
    case 6u: {
      return hyperbolicTangent(x);
    }
    case 7u: {
      return select(x, layer.slope * x, x < 0);
    }
    default: {
      return min(max(x, layer.least), layer.most);
    }
  }
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
  let image = thread / layer.elements;
  let element = thread % layer.elements;
  let value = f32(input[layer.inOffset + image * layer.inStride + element]);
  output[layer.outOffset + image * layer.outStride + element] = Element(select(apply(value), value, isNan(value)));
}
