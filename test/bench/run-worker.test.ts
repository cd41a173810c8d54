import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { runWorker, WorkerFailure } from "../../src/bench/run-worker.ts";

const folder = mkdtempSync(path.join(tmpdir(), "googlenet worker "));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const report = { adapter: null, versions: {}, times: [1], timesWithoutReadback: null, inFlight: null, maxAbsError: 0 };
const say = (message: object) => `process.stdout.write(${JSON.stringify(`@bench ${JSON.stringify(message)}\n`)});`;
const [first, done] = [say({ event: "first" }), say({ event: "done", report })];

let scripts = 0;
function work(code: string, { signal = new AbortController().signal, timeoutSeconds = 60 } = {}) {
  const script = path.join(folder, `worker${scripts++}.cjs`);
  writeFileSync(script, code);
  return runWorker({ program: process.execPath, argv: [script] }, "job.json", { signal, timeoutSeconds });
}

describe("a worker process", () => {
  test("is heard among whatever else it prints", async () => {
    const result = await work(`console.log("Dawn says hello"); ${first} console.error("warning"); ${done}`);
    expect(result.report).toEqual(report);
  });

  test("is timed from its start to its first result", async () => {
    const { coldMs } = await work(`setTimeout(() => { ${first} setTimeout(() => { ${done} }, 1500) }, 300)`);
    expect(coldMs).toBeGreaterThan(300);
    expect(coldMs).toBeLessThan(1700);
  });

  test("gets the job's file", async () => {
    const code = `process.stdout.write('@bench ' + JSON.stringify({ event: "failed", reason: process.argv[2] }))`;
    await expect(work(code)).rejects.toEqual(new WorkerFailure("job.json"));
  });

  test("may crash when all is said", async () => {
    expect((await work(`${first} ${done} process.kill(process.pid, "SIGSEGV")`)).report).toEqual(report);
  });

  test.each([
    ["says that it failed", say({ event: "failed", reason: "no adapter\nat all" }), "no adapter at all"],
    ["ends early", `console.error("one"); console.error("two"); process.exit(3)`, "it ended with 3: two"],
    ["dies", `process.kill(process.pid, "SIGKILL")`, "it died of SIGKILL: it said nothing"],
    ["forgets its first result", done, "it ended with 0: it said nothing"],
  ])("that %s gives its reason in a line", async (_, code, reason) => {
    await expect(work(code)).rejects.toEqual(new WorkerFailure(reason));
  });

  test("that can't be started gives its reason", async () => {
    const options = { signal: new AbortController().signal, timeoutSeconds: 60 };
    await expect(runWorker({ program: path.join(folder, "none"), argv: [] }, "", options)).rejects.toThrow(/ENOENT/);
  });

  test("is killed when it takes too long", async () => {
    const failure = new WorkerFailure("it was not done after 0.3 s");
    await expect(work(`setInterval(() => {}, 1000)`, { timeoutSeconds: 0.3 })).rejects.toEqual(failure);
  });

  test("has all the time in the world where seconds are not limited", async () => {
    const timeoutSeconds = 4 * Number.MAX_SAFE_INTEGER;
    expect((await work(`setTimeout(() => { ${first} ${done} }, 200)`, { timeoutSeconds })).report).toEqual(report);
  });

  test("is killed when the bench is told to stop", async () => {
    const stop = new AbortController();
    const reason = new Error("interrupted");
    setTimeout(() => stop.abort(reason), 300);
    await expect(work(`setInterval(() => {}, 1000)`, { signal: stop.signal })).rejects.toBe(reason);
    await expect(work(first + done, { signal: stop.signal })).rejects.toBe(reason);
  });
});
