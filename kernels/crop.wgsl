// Crops of a picture, each resized to side × side, as the network takes them: planes B, G, R less their means.
//
// picture  8 bits a channel, R, G, B interleaved, rows of `columns` pixels from the top, four bytes a word, lowest first
// taps     for each axis and pixel of a crop the columns (rows) of the picture that it is made of, and their weights
// crops    where a crop's column and row taps begin, how many each pixel has, and whether it is mirrored left for right
// output   (crops, 3, side, side), each contiguous from outOffset + n · outStride
//
// One thread computes one pixel of one crop, all three channels: neighbouring threads take neighbouring pixels, which
// share most of what they load. Bilinear interpolation is separable: along x first, then along y, a weighted sum of two
// pixels each, or of four where the crop was resized twice. src/image/sampling.ts finds positions and weights in exact
// arithmetic, so that no rounding here can pick another pixel. 4 or 16 pixels are loaded for each that is stored; next to
// the network's 1.6 G multiply-adds a crop that is nothing.
// Arithmetic intensity: for each channel 3 multiply-adds on 4 values, or 20 on 16, for 4 bytes stored: bound by loads.
// (The paper's crops, section 7; bilinear as OpenCV's INTER_LINEAR, half-pixel centres.)

alias Element = f32; // computed with in f32

override workgroupSize: u32 = 64u;

struct Tap {
  index: u32,
  weight: f32,
}

struct Crop {
  columnTaps: u32,
  rowTaps: u32,
  tapsPerPixel: u32, // along each axis
  mirrored: u32,
}

struct Layer {
  threadCount: u32,
  side: u32,
  columns: u32,
  firstCrop: u32, // of those in the table, the first that is cut
  outOffset: u32,
  outStride: u32,
  meanBlue: f32,
  meanGreen: f32,
  meanRed: f32,
}

@group(0) @binding(0) var<storage, read> picture: array<u32>;
@group(0) @binding(1) var<storage, read> taps: array<Tap>;
@group(0) @binding(2) var<storage, read> crops: array<Crop>;
@group(0) @binding(3) var<storage, read_write> output: array<Element>;
@group(0) @binding(4) var<uniform> layer: Layer;

// R, G, B of a pixel, 0–255. Its three bytes lie in one word or two.
fn pixelAt(pixel: u32) -> vec3f {
  let firstByte = pixel * 3u;
  let word = firstByte / 4u;
  let shift = (firstByte % 4u) * 8u;
  var bits = picture[word] >> shift;
  if (shift > 8u) {
    bits |= picture[word + 1u] << (32u - shift);
  }
  return vec3f(vec3u(bits, bits >> 8u, bits >> 16u) & vec3u(255u));
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
  let plane = layer.side * layer.side;
  let x = thread % layer.side;
  let y = (thread % plane) / layer.side;
  let image = thread / plane;
  let crop = crops[layer.firstCrop + image];

  let count = crop.tapsPerPixel;
  let column = crop.columnTaps + count * select(x, layer.side - 1u - x, crop.mirrored != 0u);
  let row = crop.rowTaps + count * y;
  var color = vec3f(0);
  for (var j = 0u; j < count; j++) {
    let down = taps[row + j];
    var line = vec3f(0);
    for (var i = 0u; i < count; i++) {
      let across = taps[column + i];
      line += across.weight * pixelAt(down.index * layer.columns + across.index);
    }
    color += down.weight * line;
  }

  let start = layer.outOffset + image * layer.outStride + y * layer.side + x;
  output[start] = Element(color.b - layer.meanBlue);
  output[start + plane] = Element(color.g - layer.meanGreen);
  output[start + 2u * plane] = Element(color.r - layer.meanRed);
}
