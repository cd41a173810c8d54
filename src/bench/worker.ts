/** The process in which an engine is measured: `node worker.js JOB.json`. It ends when it has said what it found. */

import { readFileSync } from "node:fs";
import { floatsFromBytes } from "../formats/floats.ts";
import { type EngineModule, type Job, type Message, MESSAGE_MARK } from "./job.ts";
import { timeEngine } from "./timing.ts";

function say(message: Message): Promise<void> {
  return new Promise((resolve) => process.stdout.write(`${MESSAGE_MARK}${JSON.stringify(message)}\n`, () => resolve()));
}

function readFloats(file: string): Float32Array {
  return floatsFromBytes(readFileSync(file), "F32");
}

async function work(job: Job): Promise<void> {
  const inputs = job.files.inputs.map(readFloats);
  const expected = job.files.expected.map(readFloats);
  const engineModule = (await import(job.module!)) as EngineModule;
  const engine = await engineModule.open(job);
  const report = await timeEngine(engine, {
    ...job,
    inputs,
    expected,
    onFirst: () => void say({ event: "first" }),
  });
  engine.close();
  await say({ event: "done", report });
}

try {
  await work(JSON.parse(readFileSync(process.argv[2], "utf8")) as Job);
  // Engines' own threads and timers must not keep the process.
  process.exit(0);
} catch (error) {
  await say({ event: "failed", reason: error instanceof Error ? error.message : String(error) });
  process.exit(1);
}
