// Fully connected layer with bias and optional ReLU: output (N × outFeatures) = input (N × inFeatures) · weightᵀ + bias.
//
// input   (N, inFeatures), each image contiguous from inOffset + n · inStride
// weight  (outFeatures, inFeatures), as Caffe stores it
// bias    (outFeatures)
// output  (N, outFeatures), from outOffset + n · outStride
//
// One workgroup computes TILE_FEATURES features of TILE_IMAGES images: its lanes take input features workgroupSize
// apart (neighbouring lanes read neighbouring weights, each weight once a tile of images), then add up in workgroup
// memory by halves, always in the same order.
// Arithmetic intensity: each weight serves TILE_IMAGES multiply-adds, at one image 1/4 a float32 byte: the work is
// bound by reading the weights once.
// (Adding up by halves: Harris, "Optimizing Parallel Reduction in CUDA", NVIDIA 2007.)

alias Element = f32; // computed with in f32

const TILE_FEATURES = 4u;
const TILE_IMAGES = 1u;

override workgroupSize: u32 = 64u; // a power of 2
override relu: bool;

struct Layer {
  images: u32,
  inFeatures: u32,
  inOffset: u32,
  inStride: u32,
  outFeatures: u32,
  outOffset: u32,
  outStride: u32,
}

@group(0) @binding(0) var<storage, read_write> input: array<Element>;
@group(0) @binding(1) var<storage, read> weight: array<Element>;
@group(0) @binding(2) var<storage, read> bias: array<Element>;
@group(0) @binding(3) var<storage, read_write> output: array<Element>;
@group(0) @binding(4) var<uniform> layer: Layer;

const TILE = TILE_FEATURES * TILE_IMAGES;
var<workgroup> partial: array<array<f32, TILE>, workgroupSize>;

@compute @workgroup_size(workgroupSize)
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let tile = workgroup.x + workgroups.x * (workgroup.y + workgroups.y * workgroup.z);
  let featureTiles = (layer.outFeatures + TILE_FEATURES - 1u) / TILE_FEATURES;
  let imageTiles = (layer.images + TILE_IMAGES - 1u) / TILE_IMAGES;
  if (tile >= featureTiles * imageTiles) {
    return;
  }
  let firstFeature = (tile % featureTiles) * TILE_FEATURES;
  let firstImage = (tile / featureTiles) * TILE_IMAGES;

  // A feature or image past the end reads the last one instead and is not stored.
  var sums: array<f32, TILE>;
  var inStart: array<u32, TILE_IMAGES>;
  for (var n = 0u; n < TILE_IMAGES; n++) {
    inStart[n] = layer.inOffset + min(firstImage + n, layer.images - 1u) * layer.inStride;
  }
  var weightStart: array<u32, TILE_FEATURES>;
  for (var f = 0u; f < TILE_FEATURES; f++) {
    weightStart[f] = min(firstFeature + f, layer.outFeatures - 1u) * layer.inFeatures;
  }
  for (var i = lane; i < layer.inFeatures; i += workgroupSize) {
    var values: array<f32, TILE_IMAGES>;
    for (var n = 0u; n < TILE_IMAGES; n++) {
      values[n] = f32(input[inStart[n] + i]);
    }
    for (var f = 0u; f < TILE_FEATURES; f++) {
      let value = f32(weight[weightStart[f] + i]);
      for (var n = 0u; n < TILE_IMAGES; n++) {
        sums[n * TILE_FEATURES + f] += value * values[n];
      }
    }
  }

  partial[lane] = sums;
  for (var half = workgroupSize / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) {
      for (var t = 0u; t < TILE; t++) {
        partial[lane][t] += partial[lane + half][t];
      }
    }
  }
  workgroupBarrier();
  for (var t = lane; t < TILE; t += workgroupSize) {
    let feature = firstFeature + t % TILE_FEATURES;
    let image = firstImage + t / TILE_FEATURES;
    if (feature < layer.outFeatures && image < layer.images) {
      var value = partial[0][t] + f32(bias[feature]);
      if (relu) {
        value = select(value, 0, value < 0);
      }
      output[layer.outOffset + image * layer.outStride + feature] = Element(value);
    }
  }
}
