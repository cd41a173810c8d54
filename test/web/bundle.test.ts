/** What the page is made of, and the command that serves it. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, afterEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { bundlePage } from "../../scripts/web/bundle.mjs";
import { main } from "../../scripts/web/main.ts";
import { writeSafetensors } from "../../src/formats/safetensors.ts";
import { googLeNet } from "../../src/graph/googlenet.ts";
import { inferShapesForBatch } from "../../src/graph/graph.ts";
import { seededWeights } from "../../src/weights/seed.ts";

const ROOT = `${path.resolve(import.meta.dirname, "../..")}${path.sep}`;

test("the bundle holds all of the page, asks nobody, and is as large as the README says", async () => {
  const folder = mkdtempSync(path.join(tmpdir(), "googlenet bundle "));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const files = await bundlePage(ROOT, path.join(folder, "web"));
  const names = files.map(({ name }) => name);
  expect(names).toEqual(names.toSorted());
  expect(names).toEqual(
    expect.arrayContaining(["index.html", "main.js", "worker.js", "style.css", "samples/clock.svg"]),
  );
  const page = readFileSync(path.join(folder, "web", "index.html"), "utf8");
  for (const [, url] of page.matchAll(/(?:src|href)="([^#"]+)"/g)) expect(names).toContain(url);
  const worker = readFileSync(path.join(folder, "web", "worker.js"), "utf8");
  expect(worker).toContain("@compute");
  expect(worker, "the sources are not needed").not.toContain("sourceMappingURL");
  const total = (of: "bytes" | "gzipBytes") => files.reduce((sum, file) => sum + file[of], 0) / 1000;
  const [, whole, compressed] = /is (\d+) kB, (\d+) kB compressed/.exec(readFileSync(`${ROOT}README.md`, "utf8")) ?? [];
  expect(Math.abs(total("bytes") / Number(whole) - 1)).toBeLessThan(0.1);
  expect(Math.abs(total("gzipBytes") / Number(compressed) - 1)).toBeLessThan(0.1);
});

describe("npm run web", () => {
  const folder = mkdtempSync(path.join(tmpdir(), "googlenet web "));
  afterEach(() => vi.restoreAllMocks());
  afterAll(() => rmSync(folder, { recursive: true }));

  /** Exit status and what was printed. */
  async function run(...argv: string[]) {
    const [stdout, stderr] = (["log", "error"] as const).map((name) => vi.spyOn(console, name).mockReturnValue());
    const status = await main(argv, ROOT, folder);
    const text = ({ mock }: typeof stdout) => mock.calls.map(([line]) => `${String(line)}\n`).join("");
    return { status, stdout: text(stdout), stderr: text(stderr) };
  }

  test("explains itself", async () => {
    const { status, stdout, stderr } = await run("--help");
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    for (const option of ["--port", "--host", "--weights", "--help"]) expect(stdout).toContain(option);
  });

  test.each([
    [["--port", "eighty"], 2, /^googlenet: --port: "eighty" is no port; give a whole number from 0 to 65535\n$/],
    [["--port", "65536"], 2, /is no port/],
    [["--sport", "1"], 2, /^googlenet: command line: Unknown option '--sport'; --help shows what there is\n$/],
    [["folder"], 2, /^googlenet: command line: .*; --help shows what there is\n$/],
    [["--weights", "seed:x"], 2, /^googlenet: seed:x: is not a seed; /],
    [
      ["--weights", "/no/such.caffemodel", "--port", "0"],
      1,
      /googlenet: \/no\/such\.caffemodel: there is no such file; /,
    ],
  ] as const)("refuses %j with %i", async (argv, status, line) => {
    const result = await run(...argv);
    expect(result).toMatchObject({ status, stdout: "" });
    expect(result.stderr).toMatch(line);
  });

  test("refuses weights that the page could not use, before anything is built", async () => {
    const whole = writeSafetensors(seededWeights(inferShapesForBatch(googLeNet(), 1).parameters, 1));
    const file = path.join(folder, "truncated.safetensors");
    writeFileSync(file, whole.subarray(0, whole.length / 2));
    const other = path.join(folder, "other.safetensors");
    writeFileSync(other, writeSafetensors(new Map([["weight", { shape: [1], data: new Float32Array(1) }]])));
    for (const weights of [file, other]) {
      const { status, stdout, stderr } = await run("--weights", weights, "--port", "0");
      expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
      expect(stderr).toMatch(/^googlenet: [^\n]*\.safetensors[^\n]*: [^\n]*; [^\n]*\n$/);
      expect(stderr.startsWith(`googlenet: ${weights}`)).toBe(true);
      vi.restoreAllMocks();
    }
  });

  test("says so where the port is taken", async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, "localhost", resolve));
    onTestFinished(() => void other.close());
    const { port } = other.address() as { port: number };
    const { status, stderr } = await run("--port", String(port), "--weights", "seed:1");
    expect(status).toBe(1);
    expect(stderr).toContain(
      `googlenet: port ${port}: is taken by another program; give another with --port, or 0 for a free one\n`,
    );
  });
});
