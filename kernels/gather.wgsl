// Indices along one axis picked by a list, in its order.
//
// input    (blocks, extent, inner), the blocks of an image blockStride apart from inOffset + n · inStride, an index
//          indexStride behind the one before it, inner elements contiguous
// indices  (count)
// output   (blocks, count, inner); each image, of so many elements, contiguous from outOffset + n · outStride
//
// One thread copies one element, threads numbered as the output lies in memory.
// Arithmetic intensity: none; a load and a store an element, and the index.
// (ONNX's Gather by constant indices.)

alias Element = f32;

override workgroupSize: u32 = 64u;

struct Layer {
  threadCount: u32,
  count: u32,
  inner: u32,
  imageBlocks: u32, // blocks of one image of the input
  blockStride: u32,
  indexStride: u32,
  elements: u32, // of one image of the output
  inOffset: u32,
  inStride: u32,
  outOffset: u32,
  outStride: u32,
}

@group(0) @binding(0) var<storage, read_write> input: array<Element>;
@group(0) @binding(1) var<storage, read> indices: array<u32>;
@group(0) @binding(2) var<storage, read_write> output: array<Element>;
@group(0) @binding(3) var<uniform> layer: Layer;

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
  let element = thread % layer.inner;
  let index = indices[(thread / layer.inner) % layer.count];
  let block = thread / (layer.inner * layer.count);
  let inIndex = layer.inOffset + (block / layer.imageBlocks) * layer.inStride
    + (block % layer.imageBlocks) * layer.blockStride + index * layer.indexStride + element;
  output[layer.outOffset + (thread / layer.elements) * layer.outStride + thread % layer.elements] = input[inIndex];
}
