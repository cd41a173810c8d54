/**
 * The table of cases that feeds every test of an op and the benchmark: the network's own shapes and awkward ones.
 * Take a part of it by `op.type` and `group`; draw inputs and parameters for a case with `drawCase`.
 */

import type { Op } from "../../src/graph/ops.ts";
import { networkCases } from "./cases/network.ts";
import {
  binaryCases,
  constantCases,
  gatherCases,
  hugeArrayCases,
  matmulCases,
  padCases,
  reduceCases,
  scaleCases,
  sliceCases,
  transposeCases,
  unaryCases,
  viewCases,
} from "./cases/arrays.ts";
import {
  concatCases,
  elementwiseCases,
  fullyConnectedCases,
  hugeCases,
  lrnCases,
  lrnWithinCases,
  poolGlobalAvgCases,
  softmaxCases,
} from "./cases/others.ts";
import { type CaseGroup, type OpCase } from "./cases/op_case.ts";
import { convCases, poolCases } from "./cases/windows.ts";

export { networkCases } from "./cases/network.ts";
export { type CaseGroup, drawCase, type OpCase, opCase } from "./cases/op_case.ts";

/** Every case, the network's at batch 1. Names are unique. */
export const cases: readonly OpCase[] = [
  ...networkCases(),
  ...convCases,
  ...poolCases,
  ...poolGlobalAvgCases,
  ...lrnCases,
  ...lrnWithinCases,
  ...concatCases,
  ...softmaxCases,
  ...fullyConnectedCases,
  ...elementwiseCases,
  ...unaryCases,
  ...binaryCases,
  ...scaleCases,
  ...matmulCases,
  ...reduceCases,
  ...transposeCases,
  ...sliceCases,
  ...gatherCases,
  ...padCases,
  ...viewCases,
  ...constantCases,
  ...hugeCases,
  ...hugeArrayCases,
];

/** The cases of some ops, of some groups (all unless given). */
export function casesOf(
  types: readonly Op["type"][],
  groups: readonly CaseGroup[] = ["network", "awkward", "huge"],
): OpCase[] {
  return cases.filter(({ op, group }) => types.includes(op.type) && groups.includes(group));
}
