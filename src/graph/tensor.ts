/** Shapes and tensors: plain data that every room passes on. */

/** Extents, outermost first; images are (N, C, H, W). */
export type Shape = readonly number[];

/** A dense float32 tensor in C order. `data.length` is the product of `shape`. */
export interface Tensor {
  readonly shape: Shape;
  readonly data: Float32Array;
}

/** The number of elements of a tensor of this shape. */
export function elementCount(shape: Shape): number {
  return shape.reduce((product, extent) => product * extent, 1);
}

/** How many images a tensor of this shape has: its first extent. A scalar is one. */
export function imageCount(shape: Shape): number {
  return shape[0] ?? 1;
}

/** Elements of one of them. */
export function elementsPerImage(shape: Shape): number {
  return elementCount(shape.slice(1));
}

/** `8×3×224×224`; a scalar is `scalar`. */
export function formatShape(shape: readonly (number | string)[]): string {
  return shape.length === 0 ? "scalar" : shape.join("×");
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((extent, axis) => extent === b[axis]);
}
