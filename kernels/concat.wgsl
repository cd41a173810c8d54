// One input of a concatenation copied to its place in the output, for where its layer could not write there itself.
//
// input   (images, blocks, run): `run` neighbouring elements at a time, from inOffset + n · inStride
// output  (images, blocks, outRun), the run starting at outOffset within its block
//
// One thread copies one element, threads numbered as the input lies in memory.

alias Element = f32;

override workgroupSize: u32 = 64u;
override threadCount: u32;
override blocks: u32; // of one image
override run: u32;
override outRun: u32;
override inOffset: u32;
override inStride: u32;
override outOffset: u32;
override outStride: u32;

@group(0) @binding(0) var<storage, read> input: array<Element>;
@group(0) @binding(1) var<storage, read_write> output: array<Element>;

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
  let element = thread % run;
  let block = (thread / run) % blocks;
  let image = thread / (run * blocks);
  let value = input[inOffset + image * inStride + block * run + element];
  output[outOffset + image * outStride + block * outRun + element] = value;
}
