/** Reads the kernels from this package's `kernels` folder. */

import { readFileSync } from "node:fs";
import type { KernelSource } from "../webgpu/kernel_source.ts";

/** Beside `src` in a checkout and beside `dist` in the package. */
const folder = new URL("../../kernels/", import.meta.url);

/**
 * The kernels of this version of the engine, read from the package's folder; see `googlenet-wgsl/kernels` for
 * those inside a module.
 */
export const kernelsOnDisk: KernelSource = (name) => readFileSync(new URL(`${name}.wgsl`, folder), "utf8");
