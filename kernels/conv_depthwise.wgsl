// Depthwise convolution with bias and optional ReLU: every output channel looks at one input channel, multiplier output
// channels at each. Any kernel, stride, padding and dilation.
//
// input   (N, inChannels, inHeight, inWidth), each image contiguous from inOffset + n · inStride
// weight  (outChannels, kernelHeight, kernelWidth)
// bias    (outChannels)
// output  (N, outChannels, outHeight, outWidth), from outOffset + n · outStride
//
// One thread computes TILE_COLUMNS neighbouring outputs of one row. For each kernel row it loads the piece of the input row
// under its outputs once and slides the kernel's columns over it, TAPS of them at a time. There is nothing to be shared
// between channels: the work is bound by memory. Threads are numbered row tile first, then rows, channels and images.
// Arithmetic intensity: in float32 up to TAPS / 4 multiply-adds a loaded byte at stride 1, and one load of every weight
// a thread.
// (The row that slides under the taps is conv_direct.wgsl's.)

alias Element = f32; // computed with in f32

const TILE_COLUMNS = 4u;
const TAPS = 3u; // columns of the kernel that are walked at once; divides kernelWidth
const STRIDE_X = 1u;
const DILATION_X = 1u;
const SEGMENT = (TILE_COLUMNS - 1u) * STRIDE_X + (TAPS - 1u) * DILATION_X + 1u;

override workgroupSize: u32 = 64u;
override relu: bool;

struct Layer {
  threadCount: u32,
  outChannels: u32,
  multiplier: u32,
  inHeight: u32,
  inWidth: u32,
  inOffset: u32,
  inStride: u32,
  outHeight: u32,
  outWidth: u32,
  outOffset: u32,
  outStride: u32,
  kernelHeight: u32,
  kernelWidth: u32,
  strideY: u32,
  dilationY: u32,
  padTop: u32,
  padLeft: u32,
}

@group(0) @binding(0) var<storage, read_write> input: array<Element>;
@group(0) @binding(1) var<storage, read> weight: array<Element>;
@group(0) @binding(2) var<storage, read> bias: array<Element>;
@group(0) @binding(3) var<storage, read_write> output: array<Element>;
@group(0) @binding(4) var<uniform> layer: Layer;

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
  let rowTiles = (layer.outWidth + TILE_COLUMNS - 1u) / TILE_COLUMNS;
  let outColumn = (thread % rowTiles) * TILE_COLUMNS;
  let outRow = (thread / rowTiles) % layer.outHeight;
  let channel = (thread / (rowTiles * layer.outHeight)) % layer.outChannels;
  let image = thread / (rowTiles * layer.outHeight * layer.outChannels);

  // The rows of the kernel that meet the input.
  let firstRow = i32(outRow * layer.strideY) - i32(layer.padTop);
  let rowsAbove = u32(max(-firstRow, 0));
  let rowsLeft = u32(max(i32(layer.inHeight) - firstRow, 0));
  let kyBegin = min((rowsAbove + layer.dilationY - 1u) / layer.dilationY, layer.kernelHeight);
  let kyEnd = min((rowsLeft + layer.dilationY - 1u) / layer.dilationY, layer.kernelHeight);

  let plane = layer.inOffset + image * layer.inStride + (channel / layer.multiplier) * layer.inHeight * layer.inWidth;
  var sums: array<f32, TILE_COLUMNS>;
  for (var firstTap = 0u; firstTap < layer.kernelWidth; firstTap += TAPS) {
    let firstColumn = i32(outColumn * STRIDE_X + firstTap * DILATION_X) - i32(layer.padLeft);
    for (var ky = kyBegin; ky < kyEnd; ky++) {
      let rowStart = plane + u32(firstRow + i32(ky * layer.dilationY)) * layer.inWidth;
      var segment: array<f32, SEGMENT>;
      for (var s = 0u; s < SEGMENT; s++) {
        let column = firstColumn + i32(s);
        let inside = column >= 0 && column < i32(layer.inWidth);
        let value = f32(input[rowStart + u32(clamp(column, 0, i32(layer.inWidth) - 1))]);
        segment[s] = select(0f, value, inside);
      }
      let weightStart = (channel * layer.kernelHeight + ky) * layer.kernelWidth + firstTap;
      for (var tap = 0u; tap < TAPS; tap++) {
        let tapWeight = f32(weight[weightStart + tap]);
        for (var x = 0u; x < TILE_COLUMNS; x++) {
          sums[x] += tapWeight * segment[x * STRIDE_X + tap * DILATION_X];
        }
      }
    }
  }

  let outStart = layer.outOffset + image * layer.outStride + (channel * layer.outHeight + outRow) * layer.outWidth;
  for (var x = 0u; x < TILE_COLUMNS; x++) {
    var value = sums[x] + f32(bias[channel]);
    if (relu) {
      value = select(value, 0, value < 0);
    }
    if (outColumn + x < layer.outWidth) {
      output[outStart + outColumn + x] = Element(value);
    }
  }
}
