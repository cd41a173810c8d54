/** Batches of the caller's: whether the arrays are right for the graph, and their parts. */

import { EngineError } from "../errors.ts";
import type { Graph, ValueId } from "../graph/graph.ts";
import { elementCount, elementsPerImage, formatShape, type Shape, type Tensor } from "../graph/tensor.ts";

/**
 * Arrays by the names of the graph's inputs, float32 in C order. Without a shape an array is a batch of as many images
 * as it holds. Values that are not finite are computed with as IEEE 754 has it: a NaN makes its own image's results NaN
 * wherever it reaches.
 */
export type Inputs = Readonly<Record<ValueId, Tensor | Float32Array>>;

/** A batch whose arrays fit the graph. */
export interface Batch {
  readonly images: number;
  readonly tensors: ReadonlyMap<ValueId, Tensor>;
}

/**
 * Checks arrays against the inputs of a graph; the images are what they bind `N` to, one where no input has it.
 * Throws EngineError "array" for an array that does not fit, "usage" for one that the graph has no input for.
 */
export function checkInputs({ name: network, inputs: wanted }: Graph, inputs: Inputs): Batch {
  if (typeof inputs !== "object" || inputs === null) {
    throw new EngineError("array", "inputs", `they are ${describe(inputs)}`, "give an object of arrays by input name");
  }
  const tensors = new Map(
    wanted.map(({ name, shape }) => [
      name,
      asTensor(name, shape, Object.hasOwn(inputs, name) ? inputs[name] : undefined),
    ]),
  );
  const free = wanted.find(({ shape }) => shape.includes("N"));
  const images = free ? (tensors.get(free.name)!.shape[free.shape.indexOf("N")] ?? 0) : 1;
  for (const { name, shape } of wanted) {
    const bound = shape.map((extent) => (extent === "N" ? images : extent));
    checkTensor(`input "${name}"`, tensors.get(name)!, bound);
  }
  for (const name of Object.keys(inputs)) {
    if (!tensors.has(name)) {
      const known = [...tensors.keys()].join(", ");
      throw new EngineError("usage", `input "${name}"`, `${network} has none`, `give ${known}`);
    }
  }
  return { images, tensors };
}

function asTensor(name: ValueId, wanted: readonly (number | string)[], input: unknown): Tensor {
  const subject = `input "${name}"`;
  const remedy = `give ${formatShape(wanted)}`;
  const concern = { shapes: { expected: wanted } };
  if (input === undefined) throw new EngineError("array", subject, "it is missing", remedy, concern);
  if (isFloat32Array(input)) {
    checkThere(subject, input, remedy);
    const image = wanted.reduce<number>((product, extent) => (extent === "N" ? product : product * Number(extent)), 1);
    const images = wanted.includes("N") ? Math.floor(input.length / image) : 1;
    return { shape: wanted.map((extent) => (extent === "N" ? images : Number(extent))), data: input };
  }
  const { shape, data } = Object(input) as Partial<Record<keyof Tensor, unknown>>;
  if (!isFloat32Array(data)) {
    const problem = data === undefined ? `it is ${describe(input)}` : `its data is ${describe(data)}`;
    throw new EngineError("array", subject, problem, `${remedy} as { shape, data: Float32Array }`, concern);
  }
  if (!Array.isArray(shape)) {
    throw new EngineError("array", subject, `its shape is ${describe(shape)}`, `${remedy} as an array`, concern);
  }
  if (shape.every((extent) => extent !== 0)) checkThere(subject, data, remedy);
  return { shape: shape as Shape, data };
}

/** Of whatever global scope. */
export function isFloat32Array(value: unknown): value is Float32Array {
  return ArrayBuffer.isView(value) && (value as Float32Array)[Symbol.toStringTag] === "Float32Array";
}

/** What was transferred to another thread leaves an array of no elements behind. */
function checkThere(subject: string, { length }: Float32Array, remedy: string): void {
  if (length > 0) return;
  throw new EngineError("array", subject, "it has no elements: it is empty, or was transferred away", remedy);
}

function checkTensor(subject: string, { shape, data }: Tensor, wanted: readonly (number | string)[]): void {
  const shapes = { given: shape, expected: wanted };
  if (shape.length !== wanted.length || shape.some((extent, axis) => extent !== wanted[axis] || extent < 1)) {
    throw new EngineError("array", subject, `its shape is ${formatShape(shape)}`, `give ${formatShape(wanted)}`, {
      shapes,
    });
  }
  if (data.length !== elementCount(shape)) {
    const problem = `it has ${data.length} elements for shape ${formatShape(shape)}`;
    throw new EngineError("array", subject, problem, `give ${elementCount(shape)}`, { shapes });
  }
}

/** What a value of a wrong type is, as people say it. */
export function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value !== "object") return `a ${typeof value}`;
  const { name } = (value as { constructor?: { name?: string } }).constructor ?? {};
  return name ? `${/^[AEIOU]/.test(name) ? "an" : "a"} ${name}` : "an object";
}

/**
 * `count` images of every input, from the image `start` on. Only inputs that are all batches are ever cut.
 * Throws EngineError "array" for an array that the caller transferred away, or shrank, since it was checked.
 */
export function slice({ images, tensors }: Batch, start: number, count: number): Map<ValueId, Float32Array> {
  return new Map(
    [...tensors].map(([id, { shape, data }]) => {
      if (data.length !== elementCount(shape)) {
        const problem = "it was transferred away, or shrank, before its turn came";
        throw new EngineError("array", `input "${id}"`, problem, "keep it until the call is settled");
      }
      const image = elementsPerImage(shape);
      return [id, count === images ? data : data.subarray(start * image, (start + count) * image)];
    }),
  );
}

/** Joins the parts of a batch along its first axis. */
export function join(parts: readonly Tensor[]): Tensor {
  if (parts.length === 1) return parts[0];
  const shape: Shape = parts[0].shape.with(
    0,
    parts.reduce((sum, part) => sum + part.shape[0], 0),
  );
  const data = new Float32Array(elementCount(shape));
  let offset = 0;
  for (const part of parts) {
    data.set(part.data, offset);
    offset += part.data.length;
  }
  return { shape, data };
}
