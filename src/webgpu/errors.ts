/** WebGPU's ways of failing, as the engine's errors. */

import { EngineError } from "../errors.ts";

const remedies = {
  "out-of-memory": "use a smaller batch or input, or another adapter",
  gpu: "report this with the adapter's name and driver",
} as const;

/**
 * Runs `work` synchronously and gives its result and a promise that rejects with an EngineError where the device
 * found fault with a call that it made. Scopes are opened and closed within the call, so that concurrent callers on
 * one device can't mix theirs up.
 */
export function guarded<T>(device: GPUDevice, subject: string, work: () => T): { value: T; checked: Promise<void> } {
  device.pushErrorScope("internal");
  device.pushErrorScope("out-of-memory");
  device.pushErrorScope("validation");
  let value: T;
  let scopes: Promise<GPUError | null>[];
  try {
    value = work();
  } finally {
    scopes = [device.popErrorScope(), device.popErrorScope(), device.popErrorScope()];
  }
  const checked = Promise.all(scopes).then((errors) => {
    const [validation, memory, internal] = errors;
    const error = memory ?? validation ?? internal;
    if (error) throw gpuError(subject, error.message, memory ? "out-of-memory" : "gpu");
  });
  // Whoever awaits it still sees the rejection; whoever failed before that must not crash the process.
  checked.catch(() => undefined);
  return { value, checked };
}

export function gpuError(subject: string, message: string, code: "out-of-memory" | "gpu" = "gpu"): EngineError {
  return new EngineError(code, subject, message.trim().split("\n")[0], remedies[code]);
}

export function deviceLost(info: { reason?: string; message: string }): EngineError {
  const why = info.message.trim().split("\n")[0];
  return new EngineError(
    "device-lost",
    "GPU device",
    why ? `it was lost (${why})` : "it was lost",
    "open a new device and session",
  );
}
