/** The edge to Dawn's Node.js bindings: opens adapters and names them. */

import { create } from "webgpu";
import { EngineError } from "../errors.ts";
import { adapterName, openDevice } from "../webgpu/device.ts";

/** How Dawn is started. */
export interface DawnOptions {
  /** Part of the adapter's name; Dawn's own choice unless given. */
  readonly adapter?: string;
  /** `vulkan`, `metal`, `d3d12` …; Dawn's own choice unless given. */
  readonly backend?: string;
  /** Switches Dawn's validation and bounds checks off: faster, and silent about mistakes. */
  readonly unsafe?: boolean;
  /** Timestamps to the nanosecond, for measuring; otherwise Dawn coarsens them, as pages must not time others. */
  readonly exactTimestamps?: boolean;
}

const unsafeFeatures = ["skip_validation", "disable_robustness"];

/** A started Dawn. It must stay in scope while anything made through it is used. */
export function startDawn({ adapter, backend, unsafe = false, exactTimestamps = false }: DawnOptions = {}): GPU {
  const flags: string[] = [];
  if (adapter !== undefined) flags.push(`adapter=${adapter}`);
  if (backend !== undefined) flags.push(`backend=${backend}`);
  if (unsafe) flags.push(`enable-dawn-features=allow_unsafe_apis,${unsafeFeatures.join(",")}`);
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
  keptAlive.set(device, keptAlive.get(adapter)!);
  return { adapter, device, name: adapterName(adapter) };
}

/** Starts Dawn and asks for an adapter. Rejects with EngineError "adapter" where there is none. */
export async function openAdapter(options: DawnOptions = {}): Promise<GPUAdapter> {
  const gpu = startDawn(options);
  let adapter: GPUAdapter | null;
  try {
    adapter = await gpu.requestAdapter();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw noAdapter(options, reason);
  }
  if (!adapter) throw noAdapter(options);
  keptAlive.set(adapter, gpu);
  return adapter;
}

function noAdapter({ adapter }: DawnOptions, reason?: string): EngineError {
  const problem = adapter === undefined ? "there is none" : `none is named like "${adapter}"`;
  return new EngineError(
    "adapter",
    "WebGPU adapter",
    reason === undefined ? problem : `${problem} (${reason})`,
    adapter === undefined ? "install a Vulkan driver, or use --backend cpu" : "`devices` lists those there are",
  );
}
