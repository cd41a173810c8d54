// Local response normalisation over any window: x / (k + (alpha / area) · Σ x²)^beta, the sum over the channels, rows and
// columns around x, fewer at the ends. alpha is divided by the whole window's area there too, as in Caffe.
//
// input   (N, channels, height, width), each image of so many elements contiguous from inOffset + n · inStride
// output  the same shape, from outOffset + n · outStride
//
// One thread computes one element, threads numbered as the elements lie in memory, and loads its whole window, which its
// neighbours find in the cache.
// Arithmetic intensity: a multiply-add for each value loaded, 1/4 a float32 byte from the caches: the work is bound by
// loads.
// (Caffe's LRN within channels, and ONNX's across any number of them.)

alias Element = f32; // computed with in f32: squares beyond 255² overflow f16, and activations reach 3500

override workgroupSize: u32 = 64u;

struct Layer {
  threadCount: u32,
  elements: u32, // of one image
  channels: u32,
  height: u32,
  width: u32,
  channelsBelow: u32, // how far the window reaches
  channelsAbove: u32,
  pixelsBefore: u32, // up and left
  pixelsAfter: u32, // down and right
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
  let channel = element / (layer.width * layer.height);
  let inStart = layer.inOffset + image * layer.inStride;

  let lastChannel = min(channel + layer.channelsAbove, layer.channels - 1u);
  let lastRow = min(row + layer.pixelsAfter, layer.height - 1u);
  let lastColumn = min(column + layer.pixelsAfter, layer.width - 1u);
  var sum = 0f;
  for (var c = channel - min(channel, layer.channelsBelow); c <= lastChannel; c++) {
    for (var y = row - min(row, layer.pixelsBefore); y <= lastRow; y++) {
      let start = inStart + (c * layer.height + y) * layer.width;
      for (var x = column - min(column, layer.pixelsBefore); x <= lastColumn; x++) {
        let value = f32(input[start + x]);
        sum += value * value;
      }
    }
  }
  let value = f32(input[inStart + element]) * pow(layer.k + layer.alphaOverArea * sum, -layer.beta);
  output[layer.outOffset + image * layer.outStride + element] = Element(value);
}
