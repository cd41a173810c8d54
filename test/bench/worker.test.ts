/** The process of an engine that lets go of everything ends by itself; one that can't be let go of is ended. */

import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { afterAll, describe, expect, test } from "vitest";

const folder = mkdtempSync(path.join(tmpdir(), "googlenet-worker-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const worker = fileURLToPath(new URL("../../src/bench/worker.ts", import.meta.url));
/** Far longer than a worker of these takes, far shorter than what holds its process. */
const TIMEOUT_MS = 20_000;

/** Runs a worker on a pretended engine; `hold` is code that the engine runs when opened, `close` when closed. */
function work(
  name: string,
  { hold = "", close = "", run = "", exports = "" },
): Promise<{ out: string; code: unknown }> {
  const file = (extension: string) => path.join(folder, `${name}${extension}`);
  writeFileSync(file(".f32"), new Float32Array([1]));
  writeFileSync(
    file(".mjs"),
    `${exports}
    export async function open() {
      ${hold}
      const engine = { adapter: "none", versions: {}, prepare: (input) => input, close() { ${close} } };
      return { ...engine, async run(input) { ${run} return input; } };
    }`,
  );
  const job = {
    ...{ module: pathToFileURL(file(".mjs")).href, batch: 1, warmups: 0, runs: 1, seconds: 1, brief: true },
    files: { inputs: [file(".f32")], expected: [file(".f32")] },
  };
  writeFileSync(file(".json"), JSON.stringify(job));
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      ["--import", "tsx", worker, file(".json")],
      { timeout: TIMEOUT_MS, killSignal: "SIGKILL" },
      (error, out) => resolve({ out, code: error ? (error.killed ? "killed" : error.code) : 0 }),
    );
  });
}

const held = "const timer = setInterval(() => undefined, 1000);";

describe("a worker's process", () => {
  test("ends by itself once the engine is closed, not before", async () => {
    const later = `setTimeout(() => console.log("and the last is done"), 300);`;
    const { out, code } = await work("free", { hold: held, close: `clearInterval(timer); ${later}` });
    expect(out).toMatch(/"event":"done".*\nand the last is done\n$/);
    expect(code).toBe(0);
  });

  test("ends by itself where a run fails, for the engine is closed then, too", async () => {
    const { out, code } = await work("failing", {
      hold: held,
      run: `throw new Error("no such kernel");`,
      close: "clearInterval(timer);",
    });
    expect(out).toBe('@bench {"event":"failed","reason":"no such kernel"}\n');
    expect(code).toBe(1);
  });

  test("is ended where the engine says that it never lets go", async () => {
    const { out, code } = await work("held", { hold: held, exports: "export const holdsProcess = true;" });
    expect(out).toContain('"event":"done"');
    expect(code).toBe(0);
  });
});
