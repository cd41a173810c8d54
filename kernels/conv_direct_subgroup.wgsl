// Direct convolution with bias and optional ReLU, any kernel, stride, padding, dilation and groups, as one matrix product
// for each of the kernel's taps, whose weights are loaded once for a subgroup and handed round by broadcast: for devices
// on which a load costs much more than a broadcast (a CPU that plays GPU: every lane's load is one of its own there).
//
// input   (N, groups · inChannels, inHeight, inWidth), each image contiguous from inOffset + n · inStride
// weight  packed into tiles of 32 output channels, [group][tile][inChannel][ky][kx][32]
// bias    [group][tile][32]
// output  (N, groups · outChannels, outHeight, outWidth), from outOffset + n · outStride
//
// One thread computes TILE_PIXELS outputs, pixelTiles apart, of 32 channels, four to a vector, in registers: a step of the
// inner loop loads one value a pixel and four weights a lane for 32 · TILE_PIXELS multiply-adds. Where a tap's pixels lie,
// and which are padding, is found once for all input channels. (A row segment that slides under all taps, as in
// conv_direct.wgsl, saves loads, but no CPU has registers for it beside the sums.) The workgroup's threads share their
// output channels, so that in whatever order the device deals lanes to subgroups, each of a subgroup's first eight lanes
// can hold four weights for all. Every lane must take part in the broadcasts to the end: those past the last pixel repeat
// it and store nothing, and what lies in the padding counts as zero rather than being left out.
// Arithmetic intensity: 32 · TILE_PIXELS multiply-adds for 4 + TILE_PIXELS loaded float32 values a lane: 20 a value, 5
// a byte, at seven pixels.
// (A product a tap, added up, in place of one unrolled product: Vasudevan, Anderson & Gregg, "Parallel Multi Channel
// Convolution using General Matrix Multiplication", ASAP 2017. Weights by broadcast: measured here, on lavapipe.)

enable subgroups;

alias Element = f32; // computed with in f32

const TILE_PIXELS = 7u;
const TILE_CHANNELS = 8u * 4u; // eight lanes hold four each

override workgroupSize: u32 = 64u; // a multiple of the subgroup size, which is at least 8
override relu: bool;

struct Layer {
  images: u32,
  inChannels: u32, // of one group
  inHeight: u32,
  inWidth: u32,
  inOffset: u32,
  inStride: u32,
  groups: u32,
  outChannels: u32, // of one group
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
}

@group(0) @binding(0) var<storage, read_write> input: array<Element>;
@group(0) @binding(1) var<storage, read> weight: array<vec4<Element>>;
@group(0) @binding(2) var<storage, read> bias: array<vec4<Element>>;
@group(0) @binding(3) var<storage, read_write> output: array<Element>;
@group(0) @binding(4) var<uniform> layer: Layer;

fn component(four: vec4f, i: u32) -> f32 {
  return select(select(four.x, four.y, i == 1u), select(four.z, four.w, i == 3u), i > 1u);
}

@compute @workgroup_size(workgroupSize)
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
  @builtin(subgroup_invocation_id) subgroupLane: u32,
) {
  let block = workgroup.x + workgroups.x * (workgroup.y + workgroups.y * workgroup.z);
  let pixels = layer.outHeight * layer.outWidth;
  let blockPixels = workgroupSize * TILE_PIXELS;
  let pixelBlocks = (pixels + blockPixels - 1u) / blockPixels;
  let groupTiles = (layer.outChannels + TILE_CHANNELS - 1u) / TILE_CHANNELS;
  let pixelTiles = pixelBlocks * workgroupSize;
  let firstPixel = (block % pixelBlocks) * workgroupSize + lane;
  let tile = (block / pixelBlocks) % (layer.groups * groupTiles);
  let image = block / (pixelBlocks * layer.groups * groupTiles);
  if (image >= layer.images) {
    return;
  }
  let group = tile / groupTiles;
  let plane = layer.inHeight * layer.inWidth;
  let inStart = layer.inOffset + image * layer.inStride + group * layer.inChannels * plane;

  // Where the window of each pixel starts.
  var firstRow: array<i32, TILE_PIXELS>;
  var firstColumn: array<i32, TILE_PIXELS>;
  for (var p = 0u; p < TILE_PIXELS; p++) {
    let pixel = min(firstPixel + p * pixelTiles, pixels - 1u);
    firstRow[p] = i32(pixel / layer.outWidth * layer.strideY) - i32(layer.padTop);
    firstColumn[p] = i32(pixel % layer.outWidth * layer.strideX) - i32(layer.padLeft);
  }

  var sums: array<array<vec4f, TILE_PIXELS>, 8>;
  let taps = layer.kernelHeight * layer.kernelWidth;
  let weightStart = tile * layer.inChannels * taps * 8u + subgroupLane % 8u;
  var ky = 0u;
  var kx = 0u;
  for (var tap = 0u; tap < taps; tap++) {
    var inside: array<bool, TILE_PIXELS>;
    var inIndex: array<u32, TILE_PIXELS>;
    for (var p = 0u; p < TILE_PIXELS; p++) {
      let row = firstRow[p] + i32(ky * layer.dilationY);
      let column = firstColumn[p] + i32(kx * layer.dilationX);
      inside[p] = row >= 0 && row < i32(layer.inHeight) && column >= 0 && column < i32(layer.inWidth);
      inIndex[p] = inStart + select(0u, u32(row) * layer.inWidth + u32(column), inside[p]);
    }
    kx++;
    let nextRow = kx == layer.kernelWidth;
    kx = select(kx, 0u, nextRow);
    ky = select(ky, ky + 1u, nextRow);

    var channelStart = 0u;
    var weightIndex = weightStart + tap * 8u;
    for (var channel = 0u; channel < layer.inChannels; channel++) {
      var values: array<f32, TILE_PIXELS>;
      for (var p = 0u; p < TILE_PIXELS; p++) {
        values[p] = select(0, f32(input[inIndex[p] + channelStart]), inside[p]);
      }
      let held = vec4f(weight[weightIndex]);
      channelStart += plane;
      weightIndex += taps * 8u;
      // A broadcast's lane must be a constant in the text, so this is a loop written out.
      var weights = subgroupBroadcast(held, 0u);
      for (var p = 0u; p < TILE_PIXELS; p++) { sums[0][p] += weights * values[p]; }
      weights = subgroupBroadcast(held, 1u);
      for (var p = 0u; p < TILE_PIXELS; p++) { sums[1][p] += weights * values[p]; }
      weights = subgroupBroadcast(held, 2u);
      for (var p = 0u; p < TILE_PIXELS; p++) { sums[2][p] += weights * values[p]; }
      weights = subgroupBroadcast(held, 3u);
      for (var p = 0u; p < TILE_PIXELS; p++) { sums[3][p] += weights * values[p]; }
      weights = subgroupBroadcast(held, 4u);
      for (var p = 0u; p < TILE_PIXELS; p++) { sums[4][p] += weights * values[p]; }
      weights = subgroupBroadcast(held, 5u);
      for (var p = 0u; p < TILE_PIXELS; p++) { sums[5][p] += weights * values[p]; }
      weights = subgroupBroadcast(held, 6u);
      for (var p = 0u; p < TILE_PIXELS; p++) { sums[6][p] += weights * values[p]; }
      weights = subgroupBroadcast(held, 7u);
      for (var p = 0u; p < TILE_PIXELS; p++) { sums[7][p] += weights * values[p]; }
    }
  }

  // The loops over channels are not unrolled and pick their sums by comparison: a store for each output of the tile would
  // make the code, and its compilation, several times as long.
  let firstChannel = (tile % groupTiles) * TILE_CHANNELS;
  var outIndex = layer.outOffset + image * layer.outStride + (group * layer.outChannels + firstChannel) * pixels;
  let channelsLeft = min(TILE_CHANNELS, layer.outChannels - firstChannel);
  for (var c = 0u; c < channelsLeft; c += 4u) {
    let channelBias = vec4f(bias[tile * 8u + c / 4u]);
    var four: array<vec4f, TILE_PIXELS>;
    for (var p = 0u; p < TILE_PIXELS; p++) {
      four[p] = sums[0][p];
      for (var k = 1u; k < 8u; k++) {
        four[p] = select(four[p], sums[k][p], c == 4u * k);
      }
      four[p] += channelBias;
      if (relu) {
        four[p] = select(four[p], vec4f(0), four[p] < vec4f(0));
      }
    }
    let fourLeft = min(4u, channelsLeft - c);
    for (var i = 0u; i < fourLeft; i++) {
      for (var p = 0u; p < TILE_PIXELS; p++) {
        let value = component(four[p], i);
        let pixel = firstPixel + p * pixelTiles;
        if (pixel < pixels) {
          output[outIndex + pixel] = Element(value);
        }
      }
      outIndex += pixels;
    }
  }
}
