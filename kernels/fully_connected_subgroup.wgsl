// Fully connected layer with bias and optional ReLU, output (N × outFeatures) = input (N × inFeatures) · weightᵀ + bias,
// whose inputs are loaded once for a subgroup and handed round by broadcast: for devices on which a load costs much more
// than a broadcast (a CPU that plays GPU: every lane's load is one of its own there).
//
// input   (N, inFeatures), each image contiguous from inOffset + n · inStride
// weight  packed into tiles of 4 · workgroupSize output features, [tile][inFeature][4 · workgroupSize]
// bias    [tile][4 · workgroupSize]
// output  (N, outFeatures), from outOffset + n · outStride
//
// One thread computes four neighbouring features of TILE_IMAGES images, and loads the four weights of an input feature at
// once: one load of four values for 4 · TILE_IMAGES multiply-adds, beside an eighth of a load an image. In whatever order
// the device deals lanes to subgroups, each of a subgroup's first eight lanes holds one of eight input features for all;
// every lane must take part in the broadcasts to the end. RUN features at a time are added up, and then their sums: one by
// one, a thousand features would put the logits off by 1e-6, and probabilities by as much.
// Arithmetic intensity: each weight serves TILE_IMAGES multiply-adds, at one image 1/4 a float32 byte: the work is
// bound by reading the weights once.
// (Sums of sums: Higham, "The Accuracy of Floating Point Summation", SIAM J. Sci. Comput. 1993.)

enable subgroups;

alias Element = f32; // computed with in f32

const TILE_IMAGES = 1u;
const RUN = 4u * 8u; // input features that are added up by themselves

override workgroupSize: u32 = 8u; // a multiple of the subgroup size, which is at least 8
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
@group(0) @binding(1) var<storage, read> weight: array<vec4<Element>>;
@group(0) @binding(2) var<storage, read> bias: array<vec4<Element>>;
@group(0) @binding(3) var<storage, read_write> output: array<Element>;
@group(0) @binding(4) var<uniform> layer: Layer;

@compute @workgroup_size(workgroupSize)
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
  @builtin(subgroup_invocation_id) subgroupLane: u32,
) {
  let block = workgroup.x + workgroups.x * (workgroup.y + workgroups.y * workgroup.z);
  let tileFeatures = 4u * workgroupSize;
  let featureTiles = (layer.outFeatures + tileFeatures - 1u) / tileFeatures;
  let imageTiles = (layer.images + TILE_IMAGES - 1u) / TILE_IMAGES;
  if (block >= featureTiles * imageTiles) {
    return;
  }
  let tile = block % featureTiles;
  let firstImage = block / featureTiles * TILE_IMAGES;

  // An image past the end reads the last one instead and is not stored.
  var sums: array<vec4f, TILE_IMAGES>;
  var inStart: array<u32, TILE_IMAGES>;
  for (var n = 0u; n < TILE_IMAGES; n++) {
    inStart[n] = layer.inOffset + min(firstImage + n, layer.images - 1u) * layer.inStride;
  }
  var weightIndex = tile * layer.inFeatures * workgroupSize + lane;
  let eights = layer.inFeatures / 8u * 8u;
  for (var start = 0u; start < eights; start += RUN) {
    // Zeros written out: without them lavapipe keeps those of the turn before.
    var partial = array<vec4f, TILE_IMAGES>();
    for (var i = start; i < min(start + RUN, eights); i += 8u) {
      var held: array<f32, TILE_IMAGES>;
      for (var n = 0u; n < TILE_IMAGES; n++) {
        held[n] = f32(input[inStart[n] + i + subgroupLane % 8u]);
      }
      // A broadcast's lane must be a constant in the text, so this is a loop written out.
      var weights = vec4f(weight[weightIndex]);
      for (var n = 0u; n < TILE_IMAGES; n++) { partial[n] += weights * subgroupBroadcast(held[n], 0u); }
      weights = vec4f(weight[weightIndex + workgroupSize]);
      for (var n = 0u; n < TILE_IMAGES; n++) { partial[n] += weights * subgroupBroadcast(held[n], 1u); }
      weights = vec4f(weight[weightIndex + 2u * workgroupSize]);
      for (var n = 0u; n < TILE_IMAGES; n++) { partial[n] += weights * subgroupBroadcast(held[n], 2u); }
      weights = vec4f(weight[weightIndex + 3u * workgroupSize]);
      for (var n = 0u; n < TILE_IMAGES; n++) { partial[n] += weights * subgroupBroadcast(held[n], 3u); }
      weights = vec4f(weight[weightIndex + 4u * workgroupSize]);
      for (var n = 0u; n < TILE_IMAGES; n++) { partial[n] += weights * subgroupBroadcast(held[n], 4u); }
      weights = vec4f(weight[weightIndex + 5u * workgroupSize]);
      for (var n = 0u; n < TILE_IMAGES; n++) { partial[n] += weights * subgroupBroadcast(held[n], 5u); }
      weights = vec4f(weight[weightIndex + 6u * workgroupSize]);
      for (var n = 0u; n < TILE_IMAGES; n++) { partial[n] += weights * subgroupBroadcast(held[n], 6u); }
      weights = vec4f(weight[weightIndex + 7u * workgroupSize]);
      for (var n = 0u; n < TILE_IMAGES; n++) { partial[n] += weights * subgroupBroadcast(held[n], 7u); }
      weightIndex += 8u * workgroupSize;
    }
    for (var n = 0u; n < TILE_IMAGES; n++) { sums[n] += partial[n]; }
  }
  for (var i = eights; i < layer.inFeatures; i++) {
    let weights = vec4f(weight[weightIndex]);
    for (var n = 0u; n < TILE_IMAGES; n++) {
      sums[n] += weights * f32(input[inStart[n] + i]);
    }
    weightIndex += workgroupSize;
  }

  let firstFeature = tile * tileFeatures + 4u * lane;
  let biases = vec4f(bias[tile * workgroupSize + lane]);
  for (var n = 0u; n < TILE_IMAGES; n++) {
    var values = sums[n] + biases;
    if (relu) {
      values = select(values, vec4f(0), values < vec4f(0));
    }
    let outIndex = layer.outOffset + (firstImage + n) * layer.outStride + firstFeature;
    for (var f = 0u; f < 4u; f++) {
      if (firstFeature + f < layer.outFeatures && firstImage + n < layer.images) {
        output[outIndex + f] = Element(values[f]);
      }
    }
  }
}
