/**
 * The micro-kernels that a device's ceilings are measured with. They compute nothing that a network needs, so they are
 * no kernels of the planner's, and their inner loops are written out by repetition, which kernels/ does without.
 */

/** Threads of a workgroup of either probe. */
export const probeWorkgroupSize = 64;

/** Steps of `accumulator · factor + 1` that are written out in the arithmetic probe's loop. */
export const unrolledSteps = 16;

/** Independent sums of each thread: enough to hide an addition's latency, few enough for 16 registers. */
export const accumulators = 12;

/** Ways to write a multiply-add; drivers differ in which of them becomes one instruction. */
export const multiplyAdds = {
  "mul + add": (sum: string) => `${sum} * factor + one`,
  fma: (sum: string) => `fma(${sum}, factor, one)`,
} as const;

/**
 * Multiply-adds in registers alone. Thread t starts every sum at t mod 1024 and leaves `iterations · unrolledSteps`
 * more than that in each of them, exactly, as long as it is below 2²⁴: which shows that none was left out. `factor`
 * and `one` come from memory, so that no compiler knows that they are 1.
 */
export function arithmeticProbe(multiplyAdd: (sum: string) => string): string {
  const names = Array.from({ length: accumulators }, (_, index) => `sum${index}`);
  const step = names.map((sum) => `    ${sum} = ${multiplyAdd(sum)};`).join("\n");
  return `
struct Settings { iterations: u32, factor: f32, one: f32 }
@group(0) @binding(0) var<storage, read_write> result: array<f32>;
@group(0) @binding(1) var<uniform> settings: Settings;

@compute @workgroup_size(${probeWorkgroupSize})
fn main(@builtin(global_invocation_id) id: vec3u) {
  let factor = settings.factor;
  let one = settings.one;
  let start = f32(id.x % 1024u);
${names.map((sum, index) => `  var ${sum} = start + ${index}.0 * (factor - one);`).join("\n")}
  for (var iteration = 0u; iteration < settings.iterations; iteration++) {
${Array.from({ length: unrolledSteps }, () => step).join("\n")}
  }
  // The least and the largest of the sums are equal unless one went wrong; their mean is then each of them.
  result[id.x] = 0.5 * (${names.reduce((all, sum) => `min(${all}, ${sum})`)}
    + ${names.reduce((all, sum) => `max(${all}, ${sum})`)});
}
`;
}

/** Types of the elements that the copying probe moves, and their bytes; drivers differ in which is faster. */
export const copiedTypes = { u32: 4, vec4u: 16 } as const;
export type CopiedType = keyof typeof copiedTypes;

/** Elements that each thread of the copying probe moves, so that starting threads is not what is measured. */
export const copiedPerThread = 16;

/** A copy that adds 1: after n copies to and fro every element is n, which shows that all were made. */
export function copyProbe(type: CopiedType): string {
  return `
@group(0) @binding(0) var<storage, read_write> source: array<${type}>;
@group(0) @binding(1) var<storage, read_write> destination: array<${type}>;

@compute @workgroup_size(${probeWorkgroupSize})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let first = group.x * ${copiedPerThread * probeWorkgroupSize}u + lane;
  for (var turn = 0u; turn < ${copiedPerThread}u; turn++) {
    let index = first + turn * ${probeWorkgroupSize}u;
    destination[index] = source[index] + ${type}(1u);
  }
}
`;
}
