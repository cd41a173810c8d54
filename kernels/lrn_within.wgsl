// Local response normalisation within each channel: x / (k + (alpha / size²) · Σ x²)^beta, the sum over size × size pixels
// around x, fewer at the borders. alpha is divided by the whole window's area there too, as in Caffe.
//
// input   (N, channels, height, width), each image of so many elements contiguous from inOffset + n · inStride
// output  the same shape, from outOffset + n · outStride
//
// One thread computes one element, threads numbered as the elements lie in memory. A window costs size² loads, which its
// neighbours find in the cache; networks that use it have small windows on small maps.

alias Element = f32;

override workgroupSize: u32 = 64u;

struct Layer {
  threadCount: u32,
  elements: u32, // of one image
  height: u32,
  width: u32,
  below: u32, // how far the window reaches up and left
  above: u32, // and down and right
  inOffset: u32,
  inStride: u32,
  outOffset: u32,
  outStride: u32,
  alphaOverArea: f32,
  beta: f32,
  k: f32,
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
  let column = element % layer.width;
  let row = (element / layer.width) % layer.height;
  let inStart = layer.inOffset + image * layer.inStride;
  let plane = inStart + element - row * layer.width - column;

  var sum = 0f;
  for (var y = row - min(row, layer.below); y <= min(row + layer.above, layer.height - 1u); y++) {
    for (var x = column - min(column, layer.below); x <= min(column + layer.above, layer.width - 1u); x++) {
      let value = f32(input[plane + y * layer.width + x]);
      sum += value * value;
    }
  }
  let value = f32(input[inStart + element]) * pow(layer.k + layer.alphaOverArea * sum, -layer.beta);
  output[layer.outOffset + image * layer.outStride + element] = Element(value);
}
