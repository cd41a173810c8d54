/** What a kernel is to the planner: a WGSL file, the problems it accepts, and how it is launched on one. */

import { EngineError } from "../errors.ts";
import type { Op, PoolMax } from "../graph/ops.ts";
import { elementsPerImage } from "../graph/tensor.ts";
import type { PlanLimits } from "./limits.ts";
import type { PackedParameter, Vec3, View } from "./plan.ts";
import type { Precision } from "./precision.ts";

/** One op on inputs and an output whose places are known. */
export interface Problem<O extends Op = Op> {
  /** The layer, as parameters and errors name it. */
  readonly layer: string;
  readonly op: O;
  readonly inputs: readonly View[];
  readonly output: View;
  /**
   * Where a convolution's output channels after those of `output` go, where it stands for several of one input.
   */
  readonly rest?: View;
  /** The layers whose outputs `rest` holds, in their order: their parameters follow those of `layer`. */
  readonly restLayers?: readonly string[];
  /** A max pooling before a convolution, of stride 1 and to the same height and width: the input is what it pools. */
  readonly pool?: PoolMax;
  /** Whether a ReLU is fused behind it. */
  readonly relu: boolean;
  /** What activations and weights are stored as. */
  readonly precision: Precision;
  readonly limits: PlanLimits;
  /** Bytes of scratch memory that an algorithm may use at no cost to the plan's peak; it keeps near them if it can. */
  readonly scratchBudget: number;
}

/**
 * What is bound: an input of the problem, its output, packed parameters, memory of the algorithm's own, or nothing that
 * the dispatch will touch.
 */
export type LaunchBinding =
  | { readonly kind: "input"; readonly input: number }
  | { readonly kind: "scratch"; readonly scratch: number }
  | { readonly kind: "output" }
  | { readonly kind: "rest" }
  | { readonly kind: "unused" }
  | { readonly kind: "parameter"; readonly parameter: PackedParameter };

/** One dispatch of a kernel. */
export interface Launch {
  readonly kernel: Kernel;
  /** Exactly the kernel's `constants`, `layer` fields and `tiles`, by name. */
  readonly values: Readonly<Record<string, number>>;
  readonly bindings: readonly LaunchBinding[];
  readonly workgroups: Vec3;
  /** Types of the kernel's elements that are not as the plan's precision has them. */
  readonly elements?: Readonly<Record<string, Precision>>;
  /** The layer's multiply-accumulates that it answers for: an equal part of them unless given. */
  readonly macs?: number;
  /**
   * The least bytes that it has to move: what the layer's inputs, parameters and output that it binds hold, unless
   * given. An algorithm that takes several dispatches says how much of them each one touches, and of its scratch memory.
   */
  readonly bytes?: number;
}

/** A kernel's declaration, held against its WGSL file by a test. */
export interface Kernel {
  /** kernels/NAME.wgsl */
  readonly name: string;
  /** The file's bindings in their order. */
  readonly bindings: readonly { readonly name: string; readonly access: "read" | "read_write" }[];
  /** The file's `override` constants: what shapes the code, and asks for a pipeline of its own. */
  readonly constants: readonly string[];
  /** The fields of the file's uniform struct `Layer`, in its order: what differs from layer to layer. */
  readonly layer: readonly string[];
  /** Those of them that are f32; the others are u32. */
  readonly floats?: readonly string[];
  /** The file's module-scope constants that the loader may replace. */
  readonly tiles: readonly string[];
  /** The aliases of its types of elements, which the loader may replace: `Element` alone unless given. */
  readonly elements?: readonly string[];
}

/** What a problem may have beside its op, and few algorithms can. */
export const fusedParts = ["rest", "pool"] as const;

/** A way to compute an op: one dispatch of one kernel, or several that pass memory on. */
export interface Algorithm<O extends Op = Op> {
  readonly name: string;
  readonly op: O["type"];
  readonly kernels: readonly Kernel[];
  /** What else of a problem it computes: it is given none with more. */
  readonly fuses?: readonly (typeof fusedParts)[number][];
  accepts(problem: Problem<O>): boolean;
  /** How much it is preferred to other algorithms that accept the problem: 0 unless given. */
  preference?(problem: Problem<O>): number;
  /**
   * How far its results may lie from the exact ones, in parts of their largest magnitude, where it rounds more than
   * plain sums in float32 do.
   */
  readonly tolerance?: number;
  /** Bytes of each buffer, within the limits, that its dispatches need beside the problem's own; none unless given. */
  scratch?(problem: Problem<O>): readonly number[];
  /**
   * The dispatches that compute the problem, in order. Many an algorithm needs one; a concat takes one for each input
   * that is not in place.
   */
  launch(problem: Problem<O>): readonly Launch[];
}

/** What a launch's types of elements are in a plan of this precision. */
export function elementsOf({ kernel, elements }: Pick<Launch, "kernel" | "elements">, precision: Precision) {
  const aliases = kernel.elements ?? ["Element"];
  return Object.fromEntries(aliases.map((alias): [string, Precision] => [alias, elements?.[alias] ?? precision]));
}

/** A parameter as a launch wants it: of the type of the kernel's elements. Indices are what they are. */
export function parameterFor(parameter: PackedParameter, { Element = "f32" }: Readonly<Record<string, Precision>>) {
  return Element === "f32" || parameter.layout === "indices" ? parameter : { ...parameter, precision: Element };
}

/** A kernel that computes an op by itself: its declaration and the algorithm of the same name. */
export type KernelAlgorithm<O extends Op = Op> = Kernel & Algorithm<O>;

/** Declares a kernel together with the algorithm whose every dispatch is of that kernel. */
export function oneKernel<O extends Op>(
  declaration: Kernel &
    Pick<Algorithm<O>, "op" | "accepts" | "preference"> & {
      launch(problem: Problem<O>): readonly Omit<Launch, "kernel">[];
    },
): KernelAlgorithm<O> {
  return {
    ...declaration,
    kernels: [declaration],
    launch: (problem) => declaration.launch(problem).map((launch) => ({ kernel: declaration, ...launch })),
  };
}

/** Elements of one image. */
export function imageElements(view: View): number {
  return elementsPerImage(view.shape);
}

/** Threads of a workgroup where the device has no reason to want another number. */
export function workgroupSizeFor(limits: PlanLimits, wanted = 64): number {
  let size = wanted;
  while (size > limits.maxComputeWorkgroupSizeX || size > limits.maxComputeInvocationsPerWorkgroup) size /= 2;
  return size;
}

/**
 * A grid of at least `count` workgroups that no dimension's limit forbids. Kernels number workgroups in order,
 * x first, and leave the surplus idle.
 */
export function workgroupGrid(layer: string, count: number, limits: PlanLimits): Vec3 {
  const most = limits.maxComputeWorkgroupsPerDimension;
  if (count <= most) return [count, 1, 1];
  const rows = Math.ceil(count / most);
  if (rows <= most) return [Math.ceil(count / rows), rows, 1];
  const layers = Math.ceil(rows / most);
  if (layers > most || count > 2 ** 32) {
    throw new EngineError("out-of-memory", layer, `it needs ${count} workgroups`, "use a smaller batch or input");
  }
  return [most, Math.ceil(rows / layers), layers];
}

/** The launch values and grid of a kernel that gives every thread one tile of the output. */
export function threadPerTile(
  layer: string,
  threadCount: number,
  limits: PlanLimits,
): { values: { workgroupSize: number; threadCount: number }; workgroups: Vec3 } {
  if (threadCount >= 2 ** 32) {
    throw new EngineError("out-of-memory", layer, `it needs ${threadCount} threads`, "use a smaller batch or input");
  }
  const workgroupSize = workgroupSizeFor(limits);
  return {
    values: { workgroupSize, threadCount },
    workgroups: workgroupGrid(layer, Math.ceil(threadCount / workgroupSize), limits),
  };
}

/** The offsets and strides that every kernel takes for one input and its output. */
export function placement(input: View, output: View) {
  return { inOffset: input.offset, inStride: input.stride, outOffset: output.offset, outStride: output.stride };
}

/** Names of `placement`'s fields. */
export const placementFields = ["inOffset", "inStride", "outOffset", "outStride"] as const;

/**
 * Bindings of a kernel without parameters. Activations lie in one buffer, of which WebGPU lets a dispatch bind several
 * ranges only if all are writable.
 */
export const inputAndOutput = [
  { name: "input", access: "read_write" },
  { name: "output", access: "read_write" },
] as const;

/** Bindings of a kernel with weights and biases. */
export const inputWeightBiasOutput = [
  { name: "input", access: "read_write" },
  { name: "weight", access: "read" },
  { name: "bias", access: "read" },
  { name: "output", access: "read_write" },
] as const;

/** The same of a kernel that may write to two places. */
export const inputWeightBiasRestOutput = [
  { name: "input", access: "read_write" },
  { name: "weight", access: "read" },
  { name: "bias", access: "read" },
  { name: "rest", access: "read_write" },
  { name: "output", access: "read_write" },
] as const;

/** The tile size among `sizes` (largest first) that covers `extent` with the least waste. */
export function bestTile(extent: number, sizes: readonly number[]): number {
  const covered = (size: number) => Math.ceil(extent / size) * size;
  return sizes.reduce((best, size) => (covered(size) < covered(best) ? size : best));
}
