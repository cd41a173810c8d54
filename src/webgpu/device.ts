/** Opens a device with what the engine can use of its adapter. */

import { EngineError } from "../errors.ts";
import { type PlanLimits, planLimitNames } from "../plan/limits.ts";
import { describe } from "./batches.ts";
import { gpuError } from "./errors.ts";

/** Features that the engine uses where the adapter has them. */
const wantedFeatures: readonly GPUFeatureName[] = ["timestamp-query", "subgroups", "shader-f16"];

/**
 * A device with the adapter's own limits on buffers and workgroups, rather than WebGPU's defaults, which are too
 * small for large batches. Rejects with EngineError "adapter" where the adapter gives none.
 *
 * @param given - unless given, the fastest that the page, worker or Deno has (`navigator.gpu`); in Node.js, `openGpu`
 * of googlenet-wgsl/node opens one
 */
export async function openDevice(given?: GPUAdapter): Promise<GPUDevice> {
  const adapter = given ?? (await requestAdapter());
  if (typeof (Object(adapter) as Partial<GPUAdapter>).requestDevice !== "function") {
    throw new EngineError(
      "usage",
      "WebGPU adapter",
      `it is ${describe(adapter)}`,
      "give a GPUAdapter, or leave it out",
    );
  }
  try {
    return await adapter.requestDevice({
      requiredLimits: Object.fromEntries(planLimitNames.map((name) => [name, adapter.limits[name]])),
      requiredFeatures: wantedFeatures.filter((feature) => adapter.features.has(feature)),
    });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new EngineError("adapter", adapterName(adapter), `it gives no device (${message})`, "try another adapter", {
      cause: gpuError("device", message),
    });
  }
}

async function requestAdapter(): Promise<GPUAdapter> {
  const { gpu } = (globalThis as { navigator?: { gpu?: GPU } }).navigator ?? {};
  if (!gpu) {
    const remedy = "use a browser that has it, from https or localhost, or in Node.js openGpu of googlenet-wgsl/node";
    throw new EngineError("adapter", "WebGPU", "it is not there", remedy);
  }
  const adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
  if (!adapter) {
    throw new EngineError("adapter", "WebGPU adapter", "there is none", "update the graphics driver or the browser");
  }
  return adapter;
}

/** What a plan has to keep to, and may use, on this device. */
export function limitsOf({ limits, features, adapterInfo }: GPUDevice): PlanLimits {
  return planLimits(limits, features, adapterInfo);
}

/** What a plan would have to keep to on a device that `openDevice` opens. */
export function limitsOfAdapter({ limits, features, info }: GPUAdapter): PlanLimits {
  return planLimits(limits, features, info);
}

function planLimits(limits: GPUSupportedLimits, features: GPUSupportedFeatures, info: GPUAdapterInfo): PlanLimits {
  const numbers = Object.fromEntries(planLimitNames.map((name) => [name, limits[name]])) as unknown as PlanLimits;
  const { subgroupMinSize: min, subgroupMaxSize: max } = info;
  const subgroup = features.has("subgroups") && min !== undefined && max !== undefined ? { min, max } : undefined;
  return { ...numbers, ...(subgroup && { subgroup }), ...(features.has("shader-f16") && { float16: true }) };
}

/** What people call an adapter. */
export function adapterName({ info }: GPUAdapter): string {
  return info.description || [info.vendor, info.architecture, info.device].filter(Boolean).join(" ") || "GPU adapter";
}
