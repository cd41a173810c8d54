// Average pooling: the sum under the window over the number of pixels that the op counts.
//
// input   (N, channels, inHeight, inWidth), each image contiguous from inOffset + n · inStride
// output  (N, channels, outHeight, outWidth), from outOffset + n · outStride
//
// With countPadding the divisor is the window's area within the padded input, as in Caffe; else the real pixels only, and
// a dilated window all of whose taps lie beside the input gives 0.
// One thread computes one output, threads numbered as the outputs lie in memory. The part of the window that meets
// the input is worked out before the loops.
// Arithmetic intensity: an addition for each value loaded, 1/4 a float32 byte: the work is bound by memory, and by
// caches where windows overlap.
// (Caffe's average pooling; ONNX's count_include_pad and dilations.)

alias Element = f32; // computed with in f32

override workgroupSize: u32 = 64u;
override countPadding: bool;

struct Layer {
  threadCount: u32,
  channels: u32,
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
  strideX: u32,
  dilationY: u32,
  dilationX: u32,
  padTop: u32,
  padLeft: u32,
  padBottom: u32,
  padRight: u32,
}

@group(0) @binding(0) var<storage, read_write> input: array<Element>;
@group(0) @binding(1) var<storage, read_write> output: array<Element>;
@group(0) @binding(2) var<uniform> layer: Layer;

/// The first tap of a window from `start` that is not before the input.
fn firstTap(start: i32, dilation: u32) -> u32 {
  return (u32(max(-start, 0)) + dilation - 1u) / dilation;
}

/// One past the last tap of a window from `start` that is not behind the input.
fn endTap(start: i32, extent: u32, dilation: u32, kernel: u32) -> u32 {
  return min((u32(max(i32(extent) - start, 0)) + dilation - 1u) / dilation, kernel);
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
  let outColumn = thread % layer.outWidth;
  let outRow = (thread / layer.outWidth) % layer.outHeight;
  let channel = (thread / (layer.outWidth * layer.outHeight)) % layer.channels;
  let image = thread / (layer.outWidth * layer.outHeight * layer.channels);

  let top = i32(outRow * layer.strideY) - i32(layer.padTop);
  let left = i32(outColumn * layer.strideX) - i32(layer.padLeft);
  let kyBegin = firstTap(top, layer.dilationY);
  let kyEnd = endTap(top, layer.inHeight, layer.dilationY, layer.kernelHeight);
  let kxBegin = firstTap(left, layer.dilationX);
  let kxEnd = endTap(left, layer.inWidth, layer.dilationX, layer.kernelWidth);

  let plane = layer.inOffset + image * layer.inStride + channel * layer.inHeight * layer.inWidth;
  var sum = 0f;
  for (var ky = kyBegin; ky < kyEnd; ky++) {
    let row = plane + u32(top + i32(ky * layer.dilationY)) * layer.inWidth;
    for (var kx = kxBegin; kx < kxEnd; kx++) {
      sum += f32(input[row + u32(left + i32(kx * layer.dilationX))]);
    }
  }
  var counted = (kyEnd - kyBegin) * (kxEnd - kxBegin);
  if (countPadding) {
    let rows = endTap(top, layer.inHeight + layer.padBottom, layer.dilationY, layer.kernelHeight);
    let columns = endTap(left, layer.inWidth + layer.padRight, layer.dilationX, layer.kernelWidth);
    counted = rows * columns;
  }
  output[layer.outOffset + image * layer.outStride + (channel * layer.outHeight + outRow) * layer.outWidth + outColumn] = Element(sum / f32(max(counted, 1u)));
}
