/** `run` and `plan` on model files: ONNX, and Caffe's prototxt with weights. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { writeCaffemodel } from "../../src/formats/caffemodel-write.ts";
import { encodeModel } from "../../src/formats/onnx/encode.ts";
import { readNpy } from "../../src/formats/npy.ts";
import "../support/close.ts";
import { describeGpu } from "../support/gpu.ts";
import { randomTensor, uniform } from "../support/random.ts";
import { googlenet, NO_ADAPTER, objects, writeArrayFile } from "./googlenet.ts";

const folder = mkdtempSync(path.join(tmpdir(), "googlenet models "));
const array = (name: string) => readNpy(readFileSync(path.join(folder, name)), name);
const run = (...argv: string[]) => googlenet(["run", ...argv], { cwd: folder });

beforeAll(() => {
  const next = uniform(3);
  const two = { weight: randomTensor([4, 2, 3, 3], next), factor: randomTensor([4], next) };
  const nodes = [
    { type: "Conv", inputs: ["image", "w"], output: "maps", attributes: { pads: [1, 1, 1, 1] } },
    { type: "Add", inputs: ["maps", "other"], output: "sum" },
    { type: "GlobalMaxPool", inputs: ["sum"], output: "top" },
  ];
  const model = encodeModel({
    name: "two inputs",
    irVersion: 8,
    opset: 13,
    nodes,
    initializers: [["w", two.weight]],
    inputs: [
      ["image", ["batch", 2, "height", "width"]],
      ["other", ["batch", 4, "height", "width"]],
    ],
    outputs: [["top", null]],
  });
  writeFileSync(path.join(folder, "net.onnx"), model);
  writeFileSync(
    path.join(folder, "resize.onnx"),
    encodeModel({
      name: "no",
      irVersion: 8,
      opset: 13,
      nodes: [{ type: "Resize", name: "up", inputs: ["x"], output: "y" }],
      initializers: [],
      inputs: [["x", [1]]],
      outputs: [["y", null]],
    }),
  );
  writeFileSync(
    path.join(folder, "fixed.onnx"),
    encodeModel({
      name: "fixed",
      irVersion: 8,
      opset: 13,
      nodes: [{ type: "Relu", inputs: ["x"], output: "y" }],
      initializers: [],
      inputs: [["x", [4, 3]]],
      outputs: [["y", null]],
    }),
  );
  writeFileSync(
    path.join(folder, "net.prototxt"),
    `name: "small" input: "data" input_dim: 10 input_dim: 2 input_dim: 6 input_dim: 5
    layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" convolution_param { num_output: 4 kernel_size: 3 pad: 1 bias_term: false } }
    layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
    layer { name: "pool" type: "Pooling" bottom: "conv" top: "pool" pooling_param { kernel_size: 3 stride: 2 } }`,
  );
  writeFileSync(path.join(folder, "net.caffemodel"), writeCaffemodel("small", new Map([["conv.weight", two.weight]])));
  const image = randomTensor([3, 2, 6, 5], next);
  writeArrayFile(path.join(folder, "image.npy"), image.shape, (i) => image.data[i]);
  writeArrayFile(path.join(folder, "other.npy"), [3, 4, 6, 5], () => next());
  writeArrayFile(path.join(folder, "small.npy"), [3, 4, 5, 5], () => next());
});
afterAll(() => rmSync(folder, { recursive: true }));

const onnx = ["net.onnx", "--input", "image=image.npy", "--input", "other=other.npy"];
const caffe = ["net.prototxt", "--weights", "net.caffemodel", "--input", "data=image.npy"];

describeGpu("run on the GPU", () => {
  test("gives what the reference gives, any blob, in parts of a batch", async () => {
    const outputs = (suffix: string) =>
      ["top", "maps"].flatMap((blob) => ["--output", `${blob}=${blob}.${suffix}.npy`]);
    const gpu = await run(...onnx, ...outputs("gpu"), "--batch", "2", "--json");
    expect(gpu.status).toBe(0);
    expect(objects(gpu.stdout)).toEqual([
      { blob: "top", shape: [3, 4, 1, 1], file: "top.gpu.npy", weights: "net.onnx" },
      { blob: "maps", shape: [3, 4, 6, 5], file: "maps.gpu.npy", weights: "net.onnx" },
    ]);
    expect((await run(...onnx, ...outputs("cpu"), "--backend", "cpu")).status).toBe(0);
    for (const blob of ["top", "maps"])
      expect(array(`${blob}.gpu.npy`)).toBeAllclose(array(`${blob}.cpu.npy`), { relative: 1e-5 });
  });

  test("runs Caffe's networks, with their rounding", async () => {
    expect(await run(...caffe, "--output", "pool=pool.npy", "--output", "conv=conv.npy")).toMatchObject({
      status: 0,
      stdout: "pool  3×4×3×2  pool.npy\nconv  3×4×6×5  conv.npy\n",
    });
    const [pool, conv] = [array("pool.npy"), array("conv.npy")];
    // The last window of the bottom row sees what is left: two rows of six from the fifth on.
    const last = [4, 5].flatMap((row) => [2, 3, 4].map((column) => conv.data[row * 5 + column]));
    expect(pool.data[5]).toBe(Math.max(...last));
    expect(conv.data.every((value) => value >= 0)).toBe(true);
  });
});

describe("plan", () => {
  const plan = (...argv: string[]) => googlenet(["plan", ...argv], { cwd: folder, env: NO_ADAPTER });
  const sized = ["net.onnx", "--dimension", "height=6", "--dimension", "width=5"];

  test("prints the steps that a model file takes, for the sizes that it leaves open", async () => {
    const { status, stdout, stderr } = await plan(...sized, "--batch", "3", "--json");
    expect({ status, stderr }).toEqual({ status: 0, stderr: expect.stringMatching(/^planned for .*\n$/) as string });
    const steps = objects(stdout);
    expect(steps.pop()).toMatchObject({ steps: 3, batch: 3, macs: 3 * 30 * 4 * 2 * 9, parameters: 72, parts: 1 });
    expect(steps.map(({ step }) => step)).toEqual(["Conv maps", "Add sum", "GlobalMaxPool top"]);
    const wider = objects(
      (await plan("net.onnx", "--dimension", "height=12", "--dimension", "width=5", "--json")).stdout,
    );
    expect(wider.at(-1)).toMatchObject({ batch: 1, macs: 60 * 4 * 2 * 9 });
    const fixed = objects((await plan("fixed.onnx", "--json")).stdout);
    expect(fixed.at(-1)).toMatchObject({ steps: 1, batch: 4, requestedBatch: 4, parts: 1 });
    const caffeNet = await plan("net.prototxt", "--weights", "seed:1", "--batch", "2");
    expect(caffeNet.stdout).toMatch(/\n\d steps for a batch of 2 in .*, 72 parameters/);
  });

  test.each<[string, number, readonly string[], RegExp]>([
    [
      "an extent that is open",
      2,
      ["net.onnx"],
      /input "image": its extent height is open; say what it is: --dimension "h/,
    ],
    [
      "an extent that isn't there",
      2,
      [...sized, "--dimension", "depth=1"],
      /free dimension "depth": net\.onnx has none/,
    ],
    ["one given twice", 2, [...sized, "--dimension", "width=5"], /--dimension width: it is given twice/],
    ["no number", 2, ["net.onnx", "--dimension", "height=0"], /--dimension: it can't be "height=0"; give NAME=N/],
    [
      "the batch as one",
      2,
      [...sized, "--dimension", "batch=2"],
      /--dimension batch: it is the batch size; give --batch/,
    ],
    ["a batch where it is fixed", 2, ["fixed.onnx", "--batch", "2"], /--batch 2: fixed\.onnx is of a fixed batch size/],
    ["sizes for googlenet", 2, ["--dimension", "height=5"], /--dimension: googlenet leaves nothing open but the batch/],
    ["a model that isn't supported", 1, ["resize.onnx"], /resize\.onnx: node "up" is Resize/],
    ["weights", 1, ["net.caffemodel"], /net\.caffemodel: these are weights/],
  ])("says what is wrong: %s", async (_, status, argv, message) => {
    const result = await plan(...argv);
    expect(result).toMatchObject({ status, stdout: "" });
    expect(result.stderr).toMatch(message);
  });
});

describe("run", () => {
  test("says where weights were given for the model", async () => {
    const argv = ["net.caffemodel", ...caffe.slice(1), "--output", "pool=p.npy", "--backend", "cpu"];
    const { status, stdout, stderr } = await run(...argv);
    expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
    expect(stderr).toMatch(
      /^googlenet: net\.caffemodel: these are weights, and no network; give them with --weights .*\n$/,
    );
    expect(objects((await run(...argv, "--json")).stdout)).toEqual([
      { model: "net.caffemodel", error: expect.stringContaining("these are weights") as string },
    ]);
  });

  test.each<[string, readonly string[], RegExp]>([
    ["a blob", [...onnx, "--output", "tops=p.npy"], /^googlenet: blob "tops": net\.onnx has none; near ones are top, /],
    [
      "an input",
      ["net.onnx", "--input", "img=image.npy", "--output", "top=p.npy"],
      /--input img: net\.onnx has no such input; give image, other\n/,
    ],
    [
      "no input",
      ["net.onnx", "--input", "image=image.npy", "--output", "top=p.npy"],
      /the input other is missing; add --input other=FILE\.npy, batch×4×height×width/,
    ],
    [
      "weights of its own",
      [...onnx, "--weights", "net.caffemodel", "--output", "top=p.npy"],
      /net\.onnx has its own; leave them out/,
    ],
    [
      "no weights",
      ["net.prototxt", "--input", "data=image.npy", "--output", "pool=p.npy"],
      /a \.prototxt has no weights; add --weights FILE\n$/,
    ],
    [
      "weights for the built-in network",
      ["net.prototxt", "--input", "data=image.npy", "--output", "pool=pool.npy"],
      /a \.prototxt has no weights; add --weights FILE \(GOOGLENET_WEIGHTS is for googlenet alone\)\n$/,
    ],
    ["heads", [...onnx, "--heads", "all", "--output", "top=p.npy"], /--heads all: only googlenet has auxiliary heads/],
  ])("says what is wrong with the command line: %s", async (what, argv, message) => {
    const env = what.includes("built-in") ? { GOOGLENET_WEIGHTS: "seed:1" } : {};
    const { status, stdout, stderr } = await googlenet(["run", ...argv, "--backend", "cpu"], { cwd: folder, env });
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr).toMatch(message);
  });

  test("refuses arrays that don't fit the model or each other", async () => {
    const argv = ["net.onnx", "--input", "image=image.npy", "--input", "other=small.npy", "--output", "top=p.npy"];
    const { status, stderr } = await run(...argv, "--backend", "cpu");
    expect(status).toBe(1);
    expect(stderr).toBe('googlenet: input "other": its shape is 3×4×5×5; give 3×4×6×5\n');
  });

  test("gives a model that can't be used its line, and names the node", async () => {
    const argv = ["resize.onnx", "--input", "x=image.npy", "--output", "y=p.npy", "--json"];
    const { status, stdout, stderr } = await run(...argv);
    expect(status).toBe(1);
    const [line] = objects(stdout);
    expect(line).toEqual({ model: "resize.onnx", error: expect.stringContaining('node "up" is Resize') as string });
    expect(stderr).toBe(`googlenet: ${String(line["error"])}\n`);
    expect(existsSync(path.join(folder, "p.npy"))).toBe(false);
  });
});
