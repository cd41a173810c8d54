/** The edge to Dawn's Node.js bindings: opens adapters and names them. */

import { create } from "webgpu";
import { EngineError } from "../errors.ts";
import { adapterName, openDevice } from "../webgpu/device.ts";
import { pollingDevices } from "../webgpu/patience.ts";

/** How Dawn is started. */
export interface DawnOptions {
  /** Part of the adapter's name, as people or as Dawn call it, in any case; Dawn's own choice unless given. */
  readonly adapter?: string;
  /** `vulkan`, `metal`, `d3d12` …; Dawn's own choice unless given. */
  readonly backend?: string;
  /** Switches Dawn's validation and bounds checks off: faster, and silent about mistakes. */
  readonly unsafe?: boolean;
  /** Lets devices have what Dawn is still trying out and plans in float16 can use: matrix units. */
  readonly experiments?: boolean;
  /** Timestamps to the nanosecond, for measuring; otherwise Dawn coarsens them, as pages must not time others. */
  readonly exactTimestamps?: boolean;
  /**
   * Whether sessions on the device slow the event loop to a turn a millisecond while they wait for a long run, since
   * Dawn would poll in every turn and burn a core. `true` unless given; `false` where others need quick turns.
   */
  readonly slowsEventLoop?: boolean;
}

/** Dawn's toggles. */
const unsafeToggles = ["allow_unsafe_apis", "skip_validation", "disable_robustness"];
const experimentToggles = ["allow_unsafe_apis", "use_vulkan_memory_model"];

/** A started Dawn. It must stay in scope while anything made through it is used. */
export function startDawn({
  adapter,
  backend,
  unsafe = false,
  experiments = false,
  exactTimestamps = false,
}: DawnOptions = {}): GPU {
  const flags: string[] = [];
  if (adapter !== undefined) flags.push(`adapter=${adapter}`);
  if (backend !== undefined) flags.push(`backend=${backend}`);
  const toggles = new Set([...(unsafe ? unsafeToggles : []), ...(experiments ? experimentToggles : [])]);
  if (toggles.size > 0) flags.push(`enable-dawn-features=${[...toggles].join(",")}`);
  if (exactTimestamps) flags.push("disable-dawn-features=timestamp_quantization");
  return create(flags);
}

/**
 * Dawn's native side crashes where the GPU object is collected while a device made through it still works, and no
 * device keeps it: so adapters and devices that are opened here do.
 */
const keptAlive = new WeakMap<object, GPU>();

/** An adapter, a device of it, and what people call it. Whoever opened the device destroys it. */
export interface OpenGpu {
  readonly adapter: GPUAdapter;
  readonly device: GPUDevice;
  readonly name: string;
}

/** Starts Dawn and opens a device. Rejects with EngineError "adapter" where there is none. */
export async function openGpu(options: DawnOptions = {}): Promise<OpenGpu> {
  const adapter = await openAdapter(options);
  const device = await openDevice(adapter);
  if (options.slowsEventLoop !== false) pollingDevices.add(device);
  keptAlive.set(device, keptAlive.get(adapter)!);
  return { adapter, device, name: adapterName(adapter) };
}

/**
 * Starts Dawn and asks for an adapter. Dawn itself finds one by its own name alone, as that is written; by the name
 * that results bear, and in any case, it is found among those there are.
 *
 * Rejects with EngineError "adapter" where there is none.
 */
export async function openAdapter(options: DawnOptions = {}): Promise<GPUAdapter> {
  const { adapter: text, backend } = options;
  try {
    return await requestAdapter(options);
  } catch (cause) {
    if (text === undefined) throw noAdapter("there is none", INSTALL, cause);
    const there = (await reachableAdapters()).filter((each) => backend === undefined || each.backend === backend);
    const wanted = there.find((each) => isNamedLike(each, text));
    if (wanted) return await requestAdapter({ ...options, backend: wanted.backend, adapter: wanted.dawnName });
    const names = [...new Set(there.map(({ name }) => name))];
    const remedy = names.length === 0 ? `there is none at all: ${INSTALL}` : `give a part of ${names.join(" or ")}`;
    throw noAdapter(`none is named like "${text}"`, remedy, cause);
  }
}

const INSTALL = "install a Vulkan driver, or use --backend cpu";

function noAdapter(problem: string, remedy: string, cause: unknown): EngineError {
  return new EngineError("adapter", "WebGPU adapter", problem, remedy, { cause });
}

/** Asks Dawn as it is. Rejects with Dawn's own error where there is none. */
async function requestAdapter(options: DawnOptions): Promise<GPUAdapter> {
  const gpu = startDawn(options);
  const adapter = await gpu.requestAdapter();
  if (!adapter) throw new Error("Dawn has no adapter");
  keptAlive.set(adapter, gpu);
  return adapter;
}

/** An adapter that Dawn can reach. */
export interface ReachableAdapter {
  readonly adapter: GPUAdapter;
  /** What people call it. */
  readonly name: string;
  readonly dawnName: string;
  /** `vulkan`, `metal`, `d3d12` … */
  readonly backend: string;
}

/** All adapters of all backends; those of OpenGL, which lack most, last. */
export async function reachableAdapters(): Promise<ReachableAdapter[]> {
  const found: ReachableAdapter[] = [];
  for (const { backend, dawnName } of await listNames()) {
    const adapter = await requestAdapter({ backend, adapter: dawnName }).catch(() => null);
    if (adapter) found.push({ adapter, name: adapterName(adapter), dawnName, backend });
  }
  const rank = ({ backend }: ReachableAdapter) => (backend.startsWith("opengl") ? 1 : 0);
  return found.sort((a, b) => rank(a) - rank(b));
}

/** Whether a part of either of an adapter's names, in any case, is `text`. */
export function isNamedLike({ name, dawnName }: Pick<ReachableAdapter, "name" | "dawnName">, text: string): boolean {
  return [name, dawnName].some((each) => each.toLowerCase().includes(text.toLowerCase()));
}

/** A name that no adapter has: asked for it, Dawn lists those there are. */
const NOBODY = "\u0001";

async function listNames(): Promise<{ backend: string; dawnName: string }[]> {
  let message = "";
  try {
    await startDawn({ adapter: NOBODY }).requestAdapter();
  } catch (error) {
    message = error instanceof Error ? error.message : String(error);
  }
  const names = [...message.matchAll(/backend: '([^']*)', name: '(.*)'$/gm)];
  return names.map(([, backend, dawnName]) => ({ backend, dawnName })).filter(({ backend }) => backend !== "null");
}
