/** The process in which an engine is measured: `node worker.js JOB.json`. It ends when it has said what it found. */

import { readFileSync } from "node:fs";
import { floatsFromBytes } from "../formats/floats.ts";
import { type EngineModule, type Job, type Message, MESSAGE_MARK, type Report } from "./job.ts";
import { timeEngine } from "./timing.ts";

function say(message: Message): Promise<void> {
  return new Promise((resolve) => process.stdout.write(`${MESSAGE_MARK}${JSON.stringify(message)}\n`, () => resolve()));
}

function readFloats(file: string): Float32Array {
  return floatsFromBytes(readFileSync(file), "F32");
}

async function work(job: Job, engineModule: EngineModule): Promise<void> {
  const inputs = job.files.inputs.map(readFloats);
  const expected = job.files.expected.map(readFloats);
  const engine = await engineModule.open(job);
  let report: Report;
  try {
    report = await timeEngine(engine, {
      ...job,
      inputs,
      expected,
      onFirst: () => void say({ event: "first" }),
    });
  } finally {
    engine.close();
  }
  await say({ event: "done", report });
}

let holdsProcess = false;
try {
  const job = JSON.parse(readFileSync(process.argv[2], "utf8")) as Job;
  const engineModule = (await import(job.module!)) as EngineModule;
  holdsProcess = engineModule.holdsProcess ?? false;
  await work(job, engineModule);
} catch (error) {
  process.exitCode = 1;
  await say({ event: "failed", reason: error instanceof Error ? error.message : String(error) });
}
// An engine that lets go of everything lets its process end by itself, as ours does. Some of the others leave threads
// and devices behind that nobody here can let go of: theirs would never end.
if (holdsProcess) process.exit();
