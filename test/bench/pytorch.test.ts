/** The PyTorch peer, as far as it goes without a GPU: what needs PyTorch is skipped where python3 does not have it. */

import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { writeJobFiles } from "../../src/bench/job-files.ts";
import type { Report } from "../../src/bench/job.ts";
import { runReference } from "../../src/cpu/reference.ts";
import { writeSafetensors } from "../../src/formats/safetensors.ts";
import { googLeNet } from "../../src/graph/googlenet.ts";
import { inferShapesForBatch } from "../../src/graph/graph.ts";
import { fillWithNoise } from "../../src/verify/noise.ts";
import { seededWeights } from "../../src/weights/seed.ts";

const peers = path.resolve(import.meta.dirname, "../../bench/peers");
const python = process.env.GOOGLENET_PYTHON ?? "python3";
const runs = (code: string) => spawnSync(python, ["-c", code]).status === 0;
const hasPython = runs("");
const hasTorch = hasPython && runs("import torch");

const folder = mkdtempSync(path.join(tmpdir(), "googlenet-pytorch-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What a piece of Python prints, with the peer as `pytorch`; compiled files stay out of the checkout. */
function run(code: string, ...argv: string[]): string {
  const program = `import json, sys; sys.path.insert(0, ${JSON.stringify(peers)}); import pytorch\n${code}`;
  return execFileSync(python, ["-B", "-c", program, ...argv], { encoding: "utf8" });
}

describe.skipIf(!hasPython)("the PyTorch peer (needs python3)", () => {
  test("reads weights as this engine writes them", () => {
    const file = path.join(folder, "small.safetensors");
    const data = Float32Array.of(1.5, -2, 3e-8, 4, 5, 6);
    writeFileSync(file, writeSafetensors(new Map([["a/b.weight", { shape: [2, 3], data }]]), { model: "small" }));
    const code = `
import array
print(json.dumps({name: [shape, list(array.array("f", data))] for name, (shape, data) in pytorch.read_safetensors(sys.argv[1]).items()}))`;
    expect(JSON.parse(run(code, file))).toEqual({ "a/b.weight": [[2, 3], [...data]] });
  });

  test("says what keeps it from running", () => {
    const { problem } = JSON.parse(run(`print(json.dumps({"problem": pytorch.probe()}))`)) as { problem: string };
    if (!hasTorch) expect(problem).toBe("python3 has no PyTorch");
    else expect([null, "PyTorch finds no CUDA device"]).toContain(problem);
  });

  test("gives the reason of a failure as a message", () => {
    const { stdout, status } = spawnSync(
      python,
      ["-B", path.join(peers, "pytorch.py"), path.join(folder, "none.json")],
      {
        encoding: "utf8",
      },
    );
    expect(status).toBe(1);
    expect(stdout).toMatch(/^@bench \{"event": "failed", "reason": "(ModuleNotFound|FileNotFound)Error: /);
  });
});

describe.skipIf(!hasTorch)("PyTorch's network (needs PyTorch)", () => {
  test.each(["channels_last", "contiguous"])("gives the reference's probabilities, %s", async (memoryFormat) => {
    const graph = googLeNet();
    const shaped = inferShapesForBatch(graph, 1);
    const weights = seededWeights(shaped.parameters, 1);
    const data = new Float32Array(3 * 224 * 224);
    fillWithNoise(data, 1);
    const inputs = new Map([["data", { shape: [1, 3, 224, 224], data }]]);
    const { data: probabilities } = (await runReference(shaped, weights, inputs)).get("prob")!;
    const files = await writeJobFiles(folder, graph, weights, [{ data, probabilities }], {
      batch: 2,
      precision: "f32",
    });
    const settings = { mode: "eager", memoryFormat };
    const job = { batch: 2, precision: "f32", settings, files, warmups: 1, runs: 1, seconds: 1, brief: false };
    const code = `
import torch
with torch.inference_mode():
    print(json.dumps(pytorch.measure(torch, json.loads(sys.argv[1]), "cpu")))`;
    const lines = run(code, JSON.stringify(job)).trim().split("\n");
    expect(lines[0]).toBe('@bench {"event": "first"}');
    const report = JSON.parse(lines[1]) as Report;
    expect(report.maxAbsError).toBeLessThan(1e-6);
    expect(report).toMatchObject({ adapter: "cpu", inFlight: { depth: 32 } });
  });
});
