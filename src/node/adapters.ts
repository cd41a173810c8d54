/** Which adapters Dawn can reach, and what stands in the way where there is none. */

import { existsSync, readdirSync } from "node:fs";
import { adapterName, openDevice } from "../webgpu/device.ts";
import { type ReachableAdapter, reachableAdapters, startDawn } from "./dawn.ts";

export interface FoundAdapter {
  /** What people call it, and results too; `adapter` in DawnOptions finds it by a part of this or of Dawn's name. */
  readonly name: string;
  readonly dawnName: string;
  /** `vulkan`, `metal`, `d3d12` … */
  readonly backend: string;
  /** How it is chosen where nobody names it: by Dawn itself (`default`) or for a power preference. */
  readonly chosenFor: readonly ("default" | GPUPowerPreference)[];
  readonly vendor: string;
  readonly architecture: string;
  /** Lanes of a subgroup, least and most; null where the adapter doesn't say. */
  readonly subgroupSizes: readonly [number, number] | null;
  /** Whether it computes on the processor. */
  readonly software: boolean;
  readonly features: readonly string[];
  readonly limits: Readonly<Record<string, number>>;
  /** What the engine could use and the adapter lacks. */
  readonly missing: readonly string[];
}

const WANTED: Readonly<Record<string, string>> = {
  "timestamp-query": "timestamp-query (without it, `profile` can't time steps)",
  "shader-f16": "shader-f16 (half precision)",
  subgroups: "subgroups",
};

/** All adapters of all backends. Dawn may print warnings of its own. */
export async function findAdapters(): Promise<FoundAdapter[]> {
  const chosen = await chosenNames();
  const found: FoundAdapter[] = [];
  for (const reachable of await reachableAdapters()) found.push(await describe(reachable, chosen));
  return found;
}

type ChosenFor = FoundAdapter["chosenFor"][number];

/** Whom Dawn chooses where nobody names an adapter. */
async function chosenNames(): Promise<Map<ChosenFor, string>> {
  const gpu = startDawn();
  const names = new Map<ChosenFor, string>();
  for (const preference of ["default", "high-performance", "low-power"] as const) {
    const options = preference === "default" ? {} : { powerPreference: preference };
    const adapter = await gpu.requestAdapter(options).catch(() => null);
    if (adapter) names.set(preference, adapterName(adapter));
  }
  return names;
}

async function describe(
  { adapter, name, dawnName, backend }: ReachableAdapter,
  chosen: ReadonlyMap<ChosenFor, string>,
): Promise<FoundAdapter> {
  const { info, limits } = adapter;
  const features = [...adapter.features].sort();
  const missing = Object.keys(WANTED).flatMap((feature) => (features.includes(feature) ? [] : [WANTED[feature]]));
  const description = {
    name,
    dawnName,
    backend,
    chosenFor: [...chosen].filter(([, other]) => other === name).map(([preference]) => preference),
    vendor: info.vendor,
    architecture: info.architecture,
    subgroupSizes: subgroupSizes(info),
    software: info.isFallbackAdapter ?? false,
    features,
    limits: limitValues(limits),
  };
  try {
    (await openDevice(adapter)).destroy();
  } catch (error) {
    missing.unshift(error instanceof Error ? error.message : String(error));
  }
  return { ...description, missing };
}

function subgroupSizes({ subgroupMinSize = 0, subgroupMaxSize = 0 }: GPUAdapterInfo): readonly [number, number] | null {
  return subgroupMaxSize > 0 ? [subgroupMinSize, subgroupMaxSize] : null;
}

/** Limits are properties of their prototype, so that a plain copy is empty. */
function limitValues(limits: GPUSupportedLimits): Record<string, number> {
  const names = Object.getOwnPropertyNames(Object.getPrototypeOf(limits) as object);
  const values = limits as unknown as Record<string, unknown>;
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = values[name];
      return typeof value === "number" ? [[name, value] as const] : [];
    }),
  );
}

const DRIVER_FOLDERS = ["/usr/share/vulkan/icd.d", "/usr/local/share/vulkan/icd.d", "/etc/vulkan/icd.d"];
const DRIVER_VARIABLES = ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"];

/** What stands in the way of an adapter on this machine, a sentence each. */
export function missingForAdapter(): string[] {
  if (process.platform !== "linux") return ["Dawn finds no GPU: update the graphics driver"];
  const hiding = DRIVER_VARIABLES.filter((name) => process.env[name] !== undefined);
  if (hiding.length > 0) {
    return hiding.map((name) => `${name}=${process.env[name]} hides the installed Vulkan drivers: unset it`);
  }
  const found: string[] = [];
  const drivers = DRIVER_FOLDERS.flatMap((folder) => (existsSync(folder) ? readdirSync(folder) : []));
  if (drivers.length === 0) {
    found.push(
      "no Vulkan driver is installed: install the GPU maker's, or Mesa's (mesa-vulkan-drivers 23.2 or newer; on Debian 12 from bookworm-backports), which computes on the processor where there is no GPU",
    );
  } else {
    found.push(
      `Vulkan drivers are installed (${drivers.join(", ")}), but Dawn accepts none: Mesa must be 23.2 or newer`,
    );
  }
  if (existsSync("/dev/nvidiactl") && !drivers.some((file) => file.includes("nvidia"))) {
    found.push("there is an NVIDIA device but not its Vulkan driver: give the container the capability `graphics`");
  }
  return found;
}
