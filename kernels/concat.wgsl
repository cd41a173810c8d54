// One input of a concatenation copied to its place in the output, for where its layer could not write there itself.
//
// input   (images, blocks, run): `run` neighbouring elements at a time, from inOffset + n · inStride
// output  (images, blocks, outRun), the run starting at outOffset within its block
//
// One thread copies one element, threads numbered as the input lies in memory.
// Arithmetic intensity: none; a load and a store an element.
// (Caffe's and ONNX's Concat.)

alias Element = f32;

override workgroupSize: u32 = 64u;

struct Layer {
  threadCount: u32,
  blocks: u32, // of one image
  run: u32,
  outRun: u32,
  inOffset: u32,
  inStride: u32,
  outOffset: u32,
  outStride: u32,
}

@group(0) @binding(0) var<storage, read_write> input: array<Element>;
@group(0) @binding(1) var<storage, read_write> output: array<Element>;
@group(0) @binding(2) var<uniform> layer: Layer;

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
  let element = thread % layer.run;
  let block = (thread / layer.run) % layer.blocks;
  let image = thread / (layer.run * layer.blocks);
  let value = input[layer.inOffset + image * layer.inStride + block * layer.run + element];
  output[layer.outOffset + image * layer.outStride + block * layer.outRun + element] = value;
}
