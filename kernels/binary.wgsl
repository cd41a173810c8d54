// Functions of two elements, broadcast to one shape, by the number of the operation: 0 leftScale · x + rightScale · y,
// 1 x − y, 2 x · y, 3 x / y, 4 max, 5 min, 6 x^y. ReLU optionally behind it.
//
// left, right  an element lies Σ index · strides behind the offset; a stride is 0 where the value is stretched
// output       likewise
//
// One thread computes one element, threads numbered in the order of the indices: neighbours write neighbouring elements.
// Axes that lie as one for all three have been joined: values of one shape are walked as one row.
// Arithmetic intensity: one operation for two loads and a store, 1/12 a float32 byte: the work is bound by memory.
// (ONNX's Add, Sub, Mul, Div, Max, Min and Pow with NumPy's broadcasting; Caffe's Eltwise with its coefficients.)

alias Element = f32; // computed with in f32

override workgroupSize: u32 = 64u;
override operation: u32;
override relu: bool;

struct Layer {
  // Of each axis, the innermost first.
  extents: array<vec4u, 2>,
  leftStrides: array<vec4u, 2>,
  rightStrides: array<vec4u, 2>,
  outStrides: array<vec4u, 2>,
  threadCount: u32,
  axes: u32,
  leftOffset: u32,
  rightOffset: u32,
  outOffset: u32,
  leftScale: f32,
  rightScale: f32,
}

@group(0) @binding(0) var<storage, read_write> left: array<Element>;
@group(0) @binding(1) var<storage, read_write> right: array<Element>;
@group(0) @binding(2) var<storage, read_write> output: array<Element>;
@group(0) @binding(3) var<uniform> layer: Layer;

// Asked of the bits, since shaders may assume that no NaN occurs and drop `x != x`.
fn isNan(x: f32) -> bool {
  return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}

// WGSL's pow knows positive bases only; squares and roots are exact besides.
fn power(x: f32, y: f32) -> f32 {
  if (y == 0) {
    return 1;
  }
  if (y == 1) {
    return x;
  }
  if (y == 2) {
    return x * x;
  }
  if (y == 0.5) {
    return sqrt(x);
  }
  let magnitude = select(pow(abs(x), abs(y)), 0f, x == 0);
  let result = select(magnitude, 1 / magnitude, y < 0);
  if (x >= 0) {
    return result;
  }
  var nanBits = 0x7fc00000u;
  let whole = trunc(y) == y;
  let odd = abs(y) % 2 == 1;
  return select(bitcast<f32>(nanBits), select(result, -result, odd), whole);
}

fn apply(x: f32, y: f32) -> f32 {
  switch (operation) {
    case 0u: {
      return layer.leftScale * x + layer.rightScale * y;
    }
    case 1u: {
      return x - y;
    }
    case 2u: {
      return x * y;
    }
    case 3u: {
      return x / y;
    }
    case 4u: {
      return select(select(y, x, x > y), select(y, x, isNan(x)), isNan(x) || isNan(y));
    }
    case 5u: {
      return select(select(y, x, x < y), select(y, x, isNan(x)), isNan(x) || isNan(y));
    }
    default: {
      return power(x, y);
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
  var rest = thread;
  var leftIndex = layer.leftOffset;
  var rightIndex = layer.rightOffset;
  var outIndex = layer.outOffset;
  for (var axis = 0u; axis < layer.axes; axis++) {
    let extent = layer.extents[axis / 4u][axis % 4u];
    let index = rest % extent;
    rest /= extent;
    leftIndex += index * layer.leftStrides[axis / 4u][axis % 4u];
    rightIndex += index * layer.rightStrides[axis / 4u][axis % 4u];
    outIndex += index * layer.outStrides[axis / 4u][axis % 4u];
  }
  var value = apply(f32(left[leftIndex]), f32(right[rightIndex]));
  if (relu) {
    value = select(value, 0, value < 0);
  }
  output[outIndex] = Element(value);
}
