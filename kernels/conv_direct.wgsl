// Direct convolution with bias and optional ReLU: any kernel, stride, padding, dilation and groups.
//
// input   (N, groups · inChannels, inHeight, inWidth), each image contiguous from inOffset + n · inStride
// weight  packed into tiles of output channels, [group][tile][inChannel][ky][kx][TILE_CHANNELS]
// bias    [group][tile][TILE_CHANNELS]
// output  (N, groups · outChannels, outHeight, outWidth), from outOffset + n · outStride
//
// One thread computes TILE_COLUMNS neighbouring outputs of one row for TILE_CHANNELS channels in registers. For each
// input channel and kernel row it loads the piece of the input row under its outputs once and slides all the kernel's
// columns over it, so that a loaded value serves TILE_CHANNELS · TAPS multiply-adds and a weight TILE_COLUMNS.
// Threads are numbered row tile first, then output channels, then images: neighbours read the same weights.
//
// What lies outside the input is decided before the loops over channels: rows by the bounds of ky, columns by a mask.
// A kernel wider than TAPS columns is walked TAPS columns at a time.

alias Element = f32;

const TILE_CHANNELS = 8u; // a multiple of 4
const TILE_COLUMNS = 7u;
const TAPS = 3u; // columns of the kernel that are walked at once; divides kernelWidth
const STRIDE_X = 1u;
const DILATION_X = 1u;
const QUADS = TILE_CHANNELS / 4u;
const SEGMENT = (TILE_COLUMNS - 1u) * STRIDE_X + (TAPS - 1u) * DILATION_X + 1u;

override workgroupSize: u32 = 64u;
override threadCount: u32;
override inChannels: u32; // of one group
override inHeight: u32;
override inWidth: u32;
override inOffset: u32;
override inStride: u32;
override groups: u32;
override outChannels: u32; // of one group
override outHeight: u32;
override outWidth: u32;
override outOffset: u32;
override outStride: u32;
override kernelHeight: u32;
override kernelWidth: u32;
override strideY: u32;
override dilationY: u32;
override padTop: u32;
override padLeft: u32;
override relu: bool;

@group(0) @binding(0) var<storage, read> input: array<Element>;
@group(0) @binding(1) var<storage, read> weight: array<vec4<Element>>;
@group(0) @binding(2) var<storage, read> bias: array<vec4<Element>>;
@group(0) @binding(3) var<storage, read_write> output: array<Element>;

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
  let rowTiles = (outWidth + TILE_COLUMNS - 1u) / TILE_COLUMNS;
  let channelTiles = (outChannels + TILE_CHANNELS - 1u) / TILE_CHANNELS;
  let outColumn = (thread % rowTiles) * TILE_COLUMNS;
  let outRow = (thread / rowTiles) % outHeight;
  let tile = (thread / (rowTiles * outHeight)) % (groups * channelTiles);
  let image = thread / (rowTiles * outHeight * groups * channelTiles);
  let group = tile / channelTiles;

  // The rows of the kernel that meet the input.
  let firstRow = i32(outRow * strideY) - i32(padTop);
  let rowsAbove = u32(max(-firstRow, 0));
  let rowsLeft = u32(max(i32(inHeight) - firstRow, 0));
  let kyBegin = min((rowsAbove + dilationY - 1u) / dilationY, kernelHeight);
  let kyEnd = min((rowsLeft + dilationY - 1u) / dilationY, kernelHeight);

  var sums: array<array<vec4<Element>, TILE_COLUMNS>, QUADS>;
  for (var quad = 0u; quad < QUADS; quad++) {
    for (var x = 0u; x < TILE_COLUMNS; x++) {
      sums[quad][x] = bias[tile * QUADS + quad];
    }
  }

  for (var firstTap = 0u; firstTap < kernelWidth; firstTap += TAPS) {
    // Columns of the input under the segment: their index, held inside the row, and whether they are real.
    var columns: array<u32, SEGMENT>;
    var inside: array<bool, SEGMENT>;
    for (var s = 0u; s < SEGMENT; s++) {
      let column = i32(outColumn * STRIDE_X + firstTap * DILATION_X + s) - i32(padLeft);
      columns[s] = u32(clamp(column, 0, i32(inWidth) - 1));
      inside[s] = column >= 0 && column < i32(inWidth);
    }

    let plane = inHeight * inWidth;
    var channelStart = inOffset + image * inStride + group * inChannels * plane;
    for (var channel = 0u; channel < inChannels; channel++) {
      for (var ky = kyBegin; ky < kyEnd; ky++) {
        let rowStart = channelStart + u32(firstRow + i32(ky * dilationY)) * inWidth;
        var segment: array<Element, SEGMENT>;
        for (var s = 0u; s < SEGMENT; s++) {
          segment[s] = select(Element(0), input[rowStart + columns[s]], inside[s]);
        }
        let weightStart = (((tile * inChannels + channel) * kernelHeight + ky) * kernelWidth + firstTap) * QUADS;
        for (var tap = 0u; tap < TAPS; tap++) {
          for (var quad = 0u; quad < QUADS; quad++) {
            let weights = weight[weightStart + tap * QUADS + quad];
            for (var x = 0u; x < TILE_COLUMNS; x++) {
              sums[quad][x] += weights * segment[x * STRIDE_X + tap * DILATION_X];
            }
          }
        }
      }
      channelStart += plane;
    }
  }

  let firstChannel = (tile % channelTiles) * TILE_CHANNELS;
  let outStart = outOffset + image * outStride + group * outChannels * outHeight * outWidth;
  for (var quad = 0u; quad < QUADS; quad++) {
    for (var x = 0u; x < TILE_COLUMNS; x++) {
      var values = sums[quad][x];
      if (relu) {
        values = select(values, vec4<Element>(0), values < vec4<Element>(0));
      }
      for (var c = 0u; c < 4u; c++) {
        let channel = firstChannel + quad * 4u + c;
        if (channel < outChannels && outColumn + x < outWidth) {
          output[outStart + (channel * outHeight + outRow) * outWidth + outColumn + x] = values[c];
        }
      }
    }
  }
}
