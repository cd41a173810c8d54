/**
 * Sessions that come and go on one device, beside one that stays: `node --expose-gc … turnover.ts COUNT` makes, uses and
 * disposes of so many, and prints one JSON object, a TurnoverResult.
 */

import type { Graph } from "../../src/graph/graph.ts";
import { openGpu } from "../../src/node/dawn.ts";
import { kernelsOnDisk } from "../../src/node/kernels.ts";
import { Session } from "../../src/webgpu/session.ts";
import { keepLedger } from "../support/gpu_ledger.ts";
import { batchOf, tiny, weightsFor } from "./tiny.ts";

export interface TurnoverResult {
  readonly sessions: number;
  /** After a tenth of the sessions, and after all: garbage collected. */
  readonly memory: readonly { readonly heapBytes: number; readonly residentBytes: number }[];
  /** GPU buffers made altogether; those that live beside the session that stays. */
  readonly buffersMade: number;
  readonly buffersLeft: number;
  /** Whether every session, and the one that stays at the end, gave the same bits. */
  readonly same: boolean;
}

const total = Number(process.argv[2] ?? 200);
const collect = globalThis.gc;
if (!collect) throw new Error("start it with node --expose-gc");

/** What tiny begins with: compiling takes most of a session's life, and more layers would only take longer. */
const graph: Graph = { ...tiny, nodes: tiny.nodes.slice(0, 4), outputs: ["pool"] };
const model = { graph, weights: weightsFor(graph, 1) };
const data = batchOf(2, 1);

const { device } = await openGpu();
const ledger = keepLedger(device);
const staying = await Session.create(model, { device, kernels: kernelsOnDisk, batch: 2 });
const { pool: expected } = await staying.run({ data });
const buffersBefore = ledger.live;
const memory: { heapBytes: number; residentBytes: number }[] = [];
let same = true;
const check = ({ data: values }: { data: Float32Array }) => {
  same &&= values.length === expected.data.length && values.every((value, index) => value === expected.data[index]);
};

for (let made = 1; made <= total; made++) {
  {
    using session = await Session.create(model, { device, kernels: kernelsOnDisk });
    const [{ pool }] = await Promise.all([session.run({ data }), session.run({ data: batchOf(1, made) })]);
    check(pool);
  }
  if (made === Math.ceil(total / 10) || made === total) {
    // The device answers for what was destroyed before garbage is looked for.
    await device.queue.onSubmittedWorkDone();
    collect();
    collect();
    const { heapUsed: heapBytes, rss: residentBytes } = process.memoryUsage();
    memory.push({ heapBytes, residentBytes });
  }
}
const buffersLeft = ledger.live - buffersBefore;
check((await staying.run({ data })).pool);
staying.dispose();
device.destroy();
const result: TurnoverResult = { sessions: total, memory, buffersMade: ledger.made, buffersLeft, same };
console.log(JSON.stringify(result));
