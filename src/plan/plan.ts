/** How a graph is computed: a flat list of steps over memory slots. Plain data, with no GPU object in it. */

import type { ValueId } from "../graph/graph.ts";
import type { Shape } from "../graph/tensor.ts";
import type { Range } from "./arena.ts";
import type { Decision } from "./choices.ts";
import { elementBytes, type Precision } from "./precision.ts";

/** Where a value lies: `shape` elements in C order, but each image `stride` elements after the one before it. */
export interface View {
  readonly shape: Shape;
  /** Index into `Plan.slots`; while planning, into the memories that are yet to be given slots. */
  readonly slot: number;
  /** Elements of the slot before the first image. */
  readonly offset: number;
  /** Elements from an image to the next: more than an image has where the value is a slice of a wider one. */
  readonly stride: number;
  /** The parameter that it is, where it is a constant: none of the slots then. */
  readonly parameter?: PackedParameter;
}

/** A value that some step leaves in memory. */
export interface PlannedValue extends View {
  /** The step after which the value is whole, −1 for an input; its memory may later serve another value. */
  readonly readyAfter: number;
}

/** The outputs' extent of a Winograd tile: F(2×2, 3×3) or F(4×4, 3×3). */
export type WinogradSize = 2 | 4;

/** Trained tensors, all in one: the output channels of the first, then those of the others. */
export interface PackedTensors {
  readonly name: string;
  readonly joined?: readonly string[];
}

/** A buffer of weights or biases in the layout that a kernel wants; `packParameter` makes it. */
export type PackedParameter = ParameterLayout & {
  /** What its values are stored as, but for indices: float32 unless given. */
  readonly precision?: Precision;
};

/** How the values of a packed parameter lie. */
export type ParameterLayout =
  /** As Caffe stores it. */
  | (PackedTensors & { readonly layout: "plain"; readonly elements: number })
  /** So many elements of it from one on. */
  | { readonly layout: "part"; readonly name: string; readonly first: number; readonly elements: number }
  /** Zeros, for a layer without bias. */
  | { readonly layout: "zeros"; readonly elements: number }
  /** Indices, each a u32. */
  | { readonly layout: "indices"; readonly indices: readonly number[]; readonly elements: number }
  /** Convolution weights as [group][tile][inChannel][ky][kx][tileChannels]; the last tile is filled with zeros. */
  | (PackedTensors & {
      readonly layout: "conv_tiles";
      readonly elements: number;
      readonly groups: number;
      readonly tileChannels: number;
    })
  /**
   * 3×3 weights of some output channels transformed for Winograd's F(size×size, 3×3), as
   * [frequency][tile][inChannel][tileChannels].
   */
  | {
      readonly layout: "winograd_tiles";
      readonly name: string;
      readonly elements: number;
      readonly size: WinogradSize;
      readonly tileChannels: number;
      readonly firstChannel: number;
      readonly outChannels: number;
    }
  /** Biases as [group][tile][tileChannels]; the last tile is filled with zeros. */
  | (PackedTensors & {
      readonly layout: "bias_tiles";
      readonly elements: number;
      readonly groups: number;
      readonly tileChannels: number;
    });

/** What is bound to a kernel's binding of the same position. */
export type Binding =
  | { readonly kind: "slot"; readonly slot: number }
  | { readonly kind: "parameter"; readonly parameter: number }
  /** The step's value beside the arena, in float32: of steps that convert. */
  | { readonly kind: "outside" }
  /** Some bytes that nobody uses: a kernel's binding takes a buffer even where it is left alone. */
  | { readonly kind: "unused" };

/** A number of workgroups along each axis. */
export type Vec3 = readonly [x: number, y: number, z: number];

/** One dispatch. */
export interface Step {
  /** The layers that it computes, joined by " + " where it fuses several. */
  readonly name: string;
  /** kernels/NAME.wgsl */
  readonly kernel: string;
  /** Values of the kernel's `override` constants: steps that agree in them and in `tiles` share a pipeline. */
  readonly constants: Readonly<Record<string, number>>;
  /** Values of the fields of the kernel's uniform struct `Layer`. */
  readonly layer: Readonly<Record<string, number>>;
  /** Values of the module-scope constants that size its register tiles. */
  readonly tiles: Readonly<Record<string, number>>;
  /** What its types of elements are, by their aliases: float32 where nothing is said. */
  readonly elements?: Readonly<Record<string, Precision>>;
  readonly bindings: readonly Binding[];
  readonly workgroups: Vec3;
  /** The value that the step writes, or has a part in; several where convolutions of one input are one step. */
  readonly outputs: readonly ValueId[];
  /** Multiply-accumulates. */
  readonly macs: number;
  /** The bytes that its inputs, parameters and output hold, scratch memory too: the least it has to move. */
  readonly bytes: number;
}

/** A graph compiled for one batch size and one set of limits. */
export interface Plan {
  readonly graph: string;
  readonly batch: number;
  /** What activations and weights are stored as. */
  readonly precision: Precision;
  readonly inputs: readonly ValueId[];
  readonly outputs: readonly ValueId[];
  /** Every value that some step leaves in memory, and where; values that fusion removed are not here. */
  readonly values: Readonly<Record<ValueId, PlannedValue>>;
  /** Bytes of the one buffer that holds all activations: the planned peak. */
  readonly arenaBytes: number;
  /** The ranges of it that values and scratch memory take; those that are never needed at once may overlap. */
  readonly slots: readonly Range[];
  readonly parameters: readonly PackedParameter[];
  readonly steps: readonly Step[];
  /** Which algorithm computes each layer, in the order of the steps. */
  readonly decisions: readonly Decision[];
  /** How far its values may lie from the exact ones, in parts of their largest magnitude. */
  readonly tolerance: number;
  /** What every layer's output would take if each had memory of its own. */
  readonly unplannedBytes: number;
  readonly macs: number;
  /** Trained values that the graph has, before packing. */
  readonly parameterCount: number;
}

/** What plain sums in float32 keep over all of GoogLeNet's layers, in parts of a value's largest magnitude. */
export const plainTolerance = 1e-5;

/** Of float32, as arrays outside of the device are. */
export const bytesPerElement = elementBytes.f32;

/** The memory that a packed parameter takes. */
export function parameterBytes({ elements, precision = "f32" }: PackedParameter): number {
  return elements * elementBytes[precision];
}

/** The memory that the packed parameters take. */
export function weightBytes(plan: Plan): number {
  return plan.parameters.reduce((sum, parameter) => sum + parameterBytes(parameter), 0);
}
