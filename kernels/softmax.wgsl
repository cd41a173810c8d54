// Softmax along one axis, exp(x − max) / Σ exp(x − max), or its logarithm.
//
// input   (images, blocks, extent, inner): a row's elements lie inAxisStride apart, from inOffset + n · inStride
// output  the same shape, elements outAxisStride apart, from outOffset + n · outStride
//
// One workgroup computes one row: its lanes take elements workgroupSize apart; the maximum and the sum are found in
// workgroup memory by halves, always in the same order. The exponentials are computed twice rather than stored.
// Arithmetic intensity: a comparison, two exponentials, an addition and a division for three loads and a store: the
// work is bound by memory, and rows are short.
// (The maximum taken away, so that nothing overflows, as in Caffe; Harris, "Optimizing Parallel Reduction in CUDA",
// NVIDIA 2007.)

alias Element = f32; // computed with in f32: sums of a thousand exponentials

override workgroupSize: u32 = 64u; // a power of 2
override logarithm: bool;

struct Layer {
  images: u32,
  blocks: u32, // of one image
  extent: u32,
  inner: u32,
  inOffset: u32,
  inStride: u32,
  inAxisStride: u32,
  outOffset: u32,
  outStride: u32,
  outAxisStride: u32,
}

@group(0) @binding(0) var<storage, read_write> input: array<Element>;
@group(0) @binding(1) var<storage, read_write> output: array<Element>;
@group(0) @binding(2) var<uniform> layer: Layer;

var<workgroup> partial: array<f32, workgroupSize>;

@compute @workgroup_size(workgroupSize)
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = workgroup.x + workgroups.x * (workgroup.y + workgroups.y * workgroup.z);
  if (row >= layer.images * layer.blocks * layer.inner) {
    return;
  }
  let image = row / (layer.blocks * layer.inner);
  let block = (row / layer.inner) % layer.blocks;
  let inStart = layer.inOffset + image * layer.inStride + block * layer.extent * layer.inner + row % layer.inner;
  let outStart = layer.outOffset + image * layer.outStride + block * layer.extent * layer.inner + row % layer.inner;

  // Lanes past the end of a short row repeat its first element, which changes no maximum.
  var largest = f32(input[inStart]);
  for (var e = lane; e < layer.extent; e += workgroupSize) {
    largest = max(largest, f32(input[inStart + e * layer.inAxisStride]));
  }
  partial[lane] = largest;
  for (var half = workgroupSize / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) {
      partial[lane] = max(partial[lane], partial[lane + half]);
    }
  }
  workgroupBarrier();
  largest = partial[0];
  workgroupBarrier();

  var sum = 0f;
  for (var e = lane; e < layer.extent; e += workgroupSize) {
    sum += exp(f32(input[inStart + e * layer.inAxisStride]) - largest);
  }
  partial[lane] = sum;
  for (var half = workgroupSize / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) {
      partial[lane] += partial[lane + half];
    }
  }
  workgroupBarrier();
  sum = partial[0];

  for (var e = lane; e < layer.extent; e += workgroupSize) {
    let exponent = f32(input[inStart + e * layer.inAxisStride]) - largest;
    let value = select(exp(exponent) / sum, exponent - log(sum), logarithm);
    output[outStart + e * layer.outAxisStride] = Element(value);
  }
}
