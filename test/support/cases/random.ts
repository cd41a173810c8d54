/** Random cases of the ops that work on arrays of any rank: extents of 1 and more, ranks to 6, axes from either end. */

import fc from "fast-check";
import type { Op } from "../../../src/graph/ops.ts";
import { elementCount, type Shape } from "../../../src/graph/tensor.ts";
import { type OpCase, opCase } from "./op_case.ts";

const kinds = [
  "binary",
  "matmul",
  "reduce",
  "transpose",
  "slice",
  "gather",
  "pad",
  "softmax",
  "concat",
  "scale",
] as const;

/** Random choices, taken in turn. */
type Choose = (most: number) => number;

const choices = fc.infiniteStream(fc.nat(2 ** 20)).map((stream): Choose => {
  return (most) => stream.next().value % (most + 1);
});

export const randomCase: fc.Arbitrary<OpCase> = fc
  .record({
    kind: fc.constantFrom(...kinds),
    shape: fc.array(fc.oneof(fc.constant(1), fc.integer({ min: 2, max: 5 })), { minLength: 1, maxLength: 6 }),
    choose: choices,
  })
  .map(({ kind, shape, choose }) => opCase(...build(kind, shape, choose)));

function build(kind: (typeof kinds)[number], shape: Shape, choose: Choose): [Op, Shape[]] {
  const rank = shape.length;
  const fromEitherEnd = (axis: number) => (choose(1) === 0 ? axis : axis - rank);
  const someAxes = () => [...shape.keys()].filter(() => choose(1) === 0);
  switch (kind) {
    case "binary": {
      const stretched = shape.slice(choose(rank)).map((extent) => (choose(2) === 0 ? 1 : extent));
      const inputs = choose(1) === 0 ? [shape, stretched] : [stretched, shape];
      return [{ type: "binary", function: (["add", "sub", "mul", "max", "min"] as const)[choose(4)] }, inputs];
    }
    case "matmul": {
      const [transposeA, transposeB] = [choose(1) === 1, choose(1) === 1];
      const [rows, columns, inner] = [1 + choose(8), 1 + choose(8), 1 + choose(8)];
      const stack = shape.slice(0, 4);
      const other = stack.slice(choose(stack.length)).map((extent) => (choose(1) === 0 ? 1 : extent));
      const a = [...stack, ...(transposeA ? [inner, rows] : [rows, inner])];
      const b = [...other, ...(transposeB ? [columns, inner] : [inner, columns])];
      return [{ type: "matmul", transposeA, transposeB }, [a, b]];
    }
    case "reduce": {
      const axes = someAxes().map(fromEitherEnd);
      const name = (["mean", "sum", "max", "min"] as const)[choose(3)];
      return [
        { type: "reduce", function: name, axes: axes.length > 0 ? axes : [-1], keepDims: choose(1) === 0 },
        [shape],
      ];
    }
    case "transpose": {
      const permutation: number[] = [];
      for (const axis of shape.keys()) permutation.splice(choose(permutation.length), 0, axis);
      return [{ type: "transpose", permutation }, [shape]];
    }
    case "slice": {
      const ranges = someAxes().map((axis) => {
        const extent = shape[axis];
        const first = choose(extent - 1);
        const last = first + choose(extent - 1 - first);
        const step = 1 + choose(2);
        const name = fromEitherEnd(axis);
        return choose(1) === 0
          ? { axis: name, start: first, end: last + 1 === extent ? 99 : last + 1, step }
          : { axis: name, start: last - extent, end: first === 0 ? -99 : first - 1, step: -step };
      });
      return [{ type: "slice", ranges }, [shape]];
    }
    case "gather": {
      const axis = choose(rank - 1);
      const indicesShape = [[], [1 + choose(3)], [2, 1 + choose(1)]][choose(2)];
      const extent = shape[axis];
      const indices = Array.from({ length: elementCount(indicesShape) }, () => choose(2 * extent - 1) - extent);
      return [{ type: "gather", axis: fromEitherEnd(axis), indices, indicesShape }, [shape]];
    }
    case "pad": {
      const mode = (["constant", "edge", "reflect"] as const)[choose(2)];
      const some = (extent: number) => choose(mode === "reflect" ? Math.min(2, extent - 1) : 2);
      return [{ type: "pad", before: shape.map(some), after: shape.map(some), mode, value: choose(9) }, [shape]];
    }
    case "softmax": {
      const [trailing, log] = [choose(1) === 0, choose(1) === 0];
      return [{ type: "softmax", axis: fromEitherEnd(choose(rank - 1)), trailing, log }, [shape]];
    }
    case "concat": {
      const axis = choose(rank - 1);
      const inputs = Array.from({ length: 1 + choose(2) }, () => shape.with(axis, 1 + choose(4)));
      return [{ type: "concat", axis: fromEitherEnd(axis) }, inputs];
    }
    case "scale": {
      if (rank === 1) return build("scale", [2, ...shape], choose);
      const axis = 1 + choose(rank - 2);
      return [{ type: "scale", axis, axes: 1 + choose(rank - 1 - axis), bias: choose(1) === 0 }, [shape]];
    }
    default:
      return kind satisfies never;
  }
}
