/** NumPy's broadcasting: shapes are aligned at their last axes, and an extent of 1 stretches to any. */

import { EngineError } from "../../errors.ts";
import { formatShape, type Shape } from "../tensor.ts";

/** The shape that both stretch to; throws where they do not fit. */
export function broadcastShapes(subject: string, a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, axis) => {
    const [first, second] = [a, b].map((shape) => shape[axis - rank + shape.length] ?? 1);
    if (first !== second && first !== 1 && second !== 1) {
      throw new EngineError(
        "graph",
        subject,
        `shapes ${formatShape(a)} and ${formatShape(b)} do not fit each other`,
        "correct the graph",
      );
    }
    return first === 1 ? second : first;
  });
}
