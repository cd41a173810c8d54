// Convolution as one matrix product on a GPU's matrix units ("tensor cores"), by subgroup matrices, which are still an
// experiment of Dawn's: any kernel, stride, padding and dilation, one group, with bias and optional ReLU.
//
// As in conv_gemm.wgsl the product is output (outChannels × columns) = weight (outChannels × depth) · unrolled (depth ×
// columns), where a column is an output pixel of some image, the depth runs over (inChannel, ky, kx), and `unrolled` is
// never in memory.
//
// input   (N, inChannels, inHeight, inWidth), each image contiguous from inOffset + n · inStride
// weight  packed into blocks of output channels, [block][inChannel][ky][kx][BLOCK_CHANNELS]
// bias    [block][BLOCK_CHANNELS]
// output  (N, firstChannels, outHeight, outWidth), from outOffset + n · outStride: the first of the output channels
// rest    (N, outChannels - firstChannels, outHeight, outWidth), from restOffset + n · restStride: the others, where
//         several convolutions of one input are computed as one; otherwise it is left alone
//
// A workgroup computes a block of BLOCK_CHANNELS × BLOCK_COLUMNS outputs, walking the depth BLOCK_DEPTH at a time: all
// its threads fetch the next piece of both matrices into registers while the piece in workgroup memory is multiplied. A
// subgroup holds the sums of TILE_ROWS × TILE_COLUMNS matrices of MATRIX_ROWS × MATRIX_COLUMNS outputs; for a step of
// MATRIX_DEPTH it loads TILE_ROWS + TILE_COLUMNS matrices from workgroup memory for TILE_ROWS · TILE_COLUMNS products.
// Rows in workgroup memory are PADDING elements longer than they need be, so that the rows of a matrix begin in
// different banks. In the end every subgroup puts down one matrix of sums at a time, and its lanes store it, neighbours
// neighbouring pixels.
//
// Factors are of the stored type, sums float32: a float16 sum of a layer's up to 1,728 products would be as far off as
// its terms are many. Arithmetic intensity: a step stages (BLOCK_CHANNELS + BLOCK_COLUMNS) · BLOCK_DEPTH values for
// BLOCK_CHANNELS · BLOCK_COLUMNS · BLOCK_DEPTH multiply-adds, 16 a float16 byte at 64 × 64.
// (Markidis et al., "NVIDIA Tensor Core Programmability, Performance & Precision", 2018; the extension:
// dawn.googlesource.com/dawn, docs/dawn/features/subgroup_matrix.md.)

enable subgroups;
enable chromium_experimental_subgroup_matrix;

alias Element = f32;

const MATRIX_ROWS = 16u; // M, N and K of a configuration that the device has
const MATRIX_COLUMNS = 16u;
const MATRIX_DEPTH = 16u;
const TILE_ROWS = 2u;
const TILE_COLUMNS = 2u;
const BLOCK_CHANNELS = 64u; // a multiple of MATRIX_ROWS · TILE_ROWS
const BLOCK_COLUMNS = 64u; // a multiple of MATRIX_COLUMNS · TILE_COLUMNS
const BLOCK_DEPTH = 32u; // a multiple of MATRIX_DEPTH; what the threads fetch of a piece comes out even
const PADDING = 8u; // a multiple of what loads of matrices are aligned to
const LANES = 32u; // of every subgroup

const WEIGHT_STRIDE = BLOCK_CHANNELS + PADDING;
const INPUT_STRIDE = BLOCK_COLUMNS + PADDING;
const CHANNEL_QUADS = BLOCK_CHANNELS / 4u;
const COLUMN_QUADS = BLOCK_COLUMNS / 4u;
const COLUMN_SUBGROUPS = BLOCK_COLUMNS / (MATRIX_COLUMNS * TILE_COLUMNS);
const SUBGROUPS = BLOCK_CHANNELS / (MATRIX_ROWS * TILE_ROWS) * COLUMN_SUBGROUPS;
const THREADS = SUBGROUPS * LANES;
const ROWS_AT_ONCE = THREADS / COLUMN_QUADS;
const STAGED_WEIGHTS = BLOCK_DEPTH * CHANNEL_QUADS / THREADS; // quads that a thread fetches
const STAGED_INPUTS = BLOCK_DEPTH / ROWS_AT_ONCE;
const MATRIX_SIZE = MATRIX_ROWS * MATRIX_COLUMNS;

alias Weights = subgroup_matrix_left<Element, MATRIX_DEPTH, MATRIX_ROWS>;
alias Inputs = subgroup_matrix_right<Element, MATRIX_COLUMNS, MATRIX_DEPTH>;
alias Sums = subgroup_matrix_result<f32, MATRIX_COLUMNS, MATRIX_ROWS>;

override workgroupSize: u32 = 128u; // THREADS
override relu: bool;

struct Layer {
  inHeight: u32,
  inWidth: u32,
  inOffset: u32,
  inStride: u32,
  images: u32,
  outChannels: u32,
  outHeight: u32,
  outWidth: u32,
  outOffset: u32,
  outStride: u32,
  firstChannels: u32,
  restOffset: u32,
  restStride: u32,
  kernelHeight: u32,
  kernelWidth: u32,
  strideY: u32,
  strideX: u32,
  dilationY: u32,
  dilationX: u32,
  padTop: u32,
  padLeft: u32,
  depth: u32, // inChannels · kernelHeight · kernelWidth
}

@group(0) @binding(0) var<storage, read_write> input: array<Element>;
@group(0) @binding(1) var<storage, read> weight: array<vec4<Element>>;
@group(0) @binding(2) var<storage, read> bias: array<Element>;
@group(0) @binding(3) var<storage, read_write> rest: array<Element>;
@group(0) @binding(4) var<storage, read_write> output: array<Element>;
@group(0) @binding(5) var<uniform> layer: Layer;

// A piece's weights, [row of the depth][channel], and inputs, [row][column].
var<workgroup> weightPiece: array<Element, BLOCK_DEPTH * WEIGHT_STRIDE>;
var<workgroup> inputPiece: array<Element, BLOCK_DEPTH * INPUT_STRIDE>;
// A matrix of each subgroup's sums.
var<workgroup> results: array<f32, SUBGROUPS * MATRIX_SIZE>;

// A place in the depth: a number of three digits.
struct Tap {
  channel: u32,
  y: u32,
  x: u32,
}

// The windows of a thread's four columns: their first taps, which may lie before the input, and what is added to find
// them in memory.
struct Windows {
  top: vec4u,
  left: vec4u,
  start: vec4u,
}

// What a thread has fetched.
var<private> weights: array<vec4<Element>, STAGED_WEIGHTS>;
var<private> inputs: array<vec4<Element>, STAGED_INPUTS>;

fn tapAt(depth: u32) -> Tap {
  let row = depth / layer.kernelWidth;
  return Tap(row / layer.kernelHeight, row % layer.kernelHeight, depth % layer.kernelWidth);
}

// Digit by digit: two divisions a quad would take longer than its loads.
fn sumOf(a: Tap, b: Tap) -> Tap {
  let x = a.x + b.x;
  let carryX = u32(x >= layer.kernelWidth);
  let y = a.y + b.y + carryX;
  let carryY = u32(y >= layer.kernelHeight);
  return Tap(a.channel + b.channel + carryY, y - carryY * layer.kernelHeight, x - carryX * layer.kernelWidth);
}

// Takes a thread's share of a piece of the depth into registers: what lies behind the depth's end, or in the padding,
// is zero. Gives the tap of its first quad in the next piece.
fn fetch(lane: u32, rows: u32, weightStart: u32, windows: Windows, firstTap: Tap, rowsAtOnce: Tap) -> Tap {
  for (var i = 0u; i < STAGED_WEIGHTS; i++) {
    let quad = lane + i * THREADS;
    weights[i] = vec4<Element>();
    if (quad / CHANNEL_QUADS < rows) {
      weights[i] = weight[weightStart + quad];
    }
  }
  var tap = firstTap;
  for (var i = 0u; i < STAGED_INPUTS; i++) {
    let y = windows.top + tap.y * layer.dilationY; // past any height where it lies before the input
    let x = windows.left + tap.x * layer.dilationX;
    let within = lane / COLUMN_QUADS + i * ROWS_AT_ONCE < rows;
    let inside = vec4<bool>(within) & (y < vec4u(layer.inHeight)) & (x < vec4u(layer.inWidth));
    let plane = windows.start + tap.channel * layer.inHeight * layer.inWidth;
    let index = select(vec4u(), plane + y * layer.inWidth + x, inside);
    for (var c = 0u; c < 4u; c++) {
      inputs[i][c] = select(Element(), input[index[c]], inside[c]);
    }
    tap = sumOf(tap, rowsAtOnce);
  }
  return tap;
}

// Puts down what was fetched. The four columns of a thread lie COLUMN_QUADS apart, so that neighbouring threads fetch
// and put down neighbours.
fn stage(lane: u32) {
  for (var i = 0u; i < STAGED_WEIGHTS; i++) {
    let quad = lane + i * THREADS;
    let place = quad / CHANNEL_QUADS * WEIGHT_STRIDE + quad % CHANNEL_QUADS * 4u;
    for (var c = 0u; c < 4u; c++) {
      weightPiece[place + c] = weights[i][c];
    }
  }
  for (var i = 0u; i < STAGED_INPUTS; i++) {
    let place = (lane / COLUMN_QUADS + i * ROWS_AT_ONCE) * INPUT_STRIDE + lane % COLUMN_QUADS;
    for (var c = 0u; c < 4u; c++) {
      inputPiece[place + c * COLUMN_QUADS] = inputs[i][c];
    }
  }
}

// Stores one output, if there is such a channel and column.
fn store(channel: u32, column: u32, sum: f32) {
  let outPlane = layer.outHeight * layer.outWidth;
  if (channel >= layer.outChannels || column >= layer.images * outPlane) {
    return;
  }
  var value = sum + f32(bias[channel]);
  if (relu) {
    value = select(value, 0, value < 0);
  }
  let image = column / outPlane;
  let pixel = column % outPlane;
  if (channel < layer.firstChannels) {
    output[layer.outOffset + image * layer.outStride + channel * outPlane + pixel] = Element(value);
  } else {
    rest[layer.restOffset + image * layer.restStride + (channel - layer.firstChannels) * outPlane + pixel] =
      Element(value);
  }
}

@compute @workgroup_size(workgroupSize)
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
  @builtin(subgroup_id) subgroup: u32,
  @builtin(subgroup_invocation_id) subgroupLane: u32,
) {
  let block = workgroup.x + workgroups.x * (workgroup.y + workgroups.y * workgroup.z);
  let outPlane = layer.outHeight * layer.outWidth;
  let columns = layer.images * outPlane;
  let columnBlocks = (columns + BLOCK_COLUMNS - 1u) / BLOCK_COLUMNS;
  let channelBlocks = (layer.outChannels + BLOCK_CHANNELS - 1u) / BLOCK_CHANNELS;
  let firstColumn = (block % columnBlocks) * BLOCK_COLUMNS;
  let channelBlock = block / columnBlocks;
  if (channelBlock >= channelBlocks) {
    return;
  }

  // A column past the end reads the last one instead and is not stored.
  let column = min(firstColumn + lane % COLUMN_QUADS + vec4u(0, 1, 2, 3) * COLUMN_QUADS, vec4u(columns - 1u));
  let pixel = column % outPlane;
  let windows = Windows(
    pixel / layer.outWidth * layer.strideY - layer.padTop,
    pixel % layer.outWidth * layer.strideX - layer.padLeft,
    layer.inOffset + column / outPlane * layer.inStride,
  );
  let weightStart = channelBlock * layer.depth * CHANNEL_QUADS;
  let rowsAtOnce = tapAt(ROWS_AT_ONCE);

  // Of the subgroup's matrices, the first.
  let tileChannel = subgroup / COLUMN_SUBGROUPS * TILE_ROWS * MATRIX_ROWS;
  let tileColumn = subgroup % COLUMN_SUBGROUPS * TILE_COLUMNS * MATRIX_COLUMNS;
  var sums: array<array<Sums, TILE_COLUMNS>, TILE_ROWS>;

  var tap = fetch(lane, layer.depth, weightStart, windows, tapAt(lane / COLUMN_QUADS), rowsAtOnce);
  for (var row = 0u; row < layer.depth; row += BLOCK_DEPTH) {
    stage(lane);
    workgroupBarrier();
    let next = row + BLOCK_DEPTH;
    if (next < layer.depth) {
      tap = fetch(lane, layer.depth - next, weightStart + next * CHANNEL_QUADS, windows, tap, rowsAtOnce);
    }
    for (var k = 0u; k < BLOCK_DEPTH; k += MATRIX_DEPTH) {
      var factors: array<Weights, TILE_ROWS>;
      for (var r = 0u; r < TILE_ROWS; r++) {
        let place = k * WEIGHT_STRIDE + tileChannel + r * MATRIX_ROWS;
        factors[r] = subgroupMatrixLoad<Weights, col_major>(&weightPiece, place, WEIGHT_STRIDE);
      }
      for (var c = 0u; c < TILE_COLUMNS; c++) {
        let place = k * INPUT_STRIDE + tileColumn + c * MATRIX_COLUMNS;
        let values = subgroupMatrixLoad<Inputs, row_major>(&inputPiece, place, INPUT_STRIDE);
        for (var r = 0u; r < TILE_ROWS; r++) {
          sums[r][c] = subgroupMatrixMultiplyAccumulate(factors[r], values, sums[r][c]);
        }
      }
    }
    workgroupBarrier();
  }

  let own = subgroup * MATRIX_SIZE;
  for (var r = 0u; r < TILE_ROWS; r++) {
    for (var c = 0u; c < TILE_COLUMNS; c++) {
      subgroupMatrixStore<row_major>(&results, own, sums[r][c], MATRIX_COLUMNS);
      workgroupBarrier();
      let channel = channelBlock * BLOCK_CHANNELS + tileChannel + r * MATRIX_ROWS;
      let first = firstColumn + tileColumn + c * MATRIX_COLUMNS;
      for (var e = subgroupLane; e < MATRIX_SIZE; e += LANES) {
        store(channel + e / MATRIX_COLUMNS, first + e % MATRIX_COLUMNS, results[own + e]);
      }
      workgroupBarrier();
    }
  }
}
