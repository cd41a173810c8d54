/** Every kernel, for each op in the order in which the planner tries them. */

import { EngineError } from "../errors.ts";
import type { Kernel, Problem } from "./kernel.ts";
import { concat } from "./kernels/concat.ts";
import { convDirect } from "./kernels/conv_direct.ts";
import { convDirectSubgroup } from "./kernels/conv_direct_subgroup.ts";
import { convPointwise, convPointwiseVec4 } from "./kernels/conv_pointwise.ts";
import { convPointwiseSubgroup } from "./kernels/conv_pointwise_subgroup.ts";
import { fullyConnected } from "./kernels/fully_connected.ts";
import { lrn } from "./kernels/lrn.ts";
import { poolAvg, poolGlobalAvg, poolMax } from "./kernels/pool.ts";
import { relu } from "./kernels/relu.ts";
import { softmax } from "./kernels/softmax.ts";

export const kernels = [
  convPointwiseVec4,
  convPointwise,
  convPointwiseSubgroup,
  convDirect,
  convDirectSubgroup,
  poolMax,
  poolAvg,
  poolGlobalAvg,
  lrn,
  relu,
  concat,
  softmax,
  fullyConnected,
] as unknown as readonly Kernel[];

/** The kernel named `name`; throws EngineError "gpu" where there is none. */
export function kernelNamed(name: string): Kernel {
  const kernel = kernels.find((candidate) => candidate.name === name);
  if (!kernel) throw new EngineError("gpu", `kernel ${name}`, "there is none of that name", "report this defect");
  return kernel;
}

/** All kernels that can compute the problem, the preferred one first: by preference, then in the registry's order. */
export function candidates(problem: Problem): readonly Kernel[] {
  const preference = (kernel: Kernel) => kernel.preference?.(problem) ?? 0;
  return kernels
    .filter((kernel) => kernel.op === problem.op.type && kernel.accepts(problem))
    .sort((a, b) => preference(b) - preference(a));
}
