/** Ops that leave the elements as they are and in their order, and at most call them by another shape. */

import { EngineError } from "../../errors.ts";
import { elementCount, formatShape, type Shape } from "../tensor.ts";
import { type Inferred, onlyInput, resolveAxes, resolveAxis, shapeOnly } from "./op_rule.ts";

/** Nothing at inference: Caffe scales while training. */
export interface Dropout {
  readonly type: "dropout";
  readonly ratio: number;
}

/** The input by another name. */
export interface Identity {
  readonly type: "identity";
}

/** The same elements in the same order under another shape. */
export type Reshape = { readonly type: "reshape" } &
  /** An extent 0 is the input's at that place (as in ONNX unless `allowzero`), one −1 what is left. */
  (
    | { readonly form: "shape"; readonly shape: Shape }
    /** Two axes: what stands before `axis` as one, and what stands from it on. From the front, or negative. */
    | { readonly form: "flatten"; readonly axis: number }
    /** Leaves axes of extent 1 out, those named. */
    | { readonly form: "squeeze"; readonly axes: readonly number[] }
    /** Puts axes of extent 1 in; `axes` are places in the output, from the front, or negative from its back. */
    | { readonly form: "unsqueeze"; readonly axes: readonly number[] }
  );

/** An op whose output is its input's memory. */
export type ViewOp = Dropout | Identity | Reshape;

const viewTypes: ReadonlySet<string> = new Set<ViewOp["type"]>(["dropout", "identity", "reshape"]);

export function isView(op: { readonly type: string }): op is ViewOp {
  return viewTypes.has(op.type);
}

export function inferReshape(subject: string, op: Reshape, inputs: readonly Shape[]): Inferred {
  const shape = onlyInput(subject, inputs);
  switch (op.form) {
    case "shape":
      return shapeOnly(resolveShape(subject, op.shape, shape));
    case "flatten": {
      // The axis may also be the one behind the last.
      const axis = op.axis === shape.length ? op.axis : resolveAxis(subject, op.axis, shape.length);
      return shapeOnly([elementCount(shape.slice(0, axis)), elementCount(shape.slice(axis))]);
    }
    case "squeeze": {
      const axes = resolveAxes(subject, op.axes, shape.length);
      for (const axis of axes) {
        if (shape[axis] !== 1) {
          throw new EngineError(
            "graph",
            subject,
            `axis ${axis} of ${formatShape(shape)} is not 1`,
            "correct the graph",
          );
        }
      }
      return shapeOnly(shape.filter((_, axis) => !axes.includes(axis)));
    }
    case "unsqueeze": {
      const rank = shape.length + op.axes.length;
      const axes = resolveAxes(subject, op.axes, rank);
      const rest = [...shape];
      return shapeOnly(Array.from({ length: rank }, (_, axis) => (axes.includes(axis) ? 1 : rest.shift()!)));
    }
    default:
      return op satisfies never;
  }
}

function resolveShape(subject: string, wanted: Shape, shape: Shape): Shape {
  const extents = wanted.map((extent, axis) => (extent === 0 ? (shape[axis] ?? 0) : extent));
  const free = extents.indexOf(-1);
  const others = elementCount(extents.filter((_, axis) => axis !== free));
  const resolved = free < 0 ? extents : extents.with(free, elementCount(shape) / others);
  if (
    elementCount(resolved) !== elementCount(shape) ||
    !resolved.every((extent) => Number.isInteger(extent) && extent > 0)
  ) {
    throw new EngineError(
      "graph",
      subject,
      `${formatShape(shape)} cannot be reshaped to ${formatShape(wanted)}`,
      "correct the graph",
    );
  }
  return resolved;
}
