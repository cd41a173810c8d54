/**
 * A program that uses the engine as an embedder's does and then has nothing more to do: it must end by itself.
 * `child.ts right` runs a batch; `child.ts wrong` meets an error on the way; `child.ts lost` loses its device.
 */

import { openGpu } from "../../src/node/dawn.ts";
import { kernelsOnDisk } from "../../src/node/kernels.ts";
import { Session } from "../../src/webgpu/session.ts";
import { batchOf, tiny, weightsFor } from "./tiny.ts";

const [, , how] = process.argv;
const { device } = await openGpu();
try {
  using session = await Session.create(tiny, weightsFor(tiny, 1), { device, kernels: kernelsOnDisk });
  if (how === "lost") device.destroy();
  const data = batchOf(how === "wrong" ? 2 : 1, 1);
  const { prob } = await session.run({ data: how === "wrong" ? { ...data, shape: [1, 3, 8, 8] } : data });
  console.log(`sum ${prob.data.reduce((sum, value) => sum + value, 0).toFixed(3)}`);
} catch (error) {
  console.log(error instanceof Error ? error.message : error);
} finally {
  device.destroy();
}
