/** The edge to Dawn's Node.js bindings: opens adapters and names them. */

import { create } from "webgpu";
import { EngineError } from "../errors.ts";
import { adapterName } from "../webgpu/device.ts";

/** How Dawn is started. */
export interface DawnOptions {
  /** Part of the adapter's name; Dawn's own choice unless given. */
  readonly adapter?: string;
  /** Switches Dawn's validation and bounds checks off: faster, and silent about mistakes. */
  readonly unsafe?: boolean;
}

const unsafeFeatures = ["skip_validation", "disable_robustness"];

/** A started Dawn. It must stay in scope while anything made through it is used. */
export function startDawn({ adapter, unsafe = false }: DawnOptions = {}): GPU {
  const flags: string[] = [];
  if (adapter !== undefined) flags.push(`adapter=${adapter}`);
  if (unsafe) flags.push(`enable-dawn-features=allow_unsafe_apis,${unsafeFeatures.join(",")}`);
  return create(flags);
}

/** A started Dawn and the adapter that was asked for. */
export interface Gpu {
  readonly gpu: GPU;
  readonly adapter: GPUAdapter;
  readonly name: string;
}

/** Starts Dawn and asks for an adapter. Rejects with EngineError "adapter" where there is none. */
export async function openAdapter(options: DawnOptions = {}): Promise<Gpu> {
  const gpu = startDawn(options);
  let adapter: GPUAdapter | null;
  try {
    adapter = await gpu.requestAdapter();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw noAdapter(options, reason);
  }
  if (!adapter) throw noAdapter(options);
  return { gpu, adapter, name: adapterName(adapter) };
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
