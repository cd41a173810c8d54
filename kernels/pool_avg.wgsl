// Average pooling: the sum under the window over the number of pixels that the op counts.
//
// input   (N, channels, inHeight, inWidth), each image contiguous from inOffset + n · inStride
// output  (N, channels, outHeight, outWidth), from outOffset + n · outStride
//
// With countPadding the divisor is the window's area within the padded input, as in Caffe; else the real pixels only.
// One thread computes one output, threads numbered as the outputs lie in memory. The part of the window that meets
// the input is worked out before the loops.

alias Element = f32;

override workgroupSize: u32 = 64u;
override threadCount: u32;
override channels: u32;
override inHeight: u32;
override inWidth: u32;
override inOffset: u32;
override inStride: u32;
override outHeight: u32;
override outWidth: u32;
override outOffset: u32;
override outStride: u32;
override kernelHeight: u32;
override kernelWidth: u32;
override strideY: u32;
override strideX: u32;
override dilationY: u32;
override dilationX: u32;
override padTop: u32;
override padLeft: u32;
override padBottom: u32;
override padRight: u32;
override countPadding: bool;

@group(0) @binding(0) var<storage, read> input: array<Element>;
@group(0) @binding(1) var<storage, read_write> output: array<Element>;

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
  if (thread >= threadCount) {
    return;
  }
  let outColumn = thread % outWidth;
  let outRow = (thread / outWidth) % outHeight;
  let channel = (thread / (outWidth * outHeight)) % channels;
  let image = thread / (outWidth * outHeight * channels);

  let top = i32(outRow * strideY) - i32(padTop);
  let left = i32(outColumn * strideX) - i32(padLeft);
  let kyBegin = firstTap(top, dilationY);
  let kyEnd = endTap(top, inHeight, dilationY, kernelHeight);
  let kxBegin = firstTap(left, dilationX);
  let kxEnd = endTap(left, inWidth, dilationX, kernelWidth);

  let plane = inOffset + image * inStride + channel * inHeight * inWidth;
  var sum = Element(0);
  for (var ky = kyBegin; ky < kyEnd; ky++) {
    let row = plane + u32(top + i32(ky * dilationY)) * inWidth;
    for (var kx = kxBegin; kx < kxEnd; kx++) {
      sum += input[row + u32(left + i32(kx * dilationX))];
    }
  }
  var counted = (kyEnd - kyBegin) * (kxEnd - kxBegin);
  if (countPadding) {
    let rows = endTap(top, inHeight + padBottom, dilationY, kernelHeight);
    let columns = endTap(left, inWidth + padRight, dilationX, kernelWidth);
    counted = rows * columns;
  }
  output[outOffset + image * outStride + (channel * outHeight + outRow) * outWidth + outColumn] = sum / Element(counted);
}
