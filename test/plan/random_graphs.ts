/** Small random graphs for properties of the planner: every op, values used often or never, outputs anywhere. */

import fc from "fast-check";
import {
  type Graph,
  type GraphInput,
  inferShapesForBatch,
  type Node,
  type ShapedGraph,
} from "../../src/graph/graph.ts";
import type { Op } from "../../src/graph/ops.ts";
import { inferOp } from "../../src/graph/ops.ts";
import { squareWindow } from "../../src/graph/ops/window.ts";
import type { Shape } from "../../src/graph/tensor.ts";

/** What a node is to be: which op, and which of the values before it. Picks are taken modulo what there is. */
interface Choice {
  readonly op: (typeof ops)[number];
  readonly picks: readonly number[];
  readonly size: number;
}

/** Concats come often: they are what memory planning is about. */
const ops = ["conv", "conv", "relu", "relu", "dropout", "concat", "concat", "concat", "tail", "window"] as const;

export interface RandomGraph {
  readonly batch: number;
  readonly graph: Graph;
}

/** Graphs of up to `most` nodes on maps of 14 × 15 or 4 × 5 for batches of 1 to 3. */
export function randomGraphs(most: number): fc.Arbitrary<RandomGraph> {
  const choice = fc.record({
    op: fc.constantFrom(...ops),
    picks: fc.array(fc.nat(100), { minLength: 1, maxLength: 4 }),
    size: fc.nat(6),
  });
  return fc
    .record({
      batch: fc.integer({ min: 1, max: 3 }),
      // A few sizes keep the number of pipelines that a driver has to compile small.
      map: fc.constantFrom([4, 5], [14, 15]),
      inputs: fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 2 }),
      choices: fc.array(choice, { minLength: 1, maxLength: most }),
      outputs: fc.array(fc.nat(100), { minLength: 1, maxLength: 3 }),
    })
    .map(({ batch, map, inputs, choices, outputs }) => ({
      batch,
      graph: build(batch, map, inputs, choices, outputs),
    }));
}

function build(
  batch: number,
  map: readonly number[],
  channels: readonly number[],
  choices: readonly Choice[],
  outputPicks: readonly number[],
): Graph {
  const inputs = channels.map((count, index): GraphInput => ({ name: `in${index}`, shape: ["N", count, ...map] }));
  const shapes = new Map<string, Shape>(
    inputs.map(({ name, shape }) => [name, [batch, ...(shape.slice(1) as number[])]]),
  );
  const nodes: Node[] = [];
  for (const [index, choice] of choices.entries()) {
    const node = nodeOf(`n${index}`, choice, shapes);
    nodes.push(node);
    const inputShapes = node.inputs.map((id) => shapes.get(id)!);
    shapes.set(node.output, inferOp(node.name, node.op, inputShapes).output);
  }
  const ids = [...shapes.keys()];
  const outputs = [...new Set(outputPicks.map((pick) => ids[ids.length - 1 - (pick % ids.length)]))];
  return { name: "random", inputs, nodes, outputs };
}

function nodeOf(name: string, { op: kind, picks, size }: Choice, shapes: ReadonlyMap<string, Shape>): Node {
  // The latest values come first, so that small picks make chains.
  const ids = [...shapes.keys()].reverse();
  const first = ids[picks[0] % ids.length];
  const shape = shapes.get(first)!;
  const one = (op: Op): Node => ({ name, op, inputs: [first], output: `v${name}` });
  if (kind === "relu" || shape.length !== 4) return one({ type: "relu" });
  switch (kind) {
    case "conv": {
      const kernel = size % 2 === 0 ? squareWindow(1) : squareWindow(3, 1, 1);
      return one({ type: "conv", ...kernel, outChannels: 1 + size, groups: 1, bias: size % 3 > 0 });
    }
    case "dropout":
      return one({ type: "dropout", ratio: 0.5 });
    case "window":
      return one(
        size < 3
          ? { type: "pool_max", ...squareWindow(3, 1, 1), rounding: "ceil" }
          : { type: "lrn", size: 3, alpha: 1e-2, beta: 0.75, k: 1 },
      );
    case "tail":
      return one(
        [
          { type: "pool_global_avg" } as const,
          { type: "softmax", axis: 1 } as const,
          { type: "fully_connected", outFeatures: 1 + size, bias: true } as const,
        ][size % 3],
      );
    case "concat": {
      // Mostly along channels, where slices are possible; also along the batch and along rows.
      const axis = [1, 1, 1, 1, 0, 2, 1][size];
      const fits = ids.filter((id) => {
        const other = shapes.get(id)!;
        return other.length === 4 && other.every((extent, at) => at === axis || extent === shape[at]);
      });
      const inputs = [first, ...picks.slice(1).map((pick) => fits[pick % fits.length])];
      return { name, op: { type: "concat", axis }, inputs, output: `v${name}` };
    }
    default:
      return kind satisfies never;
  }
}

export function shapedOf({ graph, batch }: RandomGraph): ShapedGraph {
  return inferShapesForBatch(graph, batch);
}
