/** Indices along one axis picked by a constant list, in its order, as often as it names them. */

import { EngineError } from "../../errors.ts";
import { elementCount, formatShape, type Shape } from "../tensor.ts";
import { type Inferred, onlyInput, resolveAxis, shapeOnly } from "./op_rule.ts";

/** Picks indices along one axis, by a constant list. */
export interface Gather {
  readonly type: "gather";
  /** From the front, or negative from the back. */
  readonly axis: number;
  /** In C order; from the front, or negative from the back. */
  readonly indices: readonly number[];
  /** The shape of the list, which takes the axis' place: [] for one index leaves the axis out. */
  readonly indicesShape: Shape;
}

export function inferGather(subject: string, op: Gather, inputs: readonly Shape[]): Inferred {
  const shape = onlyInput(subject, inputs);
  const axis = resolveAxis(subject, op.axis, shape.length);
  if (op.indices.length !== elementCount(op.indicesShape)) {
    throw new EngineError(
      "graph",
      subject,
      `its ${op.indices.length} indices are not of shape ${formatShape(op.indicesShape)}`,
      "correct the layer's attributes",
    );
  }
  gatherIndices(subject, op, shape[axis]);
  return shapeOnly([...shape.slice(0, axis), ...op.indicesShape, ...shape.slice(axis + 1)]);
}

/** The indices counted from the front; throws where one lies beyond the axis. */
export function gatherIndices(subject: string, { indices }: Gather, extent: number): number[] {
  return indices.map((index) => {
    const resolved = index < 0 ? index + extent : index;
    if (!Number.isInteger(resolved) || resolved < 0 || resolved >= extent) {
      throw new EngineError(
        "graph",
        subject,
        `index ${index} is not among the ${extent} of its axis`,
        "correct the graph",
      );
    }
    return resolved;
  });
}
