/** The dispatches of a graph's nodes, and the arena with their scratch memory in it. */

import { EngineError } from "../errors.ts";
import type { ValueId } from "../graph/graph.ts";
import { isView } from "../graph/ops/view.ts";
import { placeInArena, type Range } from "./arena.ts";
import type { chooseAlgorithm } from "./choices.ts";
import type { FusedNode } from "./fuse.ts";
import { elementsOf, type Launch, parameterFor, type Problem } from "./kernel.ts";
import { type Memory, roundUp } from "./memories.ts";
import type { Binding, PackedParameter, Step, View } from "./plan.ts";

/** Picks a problem's algorithm, if there is one. */
export type Chooser = (problem: Problem) => ReturnType<typeof chooseAlgorithm>;

/** A node's dispatches, and the indices of its scratch memories. */
interface Work extends ReturnType<typeof launchNode> {
  readonly fused: FusedNode;
  readonly memories: readonly number[];
}

/** Shares of the memory that values leave free, for scratch memory that does not fit the pieces it lies in. */
const smallerShares = [3 / 4, 1 / 2, 1 / 4, 0];

/**
 * The dispatches of all nodes, and the arena with their scratch memory in it. Scratch memory takes what the values
 * leave free while its node is computed, so that it does not raise the peak, or by so many bytes `more`; where that
 * lies in pieces, it makes do with less.
 */
export function launchNodes(
  nodes: readonly FusedNode[],
  views: ReadonlyMap<ValueId, View>,
  values: readonly Memory[],
  device: Pick<Problem, "precision" | "limits">,
  choose: Chooser,
  more: number,
): { work: Work[]; memories: Memory[]; ranges: readonly Range[]; bytes: number } {
  const peak = placeInArena(values).bytes + more;
  const attempt = (share: number) => {
    const memories = [...values];
    const work = nodes.map((fused, time): Work => {
      const live = values.filter(({ first, last }) => first <= time && time <= last);
      const free = peak - live.reduce((sum, { bytes }) => sum + bytes, 0);
      const launched = launchNode(fused, views, { ...device, scratchBudget: Math.floor(free * share) }, choose);
      const own = launched.scratch.map(
        (bytes) => memories.push({ subject: fused.name, bytes: roundUp(bytes), first: time, last: time }) - 1,
      );
      return { ...launched, fused, memories: own };
    });
    return { work, memories, ...placeInArena(memories) };
  };
  let best = attempt(1);
  for (const share of smallerShares) {
    if (best.bytes <= peak) break;
    const smaller = attempt(share);
    if (smaller.bytes < best.bytes) best = smaller;
  }
  return best;
}

/** The dispatches of one node, none where its output is already in place, and the scratch memory that they need. */
function launchNode(
  { node, relu, output, rest, pool }: FusedNode,
  views: ReadonlyMap<ValueId, View>,
  device: Pick<Problem, "precision" | "limits" | "scratchBudget">,
  choose: Chooser,
): {
  problem: Problem;
  launches: readonly Launch[];
  scratch: readonly number[];
  choice: ReturnType<Chooser>;
} {
  const problem: Problem = {
    layer: node.name,
    op: node.op,
    inputs: node.inputs.map((id) => views.get(id)!),
    output: views.get(output)!,
    ...(rest && { rest: views.get(rest.output)!, restLayers: rest.parts.map(({ layer }) => layer) }),
    ...(pool && { pool }),
    relu,
    ...device,
  };
  if (isView(node.op) || problem.output.parameter) {
    return { problem, launches: [], scratch: [], choice: undefined };
  }
  const choice = choose(problem);
  if (!choice) {
    throw new EngineError("graph", node.name, `no kernel computes its ${node.op.type}`, "use another layer");
  }
  const { algorithm } = choice;
  return { problem, launches: algorithm.launch(problem), scratch: algorithm.scratch?.(problem) ?? [], choice };
}

/** What a launch's bindings are numbered by, slots and parameters. */
export interface BindingNumbers {
  slotOf(memory: number): number;
  scratchOf(scratch: number): number;
  parameterOf(parameter: PackedParameter): number;
}

/** A step's bindings, from what its launch calls them. */
export function bindingsOf(launch: Launch, problem: Problem, numbers: BindingNumbers): readonly Binding[] {
  const elements = elementsOf(launch, problem.precision);
  const slot = (memory: number): Binding => ({ kind: "slot", slot: numbers.slotOf(memory) });
  const parameter = (packed: PackedParameter): Binding => ({
    kind: "parameter",
    parameter: numbers.parameterOf(parameterFor(packed, elements)),
  });
  return launch.bindings.map((binding): Binding => {
    switch (binding.kind) {
      case "input": {
        const input = problem.inputs[binding.input];
        return input.parameter ? parameter(input.parameter) : slot(input.slot);
      }
      case "output":
        return slot(problem.output.slot);
      case "rest":
        return slot(problem.rest!.slot);
      case "unused":
        return binding;
      case "scratch":
        return { kind: "slot", slot: numbers.scratchOf(binding.scratch) };
      case "parameter":
        return parameter(binding.parameter);
      default:
        return binding satisfies never;
    }
  });
}

/** Sorts a launch's values by where the kernel takes them. A misspelt name would silently leave a default. */
export function sortValues({ kernel, values }: Launch): Pick<Step, "constants" | "layer" | "tiles"> {
  const wanted = [...kernel.constants, ...kernel.layer, ...kernel.tiles];
  const problem =
    wanted.map((name) => (name in values ? undefined : `its value ${name} is not set`)).find(Boolean) ??
    Object.keys(values)
      .map((name) => (wanted.includes(name) ? undefined : `it has no value ${name} (it has ${wanted.join(", ")})`))
      .find(Boolean);
  if (problem !== undefined) {
    throw new EngineError("gpu", `kernel ${kernel.name}`, problem, "correct its launch in src/plan/kernels");
  }
  const pick = (names: readonly string[]) => Object.fromEntries(names.map((name) => [name, values[name]]));
  return { constants: pick(kernel.constants), layer: pick(kernel.layer), tiles: pick(kernel.tiles) };
}
