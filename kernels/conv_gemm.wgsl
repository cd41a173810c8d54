// Convolution as one matrix product, whose blocks are staged in workgroup memory: any kernel, stride, padding and
// dilation, one group; on request of its input's max pooling of stride 1. For GPUs with wide subgroups.
//
// The product is output (outChannels × columns) = weight (outChannels × depth) · unrolled (depth × columns), where a
// column is an output pixel of some image, and the depth runs over (inChannel, ky, kx). `unrolled`, the input with every
// window laid out as a column ("im2col"), is never in memory: each element is fetched from the input when it is staged.
//
// input   (N, inChannels, inHeight, inWidth), each image contiguous from inOffset + n · inStride
// weight  packed into blocks of output channels, [block][inChannel][ky][kx][BLOCK_CHANNELS]
// bias    [block][BLOCK_CHANNELS]
// output  (N, firstChannels, outHeight, outWidth), from outOffset + n · outStride: the first of the output channels
// rest    (N, outChannels - firstChannels, outHeight, outWidth), from restOffset + n · restStride: the others, where
//         several convolutions of one input are computed as one; otherwise it is left alone
//
// A dispatch may compute several parts: products with inputs, weights and outputs of their own (Winograd's
// frequencies), or the same one over a piece of its depth each (split-K), whose sums another kernel adds up.
//
// A workgroup computes a block of BLOCK_CHANNELS × BLOCK_COLUMNS outputs, walking the depth BLOCK_DEPTH at a time: all
// its threads fetch the next piece of both matrices into registers, multiply the piece in workgroup memory, and put
// down what they fetched. A thread holds TILE_CHANNELS × 4 · TILE_QUADS sums. Where the map is small, and with it the
// number of blocks, waiting for memory would take most of the time; so SLICES sets of threads, each with a tile for
// every output, take a slice of the piece's depth each: SLICES times fewer steps, more loads in flight. Their sums are
// added up in workgroup memory, always in the same order.
//
// The four columns of a quad lie BLOCK_COLUMNS / 4 apart, so that neighbouring threads fetch and store neighbouring
// pixels. Arithmetic intensity: a step stages (BLOCK_CHANNELS + BLOCK_COLUMNS) · BLOCK_DEPTH values for
// BLOCK_CHANNELS · BLOCK_COLUMNS · BLOCK_DEPTH multiply-adds, 8 a float32 byte at 64 × 64 and 4 at 32 × 32; from
// workgroup memory a thread loads TILE_CHANNELS / 4 + TILE_QUADS quads for TILE_CHANNELS · TILE_QUADS · 4 multiply-adds.
// (Blocks and register tiles: Volkov & Demmel, "Benchmarking GPUs to Tune Dense Linear Algebra", SC 2008. Products
// without an unrolled copy: Chetlur et al., "cuDNN: Efficient Primitives for Deep Learning", 2014.)

alias Element = f32; // computed with in f32
alias Output = f32; // of what is stored: of float32 where parts of sums are

const BLOCK_CHANNELS = 32u; // a multiple of TILE_CHANNELS
const BLOCK_COLUMNS = 32u; // a multiple of 4 · TILE_QUADS
const BLOCK_DEPTH = 32u; // what the threads fetch of a piece comes out even: see STAGED_WEIGHTS, STAGED_INPUTS
const TILE_CHANNELS = 4u; // a multiple of 4
const TILE_QUADS = 1u; // quads of columns
const SLICES = 1u; // divides BLOCK_DEPTH

const CHANNEL_QUADS = BLOCK_CHANNELS / 4u;
const COLUMN_QUADS = BLOCK_COLUMNS / 4u;
const CHANNEL_THREADS = BLOCK_CHANNELS / TILE_CHANNELS;
const COLUMN_THREADS = COLUMN_QUADS / TILE_QUADS;
const SLICE_THREADS = CHANNEL_THREADS * COLUMN_THREADS;
const SLICE_DEPTH = BLOCK_DEPTH / SLICES;
const THREADS = SLICES * SLICE_THREADS; // a multiple of COLUMN_QUADS
const ROWS_AT_ONCE = THREADS / COLUMN_QUADS;
const STAGED_WEIGHTS = BLOCK_DEPTH * CHANNEL_QUADS / THREADS; // quads that a thread fetches
const STAGED_INPUTS = BLOCK_DEPTH / ROWS_AT_ONCE;

override workgroupSize: u32 = 64u; // THREADS
override relu: bool;
override pool: bool; // whether the convolution's input is the largest values under a window that slides over `input`

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
  parts: u32,
  partBlocks: u32, // blocks of weights from a part to the next: 0 where all share them
  partDepth: u32, // by how much later in the depth the next part starts: 0 where each has all of it
  inPartStride: u32, // elements from a part's input to the next's
  outPartStride: u32,
  poolHeight: u32,
  poolWidth: u32,
  poolTop: u32, // the window's padding: what is pooled has the input's height and width
  poolLeft: u32,
}

@group(0) @binding(0) var<storage, read_write> input: array<Element>;
@group(0) @binding(1) var<storage, read> weight: array<vec4<Element>>;
@group(0) @binding(2) var<storage, read> bias: array<Element>;
@group(0) @binding(3) var<storage, read_write> rest: array<Output>;
@group(0) @binding(4) var<storage, read_write> output: array<Output>;
@group(0) @binding(5) var<uniform> layer: Layer;

const INPUTS = BLOCK_DEPTH * CHANNEL_QUADS; // where they begin behind the weights
const STAGED = INPUTS + BLOCK_DEPTH * COLUMN_QUADS;
const SUMS = SLICES * BLOCK_CHANNELS * COLUMN_QUADS;

// A piece's weights, [row of the depth][quad of channels], and inputs, [row][quad of columns]; in the end all sums,
// [slice][channel][quad of columns].
var<workgroup> quads: array<vec4f, max(STAGED, SUMS)>;

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

// What a thread has fetched, and its sums.
var<private> weights: array<vec4f, STAGED_WEIGHTS>;
var<private> inputs: array<vec4f, STAGED_INPUTS>;
var<private> sums: array<array<vec4f, TILE_QUADS>, TILE_CHANNELS>;

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

// Asked of the bits, since shaders may assume that no NaN occurs and drop `x != x`.
fn isNan(x: f32) -> bool {
  return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}

// The largest value of a plane under the pooling window that begins there; the padding never wins.
fn largestUnder(plane: u32, top: u32, left: u32) -> f32 {
  var largest = -0x1.fffffep+127f;
  for (var ky = 0u; ky < layer.poolHeight; ky++) {
    for (var kx = 0u; kx < layer.poolWidth; kx++) {
      let y = top + ky;
      let x = left + kx;
      if (y < layer.inHeight && x < layer.inWidth) {
        let value = f32(input[plane + y * layer.inWidth + x]);
        if (value > largest || isNan(value)) {
          largest = value;
        }
      }
    }
  }
  return largest;
}

// Takes a thread's share of a piece of the depth into registers: what lies behind the depth's end, or in the padding,
// is zero. Gives the tap of its first quad in the next piece.
fn fetch(lane: u32, rows: u32, weightStart: u32, windows: Windows, firstTap: Tap, rowsAtOnce: Tap) -> Tap {
  for (var i = 0u; i < STAGED_WEIGHTS; i++) {
    let quad = lane + i * THREADS;
    weights[i] = vec4f();
    if (quad / CHANNEL_QUADS < rows) {
      weights[i] = vec4f(weight[weightStart + quad]);
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
      if (!pool) {
        inputs[i][c] = select(0, f32(input[index[c]]), inside[c]);
      } else if (inside[c]) {
        inputs[i][c] = largestUnder(plane[c], y[c] - layer.poolTop, x[c] - layer.poolLeft);
      } else {
        inputs[i][c] = 0;
      }
    }
    tap = sumOf(tap, rowsAtOnce);
  }
  return tap;
}

// Puts down what was fetched.
fn stage(lane: u32) {
  for (var i = 0u; i < STAGED_WEIGHTS; i++) {
    quads[lane + i * THREADS] = weights[i];
  }
  for (var i = 0u; i < STAGED_INPUTS; i++) {
    quads[INPUTS + lane + i * THREADS] = inputs[i];
  }
}

// Multiplies a slice of the piece. A thread's quads of channels and columns lie as far apart as there are threads, so
// that neighbouring threads load neighbouring quads.
fn multiply(slice: u32, channelThread: u32, columnThread: u32) {
  for (var r = 0u; r < SLICE_DEPTH; r++) {
    let row = slice * SLICE_DEPTH + r;
    var values: array<vec4f, TILE_QUADS>;
    for (var q = 0u; q < TILE_QUADS; q++) {
      values[q] = quads[INPUTS + row * COLUMN_QUADS + q * COLUMN_THREADS + columnThread];
    }
    for (var k = 0u; k < TILE_CHANNELS / 4u; k++) {
      let factors = quads[row * CHANNEL_QUADS + k * CHANNEL_THREADS + channelThread];
      for (var c = 0u; c < 4u; c++) {
        for (var q = 0u; q < TILE_QUADS; q++) {
          sums[k * 4u + c][q] += factors[c] * values[q];
        }
      }
    }
  }
}

@compute @workgroup_size(workgroupSize)
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let block = workgroup.x + workgroups.x * (workgroup.y + workgroups.y * workgroup.z);
  let outPlane = layer.outHeight * layer.outWidth;
  let columns = layer.images * outPlane;
  let columnBlocks = (columns + BLOCK_COLUMNS - 1u) / BLOCK_COLUMNS;
  let channelBlocks = (layer.outChannels + BLOCK_CHANNELS - 1u) / BLOCK_CHANNELS;
  let firstColumn = (block % columnBlocks) * BLOCK_COLUMNS;
  let channelBlock = (block / columnBlocks) % channelBlocks;
  let part = block / (columnBlocks * channelBlocks);
  if (part >= layer.parts) {
    return;
  }

  // A column past the end reads the last one instead and is not stored.
  let column = firstColumn + lane % COLUMN_QUADS + vec4u(0, 1, 2, 3) * COLUMN_QUADS;
  let real = min(column, vec4u(columns - 1u));
  let image = real / outPlane;
  let pixel = real % outPlane;
  let windows = Windows(
    pixel / layer.outWidth * layer.strideY - layer.padTop,
    pixel % layer.outWidth * layer.strideX - layer.padLeft,
    layer.inOffset + part * layer.inPartStride + image * layer.inStride,
  );

  // 0 where every part has all of the depth.
  let firstRow = part * layer.partDepth % layer.depth;
  let rows = min(layer.partDepth, layer.depth - firstRow);
  let weightStart = ((part * layer.partBlocks + channelBlock) * layer.depth + firstRow) * CHANNEL_QUADS;
  let rowsAtOnce = tapAt(ROWS_AT_ONCE);
  let slice = lane / SLICE_THREADS;
  let channelThread = lane % SLICE_THREADS / COLUMN_THREADS;
  let columnThread = lane % COLUMN_THREADS;

  // A piece is fetched while the one before is multiplied.
  var tap = fetch(lane, rows, weightStart, windows, tapAt(firstRow + lane / COLUMN_QUADS), rowsAtOnce);
  for (var row = 0u; row < rows; row += BLOCK_DEPTH) {
    stage(lane);
    workgroupBarrier();
    let next = row + BLOCK_DEPTH;
    if (next < rows) {
      tap = fetch(lane, rows - next, weightStart + next * CHANNEL_QUADS, windows, tap, rowsAtOnce);
    }
    multiply(slice, channelThread, columnThread);
    workgroupBarrier();
  }

  for (var k = 0u; k < TILE_CHANNELS / 4u; k++) {
    for (var c = 0u; c < 4u; c++) {
      let channel = (k * CHANNEL_THREADS + channelThread) * 4u + c;
      for (var q = 0u; q < TILE_QUADS; q++) {
        let quad = (slice * BLOCK_CHANNELS + channel) * COLUMN_QUADS + q * COLUMN_THREADS + columnThread;
        quads[quad] = sums[k * 4u + c][q];
      }
    }
  }
  workgroupBarrier();
  let outStart = layer.outOffset + part * layer.outPartStride + image * layer.outStride + pixel;
  let restStart = layer.restOffset + image * layer.restStride + pixel;
  let channelsLeft = min(BLOCK_CHANNELS, layer.outChannels - channelBlock * BLOCK_CHANNELS);
  for (var c = lane / COLUMN_QUADS; c < channelsLeft; c += ROWS_AT_ONCE) {
    let channel = channelBlock * BLOCK_CHANNELS + c;
    var values = vec4f(f32(bias[channel]));
    for (var s = 0u; s < SLICES; s++) {
      values += quads[(s * BLOCK_CHANNELS + c) * COLUMN_QUADS + lane % COLUMN_QUADS];
    }
    if (relu) {
      values = select(values, vec4f(), values < vec4f());
    }
    for (var v = 0u; v < 4u; v++) {
      if (column[v] >= columns) {
        continue;
      }
      if (channel < layer.firstChannels) {
        output[outStart[v] + channel * outPlane] = Output(values[v]);
      } else {
        rest[restStart[v] + (channel - layer.firstChannels) * outPlane] = Output(values[v]);
      }
    }
  }
}
