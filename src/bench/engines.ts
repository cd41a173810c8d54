/** The engines that are measured beside each other, by name. */

import { EngineError } from "../errors.ts";

export const ENGINES = [
  "googlenet-wgsl",
  "onnxruntime-webgpu",
  "tfjs-webgpu",
  "onnxruntime-cpu",
  "pytorch-cuda",
] as const;
export type EngineName = (typeof ENGINES)[number];

/** Reads `all`, or names of engines, `onnxruntime-webgpu,tfjs-webgpu`. */
export function parseEngines(value: string): readonly EngineName[] {
  const names = value === "all" ? [...ENGINES] : value.split(",");
  const unknown = names.find((name) => !ENGINES.some((engine) => engine === name));
  if (unknown !== undefined) {
    throw new EngineError(
      "usage",
      "--peers",
      `there is no engine ${JSON.stringify(unknown)}`,
      `give some of ${ENGINES.slice(1).join(", ")}, or nothing for all`,
    );
  }
  return names as EngineName[];
}
