/**
 * A plan executed on paper: memory whose elements hold, instead of numbers, which element of which value they are.
 * What a step reads, and what is read back, must be the value that the graph means, whatever was in its place before.
 */

import type { ShapedGraph, ShapedNode, ValueId } from "../../src/graph/graph.ts";
import { resolveAxis } from "../../src/graph/ops/op_rule.ts";
import { isView } from "../../src/graph/ops/view.ts";
import { elementCount, elementsPerImage, type Shape } from "../../src/graph/tensor.ts";
import { bytesPerElement, type Plan, type Step, type View } from "../../src/plan/plan.ts";

/** What is wrong with a plan's use of memory; empty where nothing is. */
export function memoryFaults(shaped: ShapedGraph, plan: Plan): string[] {
  const faults: string[] = [];
  const meanings = new Meanings(shaped);
  const nodes = new Map(shaped.nodes.map((node) => [node.name, node]));
  const arena = new Int32Array(plan.arenaBytes / bytesPerElement);
  const slots = plan.slots.map(({ offset, bytes }) =>
    arena.subarray(offset / bytesPerElement, (offset + bytes) / bytesPerElement),
  );

  const expectValue = (id: ValueId, when: string) => {
    const view = plan.values[id];
    // A constant that is a parameter is nowhere in memory.
    if (!view) return;
    const wanted = meanings.of(id);
    const slot = slots[view.slot];
    const at = wanted.findIndex((meaning, index) => slot[placeOf(view, index)] !== meaning);
    if (at < 0) return;
    const found = meanings.describe(slot[placeOf(view, at)]);
    faults.push(`${when}, element ${at} of ${id} is ${found} instead of ${meanings.describe(wanted[at])}`);
  };
  const lastStep = plan.steps.length - 1;
  const expectReadable = (step: number) => {
    for (const [id, { readyAfter }] of Object.entries(plan.values)) {
      // Outputs stay until the end; a value may be gone any time after it is ready.
      if (readyAfter === step || (step === lastStep && plan.outputs.includes(id)))
        expectValue(id, `after step ${step}`);
    }
  };

  for (const [id, view] of Object.entries(plan.values)) {
    if (placeOf(view, elementCount(view.shape) - 1) >= slots[view.slot].length) faults.push(`${id} leaves its slot`);
  }
  for (const id of plan.inputs) {
    // The executor writes inputs from the start of their slot on.
    slots[plan.values[id].slot].set(meanings.of(id));
  }
  expectReadable(-1);
  const copied = new Map<ShapedNode, number>();
  for (const [index, step] of plan.steps.entries()) {
    const node = nodes.get(step.name.split(" ")[0])!;
    const output = plan.values[step.outputs[0]];
    faults.push(...bindingFaults(step, plan));
    if (node.op.type === "concat") {
      // One step for each input that is not in place, in their order.
      const outside = node.inputs.flatMap((id, at) => (plan.values[id]?.slot === output.slot ? [] : [at]));
      const nth = copied.get(node) ?? 0;
      copied.set(node, nth + 1);
      const input = node.inputs[outside[nth]];
      expectValue(input, `read by ${step.name}`);
      faults.push(...launchFaults(step, plan.values[input], undefined));
      const meaning = meanings.of(input);
      joinedPlaces(node, outside[nth]).forEach((place, at) => {
        slots[output.slot][placeOf(output, place)] = meaning[at];
      });
    } else {
      // Several dispatches of a node pass memory on: what is neither its input nor its output is that scratch memory.
      const scratch = -1 - shaped.nodes.indexOf(node);
      const bound = slotsOf(step);
      const rest = step.outputs.slice(1).map((id) => plan.values[id].slot);
      for (const slot of bound.slice(0, -1).filter((each) => !rest.includes(each))) {
        const inputs = node.inputs.filter((id) => plan.values[id]?.slot === slot);
        for (const id of inputs) expectValue(id, `read by ${step.name}`);
        if (inputs.length === 0 && slots[slot][0] !== scratch) {
          faults.push(`${step.name} reads scratch memory of another`);
        }
      }
      if (bound.at(-1) === output.slot) {
        for (const id of step.outputs) {
          const view = plan.values[id];
          if (!bound.includes(view.slot)) faults.push(`${step.name} does not bind the place of ${id}`);
          meanings.of(id).forEach((meaning, at) => {
            slots[view.slot][placeOf(view, at)] = meaning;
          });
        }
      } else slots[bound.at(-1)!].fill(scratch);
      faults.push(...launchFaults(step, plan.values[node.inputs[0]], output));
      const [, second] = step.outputs;
      if (second !== undefined && bound.includes(plan.values[second].slot)) {
        faults.push(...restFaults(step, plan.values[second], output.shape[1]));
      }
    }
    expectReadable(index);
  }
  return faults;
}

/** For each value, what each of its elements is: an element of an input or of a node's own output, as a number. */
class Meanings {
  private readonly values = new Map<ValueId, Int32Array>();
  private readonly starts: { readonly id: ValueId; readonly start: number }[] = [];
  private next = 1; // 0 is what was never written

  constructor({ graph, nodes, shapes }: ShapedGraph) {
    for (const { name } of graph.inputs) this.addOwn(name, shapes.get(name)!);
    for (const node of nodes) {
      if (isView(node.op)) this.values.set(node.output, this.of(node.inputs[0]));
      else if (node.op.type === "concat") this.values.set(node.output, this.join(node));
      else this.addOwn(node.output, node.outputShape);
    }
  }

  of(id: ValueId): Int32Array {
    return this.values.get(id)!;
  }

  describe(meaning: number): string {
    const owner = this.starts.findLast(({ start }) => start <= meaning);
    if (meaning < 0) return "scratch memory";
    return owner ? `${owner.id}[${meaning - owner.start}]` : "nothing";
  }

  private addOwn(id: ValueId, shape: Shape): void {
    const start = this.next;
    const elements = elementCount(shape);
    this.next += elements;
    this.starts.push({ id, start });
    this.values.set(
      id,
      Int32Array.from({ length: elements }, (_, at) => start + at),
    );
  }

  private join(node: ShapedNode): Int32Array {
    const joined = new Int32Array(elementCount(node.outputShape));
    node.inputs.forEach((id, input) => {
      const meaning = this.of(id);
      joinedPlaces(node, input).forEach((place, at) => {
        joined[place] = meaning[at];
      });
    });
    return joined;
  }
}

/** Which element of a concat's output each element of one of its inputs becomes. */
function joinedPlaces({ name, op, inputShapes, outputShape }: ShapedNode, input: number): Int32Array {
  const axis = resolveAxis(name, op.type === "concat" ? op.axis : 0, outputShape.length);
  const runs = inputShapes.map((shape) => elementCount(shape.slice(axis)));
  const before = runs.slice(0, input).reduce((sum, run) => sum + run, 0);
  const outRun = elementCount(outputShape.slice(axis));
  const run = runs[input];
  return Int32Array.from(
    { length: elementCount(inputShapes[input]) },
    (_, at) => Math.floor(at / run) * outRun + before + (at % run),
  );
}

/** Where in its slot an element of a value lies. */
function placeOf({ shape, offset, stride }: View, at: number): number {
  const image = elementsPerImage(shape);
  return offset + Math.floor(at / image) * stride + (at % image);
}

/** The slots that a step binds, the one that it writes last. */
function slotsOf({ bindings }: Step): number[] {
  return bindings.flatMap((binding) => (binding.kind === "slot" ? [binding.slot] : []));
}

/** WebGPU lets a dispatch bind ranges of one buffer for writing only where they do not overlap. */
function bindingFaults(step: Step, plan: Plan): string[] {
  const ranges = slotsOf(step).map((slot) => plan.slots[slot]);
  return ranges.flatMap((a, index) =>
    ranges
      .slice(0, index)
      .filter((b) => a.offset < b.offset + b.bytes && b.offset < a.offset + a.bytes)
      .map((b) => `${step.name} binds ${a.offset}+${a.bytes} and ${b.offset}+${b.bytes}, which overlap`),
  );
}

/**
 * Where a step says that its kernel finds the values it binds, if it says it in the words of most. A concat's output
 * offset is its own affair.
 */
function launchFaults(step: Step, input: View | undefined, output: View | undefined): string[] {
  const { name, layer } = step;
  const bound = slotsOf(step);
  const faults: string[] = [];
  const expectPlace = (end: "in" | "out", { offset, stride }: View) => {
    if (!(`${end}Stride` in layer)) return;
    const said = [layer[`${end}Offset`], layer[`${end}Stride`]].join();
    if (said !== [offset, stride].join()) faults.push(`${name} is launched ${end} ${said}, not ${offset},${stride}`);
  };
  if (input && bound[0] === input.slot) expectPlace("in", input);
  if (output && bound.at(-1) === output.slot) expectPlace("out", output);
  return faults;
}

/** Where a step of several convolutions says that the outputs behind the first one's channels go. */
function restFaults({ name, layer }: Step, { offset, stride }: View, firstChannels: number): string[] {
  const said = [layer.firstChannels, layer.restOffset, layer.restStride].join();
  const wanted = [firstChannels, offset, stride].join();
  return said === wanted ? [] : [`${name} is launched with the rest at ${said}, not ${wanted}`];
}
