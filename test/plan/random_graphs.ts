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
const ops = [
  "conv",
  "conv",
  "relu",
  "relu",
  "dropout",
  "concat",
  "concat",
  "concat",
  "tail",
  "window",
  "view",
  "view",
  "binary",
  "binary",
  "constant",
  "moved",
] as const;

export interface RandomGraph {
  readonly batch: number;
  readonly graph: Graph;
}

/**
 * Graphs of up to `most` nodes on maps of 14 × 15 or 4 × 5 for batches of 1 to 3; for these alone unless `free`, since
 * constants and reshapes may hang on the batch.
 */
export function randomGraphs(most: number, { free = false } = {}): fc.Arbitrary<RandomGraph> {
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
      graph: build(batch, free ? "N" : batch, map, inputs, choices, outputs),
    }));
}

function build(
  batch: number,
  images: number | "N",
  map: readonly number[],
  channels: readonly number[],
  choices: readonly Choice[],
  outputPicks: readonly number[],
): Graph {
  const inputs = channels.map((count, index): GraphInput => ({ name: `in${index}`, shape: [images, count, ...map] }));
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
  const images = kind === "conv" || kind === "window" || kind === "tail";
  if (kind === "relu" || (images && shape.length !== 4)) return one({ type: "relu" });
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
    case "view":
      // Some keep the images' bounds, some move them.
      return one(
        (
          [
            { type: "identity" },
            { type: "reshape", form: "flatten", axis: Math.min(1, shape.length) },
            { type: "reshape", form: "flatten", axis: Math.min(2, shape.length) },
            { type: "reshape", form: "shape", shape: [-1] },
            { type: "reshape", form: "unsqueeze", axes: [0] },
            { type: "reshape", form: "unsqueeze", axes: [-1] },
            { type: "reshape", form: "shape", shape: [-1, 1, ...shape.slice(-1)] },
          ] as const
        )[size],
      );
    case "binary": {
      const fits = ids.filter((id) => fitsBroadcast(shape, shapes.get(id)!));
      const inputs = [first, fits[(picks[1] ?? 0) % fits.length]];
      const op: Op = { type: "binary", function: (["add", "mul", "max"] as const)[size % 3] };
      return { name, op, inputs, output: `v${name}` };
    }
    case "constant":
      return { name, op: { type: "constant", shape: shape.slice(size % 3) }, inputs: [], output: `v${name}` };
    case "moved":
      return one(
        (
          [
            { type: "transpose", permutation: [...shape.keys()].reverse() },
            { type: "slice", ranges: shape.length === 0 ? [] : [{ axis: -1, start: -1, end: -100_000, step: -1 }] },
            { type: "pad", before: shape.map(() => 1), after: shape.map(() => 0), mode: "constant", value: 1 },
          ] as const
        )[size % 3],
      );
    case "concat": {
      // Mostly along channels, where slices are possible; also along the batch and along rows.
      if (shape.length < 3) return one({ type: "identity" });
      const axis = [1, 1, 1, 1, 0, 2, 1][size];
      const fits = ids.filter((id) => {
        const other = shapes.get(id)!;
        return other.length === shape.length && other.every((extent, at) => at === axis || extent === shape[at]);
      });
      const inputs = [first, ...picks.slice(1).map((pick) => fits[pick % fits.length])];
      return { name, op: { type: "concat", axis }, inputs, output: `v${name}` };
    }
    default:
      return kind satisfies never;
  }
}

/** Whether two shapes stretch to one that is not much larger: graphs of many such steps would grow without end. */
function fitsBroadcast(a: Shape, b: Shape): boolean {
  return b.length <= a.length && b.every((extent, at) => extent === 1 || extent === a[at + a.length - b.length]);
}

export function shapedOf({ graph, batch }: RandomGraph): ShapedGraph {
  return inferShapesForBatch(graph, batch);
}
