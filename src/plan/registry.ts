/** Every algorithm, for each op in the order in which the planner prefers them, and every kernel. */

import { EngineError } from "../errors.ts";
import type { Op } from "../graph/ops.ts";
import { type Algorithm, fusedParts, type Kernel, type Problem } from "./kernel.ts";
import { binary } from "./kernels/binary.ts";
import { concat } from "./kernels/concat.ts";
import { constant } from "./kernels/constant.ts";
import { convDepthwise } from "./kernels/conv_depthwise.ts";
import { convDirect } from "./kernels/conv_direct.ts";
import { convDirectSubgroup } from "./kernels/conv_direct_subgroup.ts";
import { convGemms, convGemmSplits } from "./kernels/conv_gemm.ts";
import { convPointwise, convPointwiseSubgroup, convPointwiseVec4 } from "./kernels/conv_pointwise.ts";
import { convWinograds } from "./kernels/conv_winograd.ts";
import { crop } from "./kernels/crop.ts";
import { fullyConnected, fullyConnectedSubgroup } from "./kernels/fully_connected.ts";
import { gather } from "./kernels/gather.ts";
import { lrn } from "./kernels/lrn.ts";
import { lrnWindow } from "./kernels/lrn_window.ts";
import { matmul } from "./kernels/matmul.ts";
import { pad } from "./kernels/pad.ts";
import { poolAvg, poolGlobalAvg, poolMax, poolMaxRows } from "./kernels/pool.ts";
import { reduce } from "./kernels/reduce.ts";
import { relu } from "./kernels/relu.ts";
import { scale } from "./kernels/scale.ts";
import { softmax } from "./kernels/softmax.ts";
import { slice, transpose } from "./kernels/strided_copy.ts";
import { unary } from "./kernels/unary.ts";

/** An algorithm for one op, whichever it is. */
type AlgorithmOfSomeOp = { [T in Op["type"]]: Algorithm<Extract<Op, { type: T }>> }[Op["type"]];

const typed = [
  convPointwiseVec4,
  convPointwise,
  convPointwiseSubgroup,
  convDepthwise,
  convDirect,
  convDirectSubgroup,
  ...convGemms,
  ...convGemmSplits,
  ...convWinograds,
  poolMaxRows,
  poolMax,
  poolAvg,
  poolGlobalAvg,
  lrn,
  relu,
  concat,
  softmax,
  fullyConnected,
  fullyConnectedSubgroup,
  unary,
  binary,
  scale,
  matmul,
  reduce,
  lrnWindow,
  transpose,
  slice,
  gather,
  pad,
  constant,
] satisfies readonly AlgorithmOfSomeOp[];

/** `candidates` gives an algorithm only problems of its own op. */
export const algorithms = typed as unknown as readonly Algorithm[];

/** Every kernel: those that some algorithm uses, and the one that cuts pictures for the network. */
export const kernels: readonly Kernel[] = [...new Set(algorithms.flatMap((algorithm) => algorithm.kernels)), crop];

/** The kernel named `name`; throws EngineError "gpu" where there is none. */
export function kernelNamed(name: string): Kernel {
  const kernel = kernels.find((candidate) => candidate.name === name);
  if (!kernel) throw new EngineError("gpu", `kernel ${name}`, "there is none of that name", "report this defect");
  return kernel;
}

/** All algorithms that can compute the problem, the preferred one first: by preference, then in the registry's order. */
export function candidates(problem: Problem): readonly Algorithm[] {
  const parts = fusedParts.filter((part) => problem[part] !== undefined);
  const preference = (algorithm: Algorithm) => algorithm.preference?.(problem) ?? 0;
  return algorithms
    .filter(({ op, fuses }) => op === problem.op.type && parts.every((part) => fuses?.includes(part)))
    .filter((algorithm) => algorithm.accepts(problem))
    .sort((a, b) => preference(b) - preference(a));
}
