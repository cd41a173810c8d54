/** The kernels' texts as they lie in the bundle: esbuild turns the pattern into every file that it fits. */

import type { KernelSource } from "../webgpu/kernel_source.ts";

export const bundledKernels: KernelSource = async (name) => {
  const { default: text } = (await import(`../../kernels/${name}.wgsl`)) as { readonly default: string };
  return text;
};
