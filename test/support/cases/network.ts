/** The layers of GoogLeNet with both auxiliary heads, each shape once. */

import { googLeNet } from "../../../src/graph/googlenet.ts";
import { inferShapesForBatch } from "../../../src/graph/graph.ts";
import { type OpCase, opCase } from "./op_case.ts";

/** Every layer's op and shapes at this batch, in the network's order, without repetitions. */
export function networkCases(batch = 1): OpCase[] {
  const { nodes } = inferShapesForBatch(googLeNet({ heads: "all" }), batch);
  const cases = nodes.map(({ op, inputShapes }) => opCase(op, inputShapes, { group: "network" }));
  // At other input sizes the last pool is global; on the same maps.
  cases.push(opCase({ type: "pool_global_avg" }, [[batch, 1024, 7, 7]], { group: "network" }));
  return [...new Map(cases.map((each) => [each.name, each])).values()];
}
