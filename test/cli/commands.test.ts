/** The demonstration, `plan`, `bench`, `profile`, `devices` and `weights`. */
import { mkdtempSync, readFileSync, rmSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { googLeNet } from "../../src/graph/googlenet.ts";
import { inferShapesForBatch } from "../../src/graph/graph.ts";
import { writeSafetensors } from "../../src/formats/safetensors.ts";
import { writeFileAtomically } from "../../src/node/atomic-write.ts";
import { seededWeights } from "../../src/weights/seed.ts";
import { describeGpu } from "../support/gpu.ts";
import { googlenet, NO_ADAPTER, objects, weightsAreDownloaded } from "./googlenet.ts";

const SEEDED = ["--weights", "seed:1"];
const folder = mkdtempSync(path.join(tmpdir(), "googlenet commands "));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("plan", () => {
  test("prints a line a step and the totals, without a GPU", async () => {
    const { status, stdout, stderr } = await googlenet(["plan", ...SEEDED, "--json"], { env: NO_ADAPTER });
    expect(status).toBe(0);
    expect(stderr).toBe("planned for the limits of WebGPU's defaults (there is no adapter)\n");
    const steps = objects(stdout);
    const totals = steps.pop()!;
    expect(Object.keys(steps[0]).slice(0, 7)).toEqual([
      ...["step", "kernel", "constants", "workgroups", "slots", "bytes", "macs"],
    ]);
    expect(steps[0]).toMatchObject({ algorithm: "conv_direct", reason: "preferred", microseconds: null });
    expect(totals).toMatchObject({ steps: steps.length, macs: 1_582_671_872, parameters: 6_998_552 });
    expect(steps.reduce((sum, { macs }) => sum + (macs as number), 0)).toBe(totals["macs"]);
    expect(totals["peakBytes"]).toBeLessThan(totals["unplannedBytes"] as number);
    expect(totals["weightBytes"]).toBeGreaterThanOrEqual(4 * 6_998_552);
  });

  test("prints a table that ends in what planning saves", async () => {
    const argv = ["plan", ...SEEDED, "--heads", "all", "--batch", "2"];
    const { status, stdout } = await googlenet(argv, { env: NO_ADAPTER });
    expect(status).toBe(0);
    expect(stdout).toMatch(/^ +step +kernel +workgroups +slots +bytes +MACs +algorithm and why, constants\n/);
    expect(stdout).toMatch(/ inception_3a\/3x3_reduce +conv_/);
    expect(stdout).toMatch(/ pool1\/3x3_s2 .* \d+(×\d+)* of 64 .* TAPS=3×3 STRIDE=2×2\n/);
    const widths = stdout
      .split("\n\n")[0]
      .split("\n")
      .map(({ length }) => length);
    expect(widths.filter((width) => width > 160).length).toBeLessThan(widths.length / 4);
    expect(Math.max(...widths)).toBeLessThan(200);
    expect(stdout).toContain("13,378,280 parameters");
    expect(stdout).toMatch(/\nactivation memory reduced from [\d.]+ MB to [\d.]+ MB \(\d+ slots, .*\)\n$/);
  });

  test("says which part of a batch it shows that the device can't hold whole", async () => {
    const argv = ["plan", ...SEEDED, "--batch", "4096", "--json"];
    const { stdout, stderr } = await googlenet(argv, { env: NO_ADAPTER });
    expect(stderr).toMatch(/a batch of 4096 is run as 100 of up to 41, which is the plan below/);
    expect(objects(stdout).at(-1)).toMatchObject({ batch: 41, requestedBatch: 4096, parts: 100 });
  });

  test("does without an adapter only where none was asked for", async () => {
    for (const argv of [
      ["--backend", "webgpu"],
      ["--adapter", "GeForce"],
    ]) {
      const { status, stdout, stderr } = await googlenet(["plan", ...SEEDED, ...argv], { env: NO_ADAPTER });
      expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
      expect(stderr).toMatch(/^googlenet: WebGPU adapter: .*; .*\n$/);
    }
  });
});

describe("the demonstration", () => {
  describeGpu("on the GPU", () => {
    test("labels the sample picture and agrees with the reference", async () => {
      const { status, stdout } = await googlenet([...SEEDED]);
      expect(status).toBe(0);
      expect(stdout).toMatch(/^( +\d+\.\d\d % +\d+ +n\d{8} .*\n){5}/);
      expect(stdout).toMatch(/^Picture +.*clock\.svg/m);
      expect(stdout).toMatch(/^Runs on +.*\(WebGPU\)$/m);
      expect(stdout).toMatch(/^Inference +[\d.]+ m?s \(median of 5, batch 1\)$/m);
      expect(stdout).toMatch(/^CPU check +agrees \(/m);
    });
  });

  test("falls back to the CPU by itself, and says so", async () => {
    const { status, stdout, stderr } = await googlenet([...SEEDED], { env: NO_ADAPTER });
    expect(status).toBe(0);
    expect(stdout).toMatch(/^Runs on +.*\(the CPU reference\)$/m);
    expect(stderr).toMatch(/^no WebGPU adapter \(.*\): running on the CPU reference instead$/m);
  });

  test("does not where the GPU was asked for", async () => {
    const { status, stdout } = await googlenet([...SEEDED, "--backend", "webgpu"], { env: NO_ADAPTER });
    expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
  });
});

describeGpu("measuring", () => {
  test("bench gives its environment, then a line a case that was checked", async () => {
    const { status, stdout } = await googlenet(["bench", ...SEEDED, "--runs", "2", "--warmups", "1", "--json"]);
    expect(status).toBe(0);
    const [{ environment }, ...cases] = objects(stdout);
    expect(environment).toMatchObject({ weights: "seed:1", node: process.versions.node, version: "0.1.0" });
    expect(cases).toMatchObject([
      { engine: "googlenet-wgsl", backend: "webgpu", precision: "f32", batch: 1, runs: 2, checked: true },
    ]);
    const [{ medianMs, minMs, p95Ms, imagesPerSecond, coldMs, maxAbsError }] = cases as Record<string, number>[];
    expect(minMs).toBeLessThanOrEqual(medianMs);
    expect(medianMs).toBeLessThanOrEqual(p95Ms);
    expect(imagesPerSecond).toBeCloseTo(1000 / medianMs, 6);
    expect(coldMs).toBeGreaterThan(minMs);
    expect(maxAbsError).toBeLessThanOrEqual(1e-6);
    const { encodeMs, encodeStreamedMs, encodeUnsafeMs, encodeClock, peakBytes, steps, tuned } = cases[0];
    for (const time of [encodeMs, encodeStreamedMs, encodeUnsafeMs]) expect(time).toBeGreaterThan(0);
    expect(["thread", "schedstat", "bound"]).toContain(encodeClock);
    expect(peakBytes).toBeLessThanOrEqual(4.9e6);
    expect([typeof steps, tuned]).toEqual(["number", false]);
  });

  test("in float16: probabilities are held against its own tolerance, and no fall back to the CPU", async () => {
    const half = [...SEEDED, "--precision", "f16"];
    const { status, stdout } = await googlenet(["bench", ...half, "--runs", "1", "--warmups", "1", "--json"]);
    expect(status).toBe(0);
    const [, { maxAbsError, ...measured }] = objects(stdout);
    expect(measured).toMatchObject({ backend: "webgpu", precision: "f16", checked: true });
    expect(maxAbsError).toBeGreaterThan(1e-7);
    const demo = await googlenet(half, { env: NO_ADAPTER });
    expect({ status: demo.status, stdout: demo.stdout }).toEqual({ status: 1, stdout: "" });
  });

  test("profile gives a line a step, whose shares add up, and totals, and draws them", async () => {
    const file = path.join(folder, "profile.html");
    const { status, stdout, stderr } = await googlenet(["profile", ...SEEDED, "--runs", "1", "--json", "--html", file]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: `wrote ${file}\n` });
    const steps = objects(stdout) as { gpuMs: number; gbps: number; share: number; step: string; roofline: number }[];
    const totals = steps.pop()!;
    expect(Object.keys(steps[0])).toEqual(["step", "kernel", "gpuMs", "gflops", "gbps", "share", "roofline"]);
    expect(steps[0].step).toContain("conv1/7x7_s2");
    expect(steps.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1, 6);
    expect(steps.reduce((sum, { gpuMs }) => sum + gpuMs, 0)).toBeCloseTo(totals.gpuMs, 6);
    expect(totals).toMatchObject({ step: "total", share: 1, runs: 1, weights: "seed:1" });
    // A step without multiply-adds is held against the bandwidth.
    const { ceilings } = totals as unknown as { ceilings: { gflops: number; gbps: number } };
    const pool = steps.find(({ step }) => step.includes("pool2/3x3_s2"))!;
    expect(pool.roofline).toBeCloseTo(pool.gbps / ceilings.gbps, 9);
    const page = readFileSync(file, "utf8");
    for (const { step } of steps) expect(page).toContain(`<th scope="row">${step}</th>`);
    expect(page.trimEnd()).toMatch(/^<!doctype html>[^]*<\/html>$/);
  });

  test("profile's table fits a terminal, leads with no share above 100 %, and says what is beyond", async () => {
    const { status, stdout } = await googlenet(["profile", ...SEEDED, "--runs", "2"]);
    expect(status).toBe(0);
    const [table, notes] = stdout.split("\n\n");
    const [head, ...rows] = table.split("\n");
    expect(head).toMatch(/^step +kernel +GPU time +GFLOP\/s +GB\/s +share +roofline/);
    for (const row of rows) expect(row.length).toBeLessThan(140);
    const total = / 100\.0 % +([\d.]+) %$/.exec(rows.pop()!)!;
    expect(Number(total[1])).toBeLessThanOrEqual(100);
    for (const row of rows) {
      const [, roofline, beyond] = /([\d.]+) %(?: +(Winograd|cache))?$/.exec(row)!;
      if (Number(roofline) > 100) expect(row).toMatch(/ (Winograd|cache)$/);
      if (beyond !== undefined) expect(notes).toContain(`beyond it, ${beyond}: `);
    }
    expect(notes).toMatch(/roofline, measured: [\d.]+ GFLOP\/s, [\d.]+ GB\/s/);
  });

  test.each([
    ["no-such-folder/profile.html", /there is no such file or folder; check the path/],
    [".", /it is a folder; name a file/],
  ])("profile says before it starts that it can't draw into %s", async (name, says) => {
    const { status, stdout, stderr } = await googlenet(["profile", ...SEEDED, "--html", path.join(folder, name)]);
    expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
    expect(stderr).toMatch(/^googlenet: [^\n]*: cannot be written: [^\n]*; [^\n]*\n$/);
    expect(stderr).toMatch(says);
  });

  test.skipIf(weightsAreDownloaded)("runs on made-up weights where there are no others, and says so", async () => {
    const { status, stderr } = await googlenet(["profile", "--runs", "1"]);
    expect(status).toBe(0);
    expect(stderr).toMatch(/^no trained weights: running on seed:1/m);
  });

  test("devices lists adapters with their limits", async () => {
    const { status, stdout } = await googlenet(["devices", "--json"]);
    expect(status).toBe(0);
    const adapters = objects(stdout);
    expect(adapters.some(({ chosenFor }) => (chosenFor as string[]).includes("default"))).toBe(true);
    for (const { adapter, backend, features, limits } of adapters) {
      expect(adapter).not.toBe("");
      expect(backend).toMatch(/^[a-z\d]+$/);
      expect(features).toContain("core-features-and-limits");
      expect((limits as Record<string, number>)["maxBufferSize"]).toBeGreaterThan(2 ** 27);
    }
  });

  test("--adapter finds an adapter by a part of each of its names, in any case", async () => {
    const [{ adapter, dawnName }] = objects((await googlenet(["devices", "--json"])).stdout) as Record<
      string,
      string
    >[];
    for (const text of [adapter, adapter.toUpperCase(), adapter.slice(1), dawnName, dawnName.toLowerCase()]) {
      const { status, stderr } = await googlenet(["plan", ...SEEDED, "--adapter", text, "--json"]);
      expect({ text, status, stderr }).toEqual({ text, status: 0, stderr: `planned for the limits of ${adapter}\n` });
    }
    expect(
      objects((await googlenet(["devices", "--json", "--adapter", adapter.toUpperCase()])).stdout)[0],
    ).toMatchObject({ adapter });
  });

  test("an adapter that is not there is an error that names those that are", async () => {
    const [{ adapter }] = objects((await googlenet(["devices", "--json"])).stdout) as Record<string, string>[];
    const { status, stderr } = await googlenet(["bench", ...SEEDED, "--adapter", "no such GPU"]);
    expect(status).toBe(1);
    expect(stderr).toMatch(/^googlenet: WebGPU adapter: none is named like "no such GPU"; give a part of .*\n$/);
    expect(stderr).toContain(adapter);
    expect(stderr).not.toMatch(/suitable|backend:/);
  });
});

test("bench does not say that the CPU reference was checked", async () => {
  const argv = ["bench", ...SEEDED, "--backend", "cpu", "--runs", "1", "--warmups", "1", "--json"];
  const { status, stdout, stderr } = await googlenet(argv, { env: NO_ADAPTER });
  expect(status).toBe(0);
  expect(objects(stdout)[1]).toMatchObject({ backend: "cpu", checked: false });
  expect(stderr).toMatch(/^not checked: the CPU reference is what the others are checked against$/m);
});

test("devices says what is missing where there is no adapter", async () => {
  const { status, stdout, stderr } = await googlenet(["devices", "--json"], { env: NO_ADAPTER });
  expect(status).toBe(1);
  expect(objects(stdout)).toMatchObject([{ adapter: null, missing: [expect.any(String), expect.any(String)] }]);
  expect(stderr).toMatch(/^googlenet: WebGPU adapter: there is none; VK_DRIVER_FILES=\/nonexistent hides .*\n$/);
});

describe("weights", () => {
  test("are converted there and back, and described", async () => {
    const { parameters } = inferShapesForBatch(googLeNet(), 1);
    const original = path.join(folder, "a.safetensors");
    await writeFileAtomically(original, writeSafetensors(seededWeights(parameters, 5), {}));
    const there = await googlenet(["weights", "convert", "a.safetensors", "b.caffemodel", "--json"], { cwd: folder });
    expect(there.status).toBe(0);
    expect(objects(there.stdout)).toMatchObject([{ input: "a.safetensors", output: "b.caffemodel" }]);
    const { status, stdout } = await googlenet(["weights", "info", "b.caffemodel", "--json"], { cwd: folder });
    expect(status).toBe(0);
    expect(objects(stdout)).toMatchObject([
      { format: "caffemodel", tensors: 116, parameters: 6_998_552, heads: "main", recognised: null },
    ]);
    const back = await googlenet(["weights", "convert", "b.caffemodel", "c.safetensors"], { cwd: folder });
    expect(back).toMatchObject({ status: 0, stdout: "c.safetensors: 28.0 MB\n" });
    const described = await googlenet(["weights", "info", "c.safetensors"], { cwd: folder });
    expect(described.stdout).toMatch(/^recognised +no: .*$/m);
    expect(described.stdout).toMatch(/^parameters +6,998,552$/m);

    const itself = await googlenet(["weights", "convert", "b.caffemodel", "./b.caffemodel"], { cwd: folder });
    expect(itself).toMatchObject({ status: 2, stdout: "" });
    expect(itself.stderr).toMatch(/^googlenet: \.\/b\.caffemodel: it is the very file that is converted; /);

    truncateSync(path.join(folder, "b.caffemodel"), 1_000_000);
    const cut = await googlenet(["weights", "convert", "b.caffemodel", "c.safetensors"], { cwd: folder });
    expect(cut).toMatchObject({ status: 1, stdout: "" });
    expect(cut.stderr).toMatch(/^googlenet: b\.caffemodel: .*; .*\n$/);
    expect(readFileSync(path.join(folder, "c.safetensors")).length).toBeGreaterThan(27_000_000);
  });
});
