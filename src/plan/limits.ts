/** The limits of a device that a plan has to keep to, and what it offers beyond them. */

import { EngineError } from "../errors.ts";

/** A product that a subgroup computes as one: matrices of rows × depth and depth × columns, and what they hold. */
export interface SubgroupMatrix {
  readonly component: string;
  /** What its sums are. */
  readonly result: string;
  readonly rows: number;
  readonly columns: number;
  readonly depth: number;
}

/** What a plan has to keep to, and may use. */
export interface PlanLimits {
  readonly maxBufferSize: number;
  readonly maxStorageBufferBindingSize: number;
  readonly maxComputeWorkgroupsPerDimension: number;
  readonly maxComputeWorkgroupSizeX: number;
  readonly maxComputeInvocationsPerWorkgroup: number;
  readonly maxComputeWorkgroupStorageSize: number;
  readonly maxStorageBuffersPerShaderStage: number;
  /** Lanes of its smallest and largest subgroup, where the device has the feature "subgroups". */
  readonly subgroup?: { readonly min: number; readonly max: number };
  /** Whether shaders may use float16: the feature "shader-f16". */
  readonly float16?: boolean;
  /** Where the device has Dawn's experimental feature "chromium-experimental-subgroup-matrix". */
  readonly subgroupMatrices?: readonly SubgroupMatrix[];
}

/** What every WebGPU implementation offers. */
export const defaultLimits: PlanLimits = {
  maxBufferSize: 268_435_456,
  maxStorageBufferBindingSize: 134_217_728,
  maxComputeWorkgroupsPerDimension: 65_535,
  maxComputeWorkgroupSizeX: 256,
  maxComputeInvocationsPerWorkgroup: 256,
  maxComputeWorkgroupStorageSize: 16_384,
  maxStorageBuffersPerShaderStage: 8,
};

/** Names of the limits, to copy them from a device or to ask an adapter for them. */
export const planLimitNames = Object.keys(defaultLimits) as readonly Exclude<
  keyof PlanLimits,
  "subgroup" | "float16" | "subgroupMatrices"
>[];

/** Bytes of the largest buffer that a kernel can be given whole. */
export function largestBuffer({ maxBufferSize, maxStorageBufferBindingSize }: PlanLimits): number {
  return Math.min(maxBufferSize, maxStorageBufferBindingSize);
}

/** Throws EngineError "out-of-memory" where no kernel can be given a buffer of so many bytes. */
export function checkBufferSize(subject: string, verb: string, bytes: number, limits: PlanLimits): void {
  const most = largestBuffer(limits);
  if (bytes > most) throw tooLarge(subject, verb, bytes, most);
}

export function tooLarge(subject: string, verb: string, bytes: number, most: number): EngineError {
  return new EngineError(
    "out-of-memory",
    subject,
    `${verb} ${bytes} bytes, and the device binds at most ${most}`,
    "use a smaller batch or input, or another adapter",
  );
}
