/** Whether the machine has the memory for what is asked, before it is taken away from everybody else. */

import { totalmem } from "node:os";
import { EngineError } from "../errors.ts";
import { formatBytes } from "./format.ts";

/** @throws EngineError "out-of-memory" where the machine has less than that */
export function requireMemory(bytes: number, subject: string): void {
  const limit = process.constrainedMemory();
  const total = limit > 0 ? Math.min(limit, totalmem()) : totalmem();
  if (bytes > total) {
    throw new EngineError(
      "out-of-memory",
      subject,
      `it takes ${formatBytes(bytes)} of memory, and there are ${formatBytes(total)}`,
      "use a smaller batch or input",
    );
  }
}
