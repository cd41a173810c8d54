/** Options of the public calls: whether they are what they should be, for callers whose types nobody checked. */

import { EngineError } from "../errors.ts";
import { type PlanLimits, planLimitNames } from "../plan/limits.ts";
import { describe } from "./batches.ts";

/** What an option may be, and how to mend one that is not. */
const kinds = {
  boolean: [(value: unknown) => typeof value === "boolean", "give true or false"],
  callback: [(value: unknown) => typeof value === "function", "give a function"],
  count: [(value: unknown) => Number.isSafeInteger(value) && Number(value) >= 1, "give a whole number from 1"],
  fraction: [(value: unknown) => typeof value === "number" && value >= 0 && value < 1, "give a number from 0 to 1"],
  signal: [isSignal, "give an AbortSignal"],
  workspace: [isWorkspace, "give true, false or a whole number of bytes"],
} as const satisfies Record<string, readonly [(value: unknown) => boolean, string]>;

export type OptionKind = keyof typeof kinds;

/**
 * Checks options by name; those that are left out, or undefined, are right.
 * Throws EngineError "usage" for one that is wrong, and for what is no object of options.
 */
export function checkOptions(options: unknown, wanted: Readonly<Record<string, OptionKind>>): void {
  if (typeof options !== "object" || options === null) {
    const remedy = `give an object of ${Object.keys(wanted).join(", ")}, or leave it out`;
    throw new EngineError("usage", "options", `they are ${describe(options)}`, remedy);
  }
  const given = options as Readonly<Record<string, unknown>>;
  for (const [name, kind] of Object.entries(wanted)) {
    const [isRight, remedy] = kinds[kind];
    const value = given[name];
    if (value === undefined || isRight(value)) continue;
    const shown = typeof value === "number" ? String(value) : describe(value);
    throw new EngineError("usage", `option ${name}`, `it is ${shown}`, remedy);
  }
}

/** Throws EngineError "usage" for what gives no kernels' text. */
export function checkKernels(kernels: unknown): void {
  if (typeof kernels === "function") return;
  const remedy = "give kernels of googlenet-wgsl/kernels, or a function from a kernel's name to its text";
  throw new EngineError("usage", "option kernels", `it is ${describe(kernels)}`, remedy);
}

/** Throws EngineError "usage" for limits of which one is missing or no number; left out they are right. */
export function checkLimits(limits: unknown): void {
  if (limits === undefined) return;
  const wrong = planLimitNames.find((name) => !(Number((Object(limits) as Partial<PlanLimits>)[name]) >= 1));
  if (wrong === undefined) return;
  const remedy = "give limitsOf(device), or a copy of it with lower ones";
  throw new EngineError("usage", "option limits", `they have no ${wrong}`, remedy);
}

/** Throws EngineError "usage" for what is no device. */
export function checkDevice(device: unknown, remedy: string): asserts device is GPUDevice {
  if (typeof (Object(device) as Partial<GPUDevice>).createComputePipelineAsync === "function") return;
  throw new EngineError("usage", "option device", `it is ${describe(device)}`, remedy);
}

function isWorkspace(value: unknown): boolean {
  return typeof value === "boolean" || (Number.isSafeInteger(value) && Number(value) >= 0);
}

/** Of whatever global scope. */
function isSignal(value: unknown): boolean {
  const { throwIfAborted, addEventListener } = Object(value) as Partial<Record<keyof AbortSignal, unknown>>;
  return typeof throwIfAborted === "function" && typeof addEventListener === "function";
}
