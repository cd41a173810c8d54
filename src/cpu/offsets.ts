/** Where elements lie: what the ops that move them share. */

import { elementCount, type Shape } from "../graph/tensor.ts";

/** Elements from one index of each axis to the next, in C order. */
export function stridesOf(shape: Shape): number[] {
  return shape.map((_, axis) => elementCount(shape.slice(axis + 1)));
}

/** The strides with which a value of `shape` is read as one of `wide`, to which it is broadcast: 0 where it stretches. */
export function broadcastStrides(shape: Shape, wide: Shape): number[] {
  const strides = stridesOf(shape);
  const lead = wide.length - shape.length;
  return wide.map((_, axis) => (axis < lead || shape[axis - lead] === 1 ? 0 : strides[axis - lead]));
}

/** For every index of `shape`, in C order, its offset: `start` plus each coordinate times its stride. */
export function offsetsOf(shape: Shape, strides: readonly number[], start = 0): Int32Array {
  let offsets = Int32Array.of(start);
  shape.forEach((extent, axis) => {
    const wider = new Int32Array(offsets.length * extent);
    offsets.forEach((offset, index) => {
      for (let at = 0; at < extent; at++) wider[index * extent + at] = offset + at * strides[axis];
    });
    offsets = wider;
  });
  return offsets;
}

/** The elements at the offsets, in their order. */
export function pick(data: Float32Array, offsets: Int32Array): Float32Array {
  return Float32Array.from(offsets, (offset) => data[offset]);
}
