/**
 * Values that are known before anything runs: weights, and the integers that files compute shapes and indices with.
 * What depends on the batch size is known for each of a few batch sizes, which tells it from what doesn't.
 */

import { resolveAxis } from "../../graph/ops/op_rule.ts";
import { broadcastShapes } from "../../graph/ops/broadcast.ts";
import { type Gather, gatherIndices } from "../../graph/ops/gather.ts";
import { type Slice, sliceAxes } from "../../graph/ops/slice.ts";
import { elementCount, sameShape, type Shape } from "../../graph/tensor.ts";
import { MalformedFile } from "../protobuf.ts";
import { type ElementType, isFloat } from "./tensor.ts";

export type Numbers = Float32Array | Float64Array;

export interface Constant {
  readonly kind: "constant";
  readonly type: ElementType;
  readonly shape: Shape;
  /**
   * The elements: one array, or, where they depend on the batch size, one for each that is looked at. Elements whose
   * value for other batch sizes doesn't follow from these are NaN: 7 / 16 is what 11 / 16 is, and 16 / 16 is not.
   */
  readonly variants: readonly Numbers[];
}

export function constant(type: ElementType, shape: Shape, ...variants: readonly Numbers[]): Constant {
  const [first, ...others] = variants;
  const same = others.every((other) => other.length === first.length && other.every((value, i) => value === first[i]));
  return { kind: "constant", type, shape, variants: same ? [first] : variants };
}

/** int64 of one axis, or a scalar. */
export function integerConstant(shape: Shape, ...variants: readonly (readonly number[])[]): Constant {
  return constant("int64", shape, ...variants.map((each) => Float64Array.from(each)));
}

/** The same elements under another shape. */
export function reshaped({ type, variants }: Constant, shape: Shape): Constant {
  return { kind: "constant", type, shape, variants };
}

/** Elements from one index of each axis to the next. */
function stridesOf(shape: Shape): number[] {
  return shape.map((_, axis) => elementCount(shape.slice(axis + 1)));
}

/** start + slope · batch size */
interface Line {
  readonly start: number;
  readonly slope: number;
}

/** So is what isn't known. */
function isVarying({ slope }: Line): boolean {
  return slope !== 0;
}

/** Whether it is a whole number for each batch size. */
function isWhole({ start, slope }: Line): boolean {
  return Number.isInteger(start) && Number.isInteger(slope);
}

/** How constants are computed with. */
const calculations = {
  add: (x: number, y: number) => x + y,
  sub: (x: number, y: number) => x - y,
  mul: (x: number, y: number) => x * y,
  div: (x: number, y: number) => x / y,
};

export type Calculation = keyof typeof calculations;

export function isCalculation(name: string): name is Calculation {
  return Object.hasOwn(calculations, name);
}

/** Whether a function of two straight lines is one again, rounded to integers or not. */
function staysLine(name: Calculation, x: Line, y: Line, real: boolean): boolean {
  switch (name) {
    case "add":
    case "sub":
      return true;
    case "mul":
      return !isVarying(x) || !isVarying(y);
    case "div": {
      // By a number, or of what is everywhere so many times the other.
      const quotient = isVarying(y)
        ? { start: x.slope * y.start === x.start * y.slope ? x.slope / y.slope : NaN, slope: 0 }
        : { start: x.start / y.start, slope: x.slope / y.start };
      return real ? Number.isFinite(quotient.start) : isWhole(quotient);
    }
  }
}

/** The variants of several constants side by side. */
function together(values: readonly Constant[]): Numbers[][] {
  const count = Math.max(...values.map(({ variants }) => variants.length));
  return Array.from({ length: count }, (_, batch) => values.map(({ variants }) => variants[batch] ?? variants[0]));
}

/** Computes constants in so much memory in all: a small file can ask for any amount. */
export class Folding {
  private left: number;
  private readonly batches: readonly number[];

  /** @param batches the batch sizes that variants are of */
  constructor(bytes: number, batches: readonly number[]) {
    this.left = bytes;
    this.batches = batches;
  }

  /** Says that memory is taken. */
  spend(bytes: number): void {
    this.left -= bytes;
    if (!(this.left >= 0)) throw new MalformedFile("its constants take much more memory than the file");
  }

  /** As Cast makes it: to integers by leaving fractions out, to truth by comparing with 0. */
  cast(value: Constant, type: ElementType): Constant {
    const wide = type !== "float" && type !== "float16";
    if (!wide && value.variants.every((data) => data instanceof Float32Array)) return { ...value, type };
    const convert = (each: number) => (type === "bool" ? Number(each !== 0) : isFloat(type) ? each : Math.trunc(each));
    const variants = value.variants.map((data) => {
      const result = this.allocate(type, data.length);
      for (let i = 0; i < data.length; i++) result[i] = convert(data[i]);
      return result;
    });
    const stays = (line: Line) => type !== "bool" && (isFloat(type) || isWhole(line));
    this.forget(variants, (i) => {
      const line = this.line(value.variants, i);
      return !isVarying(line) || (stays(line) && isVarying(this.line(variants, i)));
    });
    return constant(type, value.shape, ...variants);
  }

  transpose(value: Constant, permutation: readonly number[]): Constant {
    const strides = stridesOf(value.shape);
    const shape = permutation.map((axis) => value.shape[axis]);
    return this.walked(
      value,
      shape,
      permutation.map((axis) => strides[axis]),
    );
  }

  slice(subject: string, value: Constant, op: Slice): Constant {
    const axes = sliceAxes(subject, op, value.shape);
    const strides = stridesOf(value.shape);
    return this.walked(
      value,
      axes.map(({ count }) => count),
      axes.map(({ step }, axis) => step * strides[axis]),
      axes.reduce((sum, { start }, axis) => sum + start * strides[axis], 0),
    );
  }

  gather(subject: string, value: Constant, op: Gather): Constant {
    const axis = resolveAxis(subject, op.axis, value.shape.length);
    const indices = gatherIndices(subject, op, value.shape[axis]);
    const inner = elementCount(value.shape.slice(axis + 1));
    const outer = elementCount(value.shape.slice(0, axis));
    const shape = [...value.shape.slice(0, axis), ...op.indicesShape, ...value.shape.slice(axis + 1)];
    const variants = value.variants.map((data) => {
      const result = this.allocate(value.type, elementCount(shape));
      for (let row = 0; row < outer; row++) {
        for (const [place, index] of indices.entries()) {
          const from = (row * value.shape[axis] + index) * inner;
          result.set(data.subarray(from, from + inner), (row * indices.length + place) * inner);
        }
      }
      return result;
    });
    return constant(value.type, shape, ...variants);
  }

  /** Constants of one type and of shapes that can be joined. */
  concat(values: readonly Constant[], axis: number, shape: Shape): Constant {
    const [{ type }] = values;
    const outer = elementCount(shape.slice(0, axis));
    const rows = values.map((value) => elementCount(value.shape.slice(axis)));
    const row = elementCount(shape.slice(axis));
    const variants = together(values).map((parts) => {
      const result = this.allocate(type, outer * row);
      for (let i = 0; i < outer; i++) {
        let offset = i * row;
        for (const [index, part] of parts.entries()) {
          result.set(part.subarray(i * rows[index], (i + 1) * rows[index]), offset);
          offset += rows[index];
        }
      }
      return result;
    });
    return constant(type, shape, ...variants);
  }

  /** A function of two elements, of constants of one type that are broadcast to one shape; of integers an integer. */
  binary(subject: string, a: Constant, b: Constant, name: Calculation): Constant {
    const shape = broadcastShapes(subject, a.shape, b.shape);
    const calculate = calculations[name];
    const [spreadA, spreadB] = [a, b].map((value) => this.broadcast(value, shape));
    const variants = together([spreadA, spreadB]).map(([x, y]) => {
      const result = this.allocate(a.type, x.length);
      for (let i = 0; i < x.length; i++) {
        result[i] = isFloat(a.type) ? calculate(x[i], y[i]) : Math.trunc(calculate(x[i], y[i]));
      }
      return result;
    });
    this.forget(variants, (i) => {
      const [x, y] = [spreadA, spreadB].map((value) => this.line(value.variants, i));
      return (!isVarying(x) && !isVarying(y)) || staysLine(name, x, y, isFloat(a.type));
    });
    return constant(a.type, shape, ...variants);
  }

  /** Stretched to a wider shape. */
  broadcast(value: Constant, shape: Shape): Constant {
    if (sameShape(value.shape, shape)) return value;
    const lead = shape.length - value.shape.length;
    const strides = stridesOf(value.shape);
    const steps = shape.map((_, axis) => (axis < lead || value.shape[axis - lead] === 1 ? 0 : strides[axis - lead]));
    return this.walked(value, shape, steps);
  }

  /** The elements that lie `strides` apart, from `start` on. */
  private walked(value: Constant, shape: Shape, strides: readonly number[], start = 0): Constant {
    const walk = (data: Numbers): Numbers => {
      const result = this.allocate(value.type, elementCount(shape));
      const index = shape.map(() => 0);
      let position = start;
      for (let i = 0; i < result.length; i++) {
        result[i] = data[position];
        for (let axis = shape.length - 1; axis >= 0; axis--) {
          position += strides[axis];
          if (++index[axis] < shape[axis]) break;
          position -= strides[axis] * shape[axis];
          index[axis] = 0;
        }
      }
      return result;
    };
    return constant(value.type, shape, ...value.variants.map(walk));
  }

  /** How an element goes with the batch size, as a straight line through what is known of it. */
  private line(variants: readonly Numbers[], index: number): Line {
    const [first] = variants;
    if (variants.length === 1) return { start: first[index], slope: 0 };
    const [from, to] = this.batches;
    const slope = (variants[1][index] - first[index]) / (to - from);
    return { start: first[index] - from * slope, slope };
  }

  /** Makes elements NaN that do not go on as a straight line from the batch sizes that are looked at to others. */
  private forget(variants: readonly Numbers[], goesOn: (index: number) => boolean): void {
    if (variants.length === 1) return;
    for (let i = 0; i < variants[0].length; i++) {
      if (goesOn(i)) continue;
      for (const data of variants) data[i] = NaN;
    }
  }

  private allocate(type: ElementType, elements: number): Numbers {
    const single = type === "float" || type === "float16";
    this.spend(elements * (single ? 4 : 8));
    return single ? new Float32Array(elements) : new Float64Array(elements);
  }
}
