/** The worker's GPU device: opened when it is first needed, and anew once it was lost. */

import { EngineError } from "../errors.ts";
import { adapterName, openDevice } from "../webgpu/device.ts";

export class Gpu {
  private readonly onLost: (why: string) => void;
  private opened: Promise<GPUDevice> | undefined;
  private name = "";

  constructor(onLost: (why: string) => void) {
    this.onLost = onLost;
  }

  /** The adapter's name, once it was asked for. */
  get adapter(): string {
    return this.name;
  }

  /** The device; rejects with EngineError "adapter" where none can be had. */
  readonly device = (): Promise<GPUDevice> => {
    this.opened ??= this.open().catch((error: unknown) => {
      this.opened = undefined;
      throw error;
    });
    return this.opened;
  };

  private async open(): Promise<GPUDevice> {
    // Some browsers give WebGPU to pages alone.
    const gpu = (navigator as { readonly gpu?: GPU }).gpu;
    if (!gpu) {
      throw new EngineError(
        "adapter",
        "WebGPU",
        "this browser does not give it to web workers, where this page computes",
        "update the browser, or use a current Chrome, Edge or Safari",
      );
    }
    const adapter = (await gpu.requestAdapter({ powerPreference: "high-performance" })) ?? (await gpu.requestAdapter());
    if (!adapter) {
      throw new EngineError(
        "adapter",
        "WebGPU",
        "this browser has WebGPU, but finds no GPU that it would use",
        "turn on hardware acceleration in the browser's settings, update the graphics driver, or try another browser; Chrome on Linux may want chrome://flags/#enable-unsafe-webgpu",
      );
    }
    this.name = adapterName(adapter);
    const device = await openDevice(adapter);
    void device.lost.then(({ message, reason }) => {
      this.opened = undefined;
      this.onLost(message.trim().split("\n")[0] || reason);
    });
    return device;
  }
}
