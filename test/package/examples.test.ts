/**
 * Programs that use the installed package. Those that README.md shows run as they stand, in Node.js, and in a page and a
 * worker of a real browser; those of docstrings compile; and one runs in Deno and in worker threads.
 */

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";
import type { Page } from "playwright-core";
import sharp from "sharp";
import { beforeAll, expect, onTestFinished, test } from "vitest";
import { runReference } from "../../src/cpu/reference.ts";
import { writeCaffemodel } from "../../src/formats/caffemodel-write.ts";
import { encodeModel } from "../../src/formats/onnx/encode.ts";
import { writeSafetensors } from "../../src/formats/safetensors.ts";
import { googLeNet } from "../../src/graph/googlenet.ts";
import { inferShapesForBatch } from "../../src/graph/graph.ts";
import { preprocess } from "../../src/image/preprocess.ts";
import * as engine from "../../src/index.ts";
import { labelOf } from "../../src/labels/labels.ts";
import { decodeImage } from "../../src/node/decode.ts";
import { seededWeights } from "../../src/weights/seed.ts";
import { describeBrowser, launchChromium, serveFolder } from "../support/chromium.ts";
import { describeGpu } from "../support/gpu.ts";
import { randomTensor, uniform } from "../support/random.ts";
import { bundleForPage } from "./bundle.ts";
import { type InstalledPackage, REPOSITORY, useInstalledPackage } from "./installed.ts";
import { needsNode, pageProgram, programs } from "./readme.ts";

const installed = useInstalledPackage();

const shaped = inferShapesForBatch(googLeNet(), 1);
const weights = seededWeights(shaped.parameters, 1);
/** Made before the tests: the probability of every class of the photograph, by the reference. */
let expected: Float32Array;

/** The files that the programs name. */
beforeAll(async () => {
  installed.write("bvlc_googlenet.caffemodel", writeCaffemodel("GoogLeNet", weights));
  installed.write("bvlc_googlenet.safetensors", writeSafetensors(weights, {}));
  installed.write("net.onnx", smallNet());
  const noise = { type: "gaussian", mean: 128, sigma: 30 } as const;
  const picture = sharp({ create: { width: 400, height: 300, channels: 3, background: "#888", noise } }).blur(4);
  const photo = installed.write(
    "photo.jpg",
    await picture.jpeg({ quality: 95, chromaSubsampling: "4:4:4" }).toBuffer(),
  );
  const data = new Float32Array(3 * 224 * 224);
  preprocess(await decodeImage(photo), "squash256", data);
  const results = await runReference(shaped, weights, new Map([["data", { shape: [1, 3, 224, 224], data }]]));
  expected = results.get("prob")!.data;
});

/** An ONNX file that leaves the batch and the picture's size open, and has five scores. */
function smallNet(): Uint8Array {
  const next = uniform(1);
  const attributes = { kernel_shape: [7, 7], strides: [8, 8] };
  return encodeModel({
    name: "small",
    irVersion: 8,
    opset: 13,
    nodes: [
      { type: "Conv", inputs: ["image", "weight"], output: "map", attributes },
      { type: "GlobalAveragePool", inputs: ["map"], output: "mean" },
      { type: "Flatten", inputs: ["mean"], output: "flat" },
      { type: "Softmax", inputs: ["flat"], output: "scores" },
    ],
    initializers: [["weight", randomTensor([5, 3, 7, 7], next)]],
    inputs: [["image", ["batch", 3, "height", "width"]]],
    outputs: [["scores", null]],
  });
}

/** Lines `PROBABILITY NAME` against the reference. */
function expectTopFive(lines: readonly string[], tolerance: number): void {
  expect(lines).toHaveLength(5);
  const names = Array.from(expected, (_, index) => labelOf(index).name);
  for (const line of lines) {
    const [, probability, name] = /^([\d.e-]+) (.*)$/.exec(line) ?? [];
    const index = names.indexOf(name);
    expect(index, line).toBeGreaterThanOrEqual(0);
    expect(Math.abs(Number(probability) - expected[index]), line).toBeLessThan(tolerance);
  }
}

/** What a program printed that ended well. */
function linesOf({ status, stdout, stderr }: ReturnType<InstalledPackage["run"]>): string[] {
  expect({ status, stderr: status === 0 ? "" : stderr }).toEqual({ status: 0, stderr: "" });
  return stdout.trim().split("\n");
}

describeGpu("README.md's programs on the GPU in Node.js", () => {
  const nodePrograms = programs.filter(needsNode);
  const start = (program: string) => installed.run(process.execPath, [installed.write("program.js", program)]);
  const runProgram = (program: string): string[] => linesOf(start(program));

  test("are four, of which the first gives what the reference does", () => {
    expect(nodePrograms).toHaveLength(4);
    expectTopFive(runProgram(nodePrograms[0]), 5e-6);
  });

  test("the second uses buffers of its own", () => {
    expect(runProgram(nodePrograms[1])).toEqual(["2000"]);
  });

  test("the third streams through a model of a file, tells how far it is, and is given up by its signal", () => {
    const ended = start(nodePrograms[2]);
    expect(linesOf(ended)).toEqual(["1×5", "4×5", "2×5"]);
    expect(ended.stderr).toMatch(/^1 of (\d+) pipelines are ready\n[^]*^\1 of \1 pipelines are ready\n$/m);
    const hurried = start(nodePrograms[2].replace("timeout(60_000)", "timeout(0)"));
    // A driver that is left in the middle of a pipeline may print what it makes of it.
    expect(hurried.stdout).not.toMatch(/^\d×5$/m);
    expect({ status: hurried.status, stderr: hurried.stderr }).toEqual({
      status: 1,
      stderr: expect.stringContaining("TimeoutError") as string,
    });
  });

  test("the fourth averages over crops", () => {
    expect(runProgram(nodePrograms[3])).toEqual([expect.stringMatching(/^0\.\d+ \w/)]);
  });
});

describeBrowser("README.md's program for pages, bundled", () => {
  /** What the program prints in a page that a bundler made, and how often its worker or page failed. */
  const printed = async (start: (page: Page) => Promise<unknown>): Promise<string[]> => {
    installed.write("program.js", await bundleForPage(pageProgram(), installed.project));
    installed.write("index.html", `<!doctype html><title>a page</title><link rel="icon" href="data:,">`);
    await using site = await serveFolder(installed.project);
    const browser = await launchChromium();
    onTestFinished(() => browser.close());
    const page = await browser.newPage();
    const lines: string[] = [];
    page.on("console", (message) => lines.push(message.text()));
    await page.goto(`${site.origin}/`);
    expect(await start(page)).toBe("done");
    return lines;
  };

  // Browsers decode JPEGs each in their way, by a level or so.
  const tolerance = 1e-4;

  test("runs in a page", async () => {
    expectTopFive(await printed((page) => page.evaluate(`import("/program.js").then(() => "done")`)), tolerance);
  });

  test("runs in a worker", async () => {
    installed.write(
      "worker.js",
      `import("/program.js").then(() => postMessage("done"), (error) => postMessage(String(error)));`,
    );
    const start = `new Promise((resolve) => {
      const worker = new Worker("/worker.js", { type: "module" });
      worker.onmessage = ({ data }) => { worker.terminate(); resolve(data); };
    })`;
    expectTopFive(await printed((page) => page.evaluate(start)), tolerance);
  });
});

/** What docstrings speak of without saying where it is from, as any program has it that got as far. */
const SPOKEN_OF = `
import { ${Object.keys(engine).join(", ")} } from "googlenet-wgsl";
import type { Graph, Inputs, Model, Weights } from "googlenet-wgsl";
import { kernels } from "googlenet-wgsl/kernels";
declare const device: GPUDevice, model: Model, graph: Graph, weights: Weights;
declare const session: Session, data: Float32Array, images: GPUBuffer, results: GPUBuffer;
declare function batches(): AsyncIterable<Inputs>;
declare function readFile(path: string): Promise<Uint8Array>;
declare function readFile(path: string, encoding: "utf8"): Promise<string>;
`;

/** The files that an entry of the package exports from, those that they pass on included. */
function exportedFrom(entry: string): string[] {
  const text = readFileSync(path.join(REPOSITORY, "src", entry), "utf8");
  const files = [...text.matchAll(/ from "(\.[^"]+)";/g)].map(([, file]) =>
    path.posix.join(path.posix.dirname(entry), file),
  );
  return [entry, ...files];
}

test("every docstring's example compiles against the package, strictly", () => {
  const sources = new Set(["index.ts", "kernels.ts", "node/index.ts"].flatMap(exportedFrom));
  const examples = [...sources]
    .map((file) => readFileSync(path.join(REPOSITORY, "src", file), "utf8"))
    .flatMap((text) => [...text.matchAll(/@example\n(.*?)\*\//gs)])
    .map(([, text]) => text.replace(/^ *\* ?/gm, ""))
    .map((text) => /^```ts\n(.*)^```$/ms.exec(text)?.[1] ?? "@example without a ts block");
  expect(examples.length).toBeGreaterThan(5);
  const files = examples.map((example, index) => {
    const whole = example.startsWith("import ") ? example : `${SPOKEN_OF}{\n${example}}`;
    const name = `example-${index}.ts`;
    installed.write(name, `${whole}\nexport {};\n`);
    return name;
  });
  const options = [
    "--strict",
    "--noEmit",
    "--target",
    "ES2023",
    "--lib",
    "ES2023,DOM,DOM.AsyncIterable,ESNext.Disposable",
  ];
  const compiler = path.join(REPOSITORY, "node_modules/typescript/bin/tsc");
  const compiled = installed.run(process.execPath, [compiler, ...options, "--module", "NodeNext", ...files]);
  expect(compiled).toEqual({ ...compiled, status: 0, stdout: "" });
});

/** Deno's program comes with npm, for the platforms that it has one for. */
const deno = path.join(REPOSITORY, "node_modules/.bin/deno");
const hasDeno = spawnSync(deno, ["--version"]).status === 0;

/** How far the network on a device is from the reference on the CPU; nothing but the core is used. */
const CHECK = `
import { googLeNet, inferShapesForBatch, runReference, seededWeights, Session } from "googlenet-wgsl";
import { kernels } from "googlenet-wgsl/kernels";

export async function check(device) {
  const graph = googLeNet({ height: 64, width: 64 });
  const shaped = inferShapesForBatch(graph, 1);
  const weights = seededWeights(shaped.parameters, 1);
  const data = Float32Array.from({ length: 3 * 64 * 64 }, (_, index) => 100 * Math.sin(index));
  const session = await Session.create({ graph, weights }, { device, ownsDevice: true, kernels });
  const { prob } = await session.run({ data });
  const inputs = new Map([["data", { shape: [1, 3, 64, 64], data }]]);
  const expected = (await runReference(shaped, weights, inputs)).get("prob");
  session.dispose();
  return Math.max(...prob.data.map((value, index) => Math.abs(value - expected.data[index])));
}`;

describeGpu("the core on the GPU where no main thread of Node.js runs it", () => {
  const run = (program: string, argv: string[]): number => {
    installed.write("check.js", CHECK);
    return Number(linesOf(installed.run(program, argv)));
  };

  test("runs in Deno, with the permission to read its own files", (context) => {
    context.skip(!hasDeno, "npm has no Deno for this platform");
    installed.write(
      "deno.js",
      `import { openDevice } from "googlenet-wgsl";
      import { check } from "./check.js";
      console.log(await check(() => openDevice()));`,
    );
    const folder = `--allow-read=${installed.project}`;
    expect(run(deno, ["run", "--no-prompt", "--node-modules-dir=manual", folder, "deno.js"])).toBeLessThan(5e-6);
  });

  test("runs in two worker threads at once", () => {
    installed.write(
      "thread.js",
      `import { parentPort } from "node:worker_threads";
      import { openGpu } from "googlenet-wgsl/node";
      import { check } from "./check.js";
      parentPort.postMessage(await check((await openGpu()).device));`,
    );
    installed.write(
      "threads.js",
      `import { Worker } from "node:worker_threads";
      const differences = await Promise.all([1, 2].map(() => new Promise((resolve, reject) => {
        const worker = new Worker(new URL("thread.js", import.meta.url));
        let difference;
        worker.on("message", (message) => (difference = message));
        worker.on("error", reject);
        worker.on("exit", (status) => (status === 0 ? resolve(difference) : reject(new Error("status " + status))));
      })));
      console.log(Math.max(...differences));`,
    );
    expect(run(process.execPath, ["threads.js"])).toBeLessThan(5e-6);
  });
});
