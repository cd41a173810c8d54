/** What files of models have in common, whatever wrote them: inputs whose extents may be open, and blobs to ask for. */

import { EngineError } from "../errors.ts";
import type { GraphInput, ValueId } from "../graph/graph.ts";
import type { Model } from "../graph/model.ts";
import { formatShape, type Shape } from "../graph/tensor.ts";
import { isExtent } from "./extents.ts";

/** What a file's model is bound to, and what it is to give. */
export interface ModelOptions {
  /**
   * What the extents of the inputs are that the file leaves open (symbolic dimensions), by their names,
   * `{ height: 224, width: 224 }`; one without a name goes by its input and axis, `data[2]`. Each of them has to be
   * given but for the batch size, which may stay open. A Caffe file's is called `N`.
   */
  readonly freeDimensionOverrides?: Readonly<Record<string, number>>;
  /** The blobs that the model gives, any of them; the file's outputs unless given. */
  readonly outputs?: readonly ValueId[];
}

/** A file that is read, but not yet bound to sizes. */
export interface ModelFile {
  /** What it is called in errors. */
  readonly name: string;
  /** Extents that the file leaves open have names. */
  readonly inputs: readonly GraphInput[];
  readonly outputs: readonly ValueId[];
  /** Every value that the model can give. */
  readonly blobs: readonly ValueId[];
  /** The extent that may stay open, if there is one. */
  readonly batch: string | undefined;
  /** The model for these sizes. Its batch size is `N` where it stays open. */
  model(options?: ModelOptions): Promise<Model>;
}

/**
 * Refuses what the inputs don't leave open, and what no extent is.
 *
 * @throws EngineError "usage"
 */
export function checkOverrides({ name: file, inputs }: ModelFile, overrides: Readonly<Record<string, number>>): void {
  const known = new Set(inputs.flatMap(({ shape }) => shape.filter((extent) => typeof extent === "string")));
  for (const [name, extent] of Object.entries(overrides)) {
    const subject = `free dimension "${name}"`;
    if (!known.has(name)) {
      const remedy = known.size === 0 ? "leave it out" : `give ${[...known].join(", ")}`;
      throw new EngineError("usage", subject, `${file} has none of that name`, remedy);
    }
    if (!isExtent(extent) || extent < 1) {
      throw new EngineError("usage", subject, `it is ${extent}`, "give a whole number from 1");
    }
  }
}

/** What an input's extent is: a number, or what a name is overridden with. @throws EngineError "usage" where it isn't */
export function boundExtent(
  { name }: GraphInput,
  extent: number | string,
  overrides: Readonly<Record<string, number>>,
): number {
  if (typeof extent === "number") return extent;
  if (Object.hasOwn(overrides, extent)) return overrides[extent];
  const remedy = `say what it is: freeDimensionOverrides { "${extent}": … }`;
  throw new EngineError("usage", `input "${name}"`, `its extent ${extent} is open`, remedy);
}

/**
 * What the open extents are, as arrays of these shapes have them.
 *
 * @throws EngineError "array" for a shape that doesn't fit, or that contradicts another
 */
export function extentsOf(inputs: readonly GraphInput[], shapes: ReadonlyMap<ValueId, Shape>): Record<string, number> {
  const extents = new Map<string, number>();
  for (const { name, shape: wanted } of inputs) {
    const shape = shapes.get(name) ?? [];
    const bind = (open: string, extent: number): number => {
      if (!extents.has(open)) extents.set(open, extent);
      return extents.get(open)!;
    };
    const fits =
      shape.length === wanted.length &&
      shape.every((extent, axis) => {
        const expected = wanted[axis];
        return extent >= 1 && extent === (typeof expected === "number" ? expected : bind(expected, extent));
      });
    if (!fits) {
      const bound = wanted.map((extent) => (typeof extent === "string" ? (extents.get(extent) ?? extent) : extent));
      throw new EngineError(
        "array",
        `input "${name}"`,
        `its shape is ${shapes.has(name) ? formatShape(shape) : "missing"}`,
        `give ${formatShape(bound)}`,
        { shapes: { given: shape, expected: bound } },
      );
    }
  }
  return Object.fromEntries(extents);
}

/**
 * The model for arrays of these shapes. The batch size stays open, so that other batches run too, unless something in
 * the model depends on it.
 *
 * Rejects with EngineError "array" where a shape doesn't fit, and as `ModelFile.model` does.
 */
export async function modelFor(
  file: ModelFile,
  shapes: ReadonlyMap<ValueId, Shape>,
  options: Pick<ModelOptions, "outputs"> = {},
): Promise<Model> {
  const freeDimensionOverrides = extentsOf(file.inputs, shapes);
  const { batch } = file;
  if (batch === undefined) return file.model({ ...options, freeDimensionOverrides });
  const others = Object.fromEntries(Object.entries(freeDimensionOverrides).filter(([name]) => name !== batch));
  try {
    return await file.model({ ...options, freeDimensionOverrides: others });
  } catch (error) {
    if (!(error instanceof EngineError) || error.code !== "model") throw error;
    // It may be right for this very batch; and if not, that tells more, with no extent open.
    return file.model({ ...options, freeDimensionOverrides });
  }
}
