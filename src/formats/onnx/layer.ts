/** A node of an ONNX file while it is translated: what its op asks for, and what it becomes in a Graph. */

import { EngineError } from "../../errors.ts";
import type { Node, ValueId } from "../../graph/graph.ts";
import { inferOp, type Op } from "../../graph/ops.ts";
import { elementCount, formatShape, type Shape, type Tensor } from "../../graph/tensor.ts";
import { Attributes } from "./attributes.ts";
import { type Constant, constant, Folding } from "./constants.ts";
import type { NodeProto } from "./proto.ts";
import { isFloat, MAX_AXES } from "./tensor.ts";

/** A value that the graph computes. */
export interface Computed {
  readonly kind: "computed";
  readonly id: ValueId;
  /** For each batch size that is looked at. */
  readonly shapes: readonly Shape[];
}

export type Value = Computed | Constant;

/** Elements of one value of a small batch: GPUs hold far fewer. */
const MAX_ELEMENTS = 2 ** 40;

/** The graph as far as it is translated. */
export class Translation {
  readonly file: string;
  readonly opset: number;
  /** The batch sizes that shapes are looked at for. */
  readonly batches: readonly number[];
  readonly folding: Folding;
  readonly nodes: Node[] = [];
  readonly weights = new Map<string, Tensor>();
  /** By the names that the file gives them. */
  readonly values = new Map<string, Value>();
  /** Second outputs (a mask, indices), which aren't made, and the node that would have to: whoever takes one hears so. */
  readonly unmade = new Map<string, Layer>();
  /** Names of values, taken by the file or by what was added. */
  private readonly valueNames: Names;
  private readonly nodeNames = new Names();
  /** Constants that the graph has, since something computes with them. */
  private readonly operands = new Map<Constant, Computed>();

  constructor(file: string, opset: number, batches: readonly number[], folding: Folding, names: Iterable<string>) {
    this.file = file;
    this.opset = opset;
    this.batches = batches;
    this.folding = folding;
    this.valueNames = new Names(names);
  }

  /** A name of a value that no other has. */
  newValue(wanted: string): ValueId {
    return this.valueNames.take(wanted);
  }

  /** A name of a node that no other has: its parameters are called by it. */
  newNode(wanted: string): string {
    return this.nodeNames.take(wanted);
  }

  /** Adds a node; see `Layer.compute`. */
  add(subject: string, op: Op, inputs: readonly Computed[], output: ValueId, parameters: readonly Tensor[]): Computed {
    const name = this.newNode(subject);
    const inferred = this.infer(name, op, inputs);
    const [{ parameters: rules }] = inferred;
    rules.forEach(({ role, shape }, index) => {
      const tensor = parameters[index];
      if (
        elementCount(shape) !== tensor.data.length ||
        inferred.some(({ parameters: each }) => !sameExtents(each[index].shape, shape))
      ) {
        const problem = `its ${role} is ${formatShape(tensor.shape)} where ${formatShape(shape)} is needed`;
        throw new EngineError("graph", name, problem, "correct the model");
      }
      this.weights.set(`${name}.${role}`, { shape, data: tensor.data });
    });
    const shapes = inferred.map((each) => each.output);
    const [shape] = shapes;
    if (shape.length > MAX_AXES || !(elementCount(shape) <= MAX_ELEMENTS)) {
      throw new EngineError("graph", name, `its output would be ${formatShape(shape)}`, "use a smaller model");
    }
    this.nodes.push({ name, op, inputs: inputs.map(({ id }) => id), output });
    return { kind: "computed", id: output, shapes };
  }

  private infer(name: string, op: Op, inputs: readonly Computed[]): ReturnType<typeof inferOp>[] {
    const attempts = this.batches.map((_, batch) => {
      const shapes = inputs.map((input) => input.shapes[batch] ?? input.shapes[0]);
      try {
        return inferOp(name, op, shapes);
      } catch (error) {
        if (error instanceof EngineError) return error;
        throw error;
      }
    });
    const errors = attempts.filter((each) => each instanceof EngineError);
    if (errors.length === 0) return attempts as ReturnType<typeof inferOp>[];
    // What a single image fits by being one is no less wrong.
    const failing = this.batches.filter((_, batch) => attempts[batch] instanceof EngineError);
    if (this.batches.some((batch) => batch > 1 && !failing.includes(batch))) {
      throw new EngineError("graph", name, "it fits some batch sizes, and others not", "bind the batch size");
    }
    throw whateverTheBatch(errors, failing);
  }

  /** A value as one that nodes can compute with: a constant becomes a node that gives it, `name` for its output. */
  operand(name: ValueId, value: Value): Computed {
    if (value.kind === "computed") return value;
    const known = this.operands.get(value);
    if (known) return known;
    const { shape } = value;
    const computed = this.add(name, { type: "constant", shape }, [], name, [{ shape, data: this.floatsOf(value) }]);
    this.operands.set(value, computed);
    return computed;
  }

  /** The elements as float32, of the first batch size that is looked at. */
  floatsOf(value: Constant): Float32Array {
    return this.folding.cast(value, "float").variants[0] as Float32Array;
  }
}

/** One error of those that each batch size gives: where numbers differ, they are written as multiples of `N`. */
function whateverTheBatch([first, ...others]: readonly EngineError[], batches: readonly number[]): EngineError {
  const [numbers, ...otherNumbers] = [first, ...others].map(({ problem }) => problem.match(/\d+/g) ?? []);
  if (otherNumbers.some((each) => each.length !== numbers.length)) return first;
  let index = -1;
  const problem = first.problem.replace(/\d+/g, (number) => {
    index++;
    if (otherNumbers.every((each) => each[index] === number)) return number;
    const times = Number(number) / batches[0];
    const isMultiple = otherNumbers.every((each, batch) => Number(each[index]) === times * batches[batch + 1]);
    return isMultiple && Number.isInteger(times) && times > 1 ? `${times}·N` : "N";
  });
  return new EngineError(first.code, first.subject, problem, first.remedy, first);
}

function sameExtents(a: Shape, b: Shape): boolean {
  return formatShape(a) === formatShape(b);
}

/** Names, each given once. */
class Names {
  private readonly taken: Set<string>;
  /** How often each was wanted: looking for the next free one from the start would take quadratic time. */
  private readonly wanted = new Map<string, number>();

  constructor(taken: Iterable<string> = []) {
    this.taken = new Set(taken);
  }

  /** This name, or one like it that is free. */
  take(wanted: string): string {
    let count = this.wanted.get(wanted) ?? 1;
    let name = wanted;
    while (this.taken.has(name)) name = `${wanted}.${++count}`;
    this.wanted.set(wanted, count);
    this.taken.add(name);
    return name;
  }
}

export class Layer {
  readonly type: string;
  /** The node's own name, or its output's where it has none. */
  readonly name: string;
  readonly opset: number;
  readonly attributes: Attributes;
  readonly folding: Folding;
  private readonly translation: Translation;
  private readonly node: NodeProto;
  private readonly asked = new Set<number>();

  constructor(translation: Translation, node: NodeProto) {
    const [output = ""] = node.outputs;
    this.type = node.type;
    this.name = node.name === "" ? output : node.name;
    this.opset = translation.opset;
    this.folding = translation.folding;
    this.translation = translation;
    this.node = node;
    this.attributes = new Attributes(node.attributes, (problem) => this.refuse(problem));
  }

  /** The batch sizes that shapes are looked at for. */
  get batches(): readonly number[] {
    return this.translation.batches;
  }

  refuse(problem: string, remedy = "export the model without it"): never {
    const { file } = this.translation;
    throw new EngineError("model", file, `node "${this.name}" (${this.type}): ${problem}`, remedy, {
      layer: this.name,
      shapes: this.shapes,
    });
  }

  /** The shapes of those inputs that are known. */
  private get shapes(): Record<string, (number | string)[]> {
    const { values, batches } = this.translation;
    const entries = this.node.inputs.flatMap((name) => {
      const value = values.get(name);
      return value ? [[name, openShape(value, batches)] as const] : [];
    });
    return Object.fromEntries(entries);
  }

  get inputCount(): number {
    return this.node.inputs.length;
  }

  /** An input; undefined where it is left out. */
  optional(index: number): Value | undefined {
    this.asked.add(index);
    const name = this.node.inputs[index] ?? "";
    if (name === "") return undefined;
    this.translation.unmade.get(name)?.refuse(`its output "${name}" isn't supported; only its first is`);
    return this.translation.values.get(name) ?? this.refuse(`nothing before it makes its input "${name}"`);
  }

  input(index: number): Value {
    return this.optional(index) ?? this.refuse(`it lacks its input ${index + 1}`);
  }

  /** Every input, none left out. */
  inputs(): Value[] {
    return this.node.inputs.map((_, index) => this.input(index));
  }

  /** An input of real numbers that a node can compute with. */
  operand(index: number): Computed {
    const value = this.input(index);
    if (value.kind === "constant") this.checkReal(value, index);
    if (value.kind === "constant" && value.variants.length > 1) this.refuseBatch(`its input ${index + 1}`);
    return this.translation.operand(this.node.inputs[index], value);
  }

  /** An input that has to be known beforehand, if it is there. */
  optionalConstant(index: number, what: string): Constant | undefined {
    const value = this.optional(index);
    if (!value || value.kind === "constant") return value;
    return this.refuse(`its ${what} "${this.node.inputs[index]}" is computed, and must be constant`);
  }

  constant(index: number, what: string): Constant {
    return this.optionalConstant(index, what) ?? this.refuse(`it lacks its ${what}`);
  }

  /** A tensor of weights. */
  weights(index: number, what: string): Tensor {
    const value = this.constant(index, what);
    return this.tensorOf(value, index);
  }

  optionalWeights(index: number, what: string): Tensor | undefined {
    const value = this.optionalConstant(index, what);
    return value && this.tensorOf(value, index);
  }

  /** Whole numbers that don't depend on the batch size, of an input that is known beforehand, if it is there. */
  optionalIntegers(index: number, what: string): readonly number[] | undefined {
    const value = this.optionalConstant(index, what);
    return value && this.integersOf(value, what);
  }

  integersOf(value: Constant, what: string): readonly number[] {
    if (value.type !== "int64" && value.type !== "int32") this.refuse(`its ${what} are of type ${value.type}`);
    if (value.shape.length > 1) this.refuse(`its ${what} are of shape ${formatShape(value.shape)}`);
    if (value.variants.length > 1) this.refuseBatch(`its ${what}`);
    return [...value.variants[0]];
  }

  /** A real number of an input that is known beforehand, if it is there. */
  optionalReal(index: number, what: string): number | undefined {
    const value = this.optionalConstant(index, what);
    if (!value) return undefined;
    this.checkReal(value, index);
    if (elementCount(value.shape) !== 1) this.refuse(`its ${what} is of shape ${formatShape(value.shape)}`);
    if (value.variants.length > 1) this.refuseBatch(`its ${what}`);
    return value.variants[0][0];
  }

  refuseBatch(what: string): never {
    return this.refuse(
      `${what} depends on the batch size`,
      "bind the batch size, or export the model with a fixed one",
    );
  }

  /** The shape of a value, where it doesn't depend on the batch size from the given axis on. */
  extents(value: Value, from: number): Shape {
    if (value.kind === "constant") return value.shape.slice(from);
    const [first, ...others] = value.shapes.map((shape) => shape.slice(from));
    if (others.some((other) => !sameExtents(other, first))) this.refuseBatch(`the shape of its input "${value.id}"`);
    return first;
  }

  /** Adds the node that gives this one's output. */
  output(op: Op, inputs: readonly Computed[], parameters: readonly Tensor[] = []): Computed {
    return this.translation.add(this.name, op, inputs, this.node.outputs[0], parameters);
  }

  /** Adds one on the way there; its value is named after the output. */
  part(part: string, op: Op, inputs: readonly Computed[], parameters: readonly Tensor[] = []): Computed {
    const id = this.translation.newValue(`${this.node.outputs[0]}.${part}`);
    return this.translation.add(`${this.name}.${part}`, op, inputs, id, parameters);
  }

  /** A constant as a value to compute with, named after the output. */
  given(part: string, shape: Shape, data: Float32Array): Computed {
    this.folding.spend(data.byteLength);
    return this.part(part, { type: "constant", shape }, [], [{ shape, data }]);
  }

  /** Refuses what was not asked for. */
  close(): void {
    this.attributes.close(this.opset);
    const extra = this.node.inputs.findIndex((name, index) => name !== "" && !this.asked.has(index));
    if (extra >= 0) this.refuse(`its input ${extra + 1} isn't known in operator set ${this.opset}`);
  }

  private checkReal({ type }: Constant, index: number): void {
    if (!isFloat(type)) this.refuse(`its input "${this.node.inputs[index]}" is of type ${type}, and must be float`);
  }

  /** A constant as a tensor of weights; `index` is the input that it came by. */
  tensorOf(value: Constant, index: number): Tensor {
    this.checkReal(value, index);
    if (value.variants.length > 1) this.refuseBatch(`its input ${index + 1}`);
    return { shape: value.shape, data: this.translation.floatsOf(value) };
  }
}

/** Rank of a value, which no batch size changes. */
export function rankOf(value: Value): number {
  return value.kind === "constant" ? value.shape.length : value.shapes[0].length;
}

/** The shape of a value as people write it: an extent that depends on the batch is `N`, or `2·N` for twice as many. */
function openShape(value: Value, batches: readonly number[]): (number | string)[] {
  const [first, ...others] = value.kind === "constant" ? [value.shape] : value.shapes;
  return first.map((extent, axis) => {
    if (others.every((shape) => shape[axis] === extent)) return extent;
    const times = extent / batches[0];
    const isMultiple = others.every((shape, index) => shape[axis] === times * batches[index + 1]);
    return isMultiple && Number.isInteger(times) && times > 1 ? `${times}·N` : "N";
  });
}

/** What Shape gives of a value, of so many batch sizes. */
export function shapeConstant(value: Value, start: number, end: number, batches: readonly number[]): Constant {
  const shapes = value.kind === "constant" ? [value.shape] : value.shapes;
  // Some images give so many times as many of something; what else an extent may be of them, a few sizes don't show.
  const isKnown = (axis: number) =>
    shapes.every((shape, batch) => Number.isInteger(shape[axis] / batches[batch])) &&
    shapes.every((shape, batch) => shape[axis] * batches[0] === shapes[0][axis] * batches[batch]);
  const isFixed = (axis: number) => shapes.every((shape) => shape[axis] === shapes[0][axis]);
  const variants = shapes.map((shape) =>
    Float64Array.from(shape, (extent, axis) => (isFixed(axis) || isKnown(axis) ? extent : NaN)).slice(start, end),
  );
  return constant("int64", [variants[0].length], ...variants);
}
