/** Models on disk: told apart, with data in other files, converted to ONNX and back. */

import { execFileSync } from "node:child_process";
import * as fs from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InferenceSession, Tensor as OnnxTensor } from "onnxruntime-node";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { EngineError } from "../../src/errors.ts";
import { writeCaffemodel } from "../../src/formats/caffemodel-write.ts";
import { encodeModel } from "../../src/formats/onnx/encode.ts";
import { readOnnx } from "../../src/formats/onnx/read.ts";
import { toOnnx } from "../../src/formats/onnx-write.ts";
import { writeSafetensors } from "../../src/formats/safetensors.ts";
import { googLeNet } from "../../src/graph/googlenet.ts";
import { type Graph, inferShapesForBatch } from "../../src/graph/graph.ts";
import { filesBeside } from "../../src/node/external-files.ts";
import { openModel } from "../../src/node/open-model.ts";
import { convertWeights, describeWeights, loadWeights } from "../../src/node/weights-file.ts";
import { seededWeights } from "../../src/weights/seed.ts";
import { randomTensor, uniform } from "../support/random.ts";

let folder: string;
beforeEach(async () => {
  folder = await fs.mkdtemp(join(tmpdir(), "model file "));
});
afterEach(() => fs.rm(folder, { recursive: true }));

async function file(name: string, contents: Uint8Array | string): Promise<string> {
  const path = join(folder, name);
  await fs.writeFile(path, contents);
  return path;
}

async function refusal(action: Promise<unknown>, code: string): Promise<string> {
  const error: unknown = await action.catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(EngineError);
  expect(error).toMatchObject({ code });
  return (error as EngineError).message;
}

describe("weights as ONNX", () => {
  test.each(["main", "all"] as const)("keep every bit there and back, heads: %s", async (heads) => {
    const { parameters } = inferShapesForBatch(googLeNet({ heads }), 1);
    const input = await file("in.safetensors", writeSafetensors(seededWeights(parameters, 7), { model: "seeded" }));
    const [onnx, back, direct] = ["net.onnx", "back.safetensors", "direct.safetensors"].map((name) =>
      join(folder, name),
    );
    await convertWeights(input, onnx);
    await convertWeights(onnx, back);
    await convertWeights(input, direct);
    expect(Buffer.compare(await fs.readFile(back), await fs.readFile(direct))).toBe(0);
    expect(await describeWeights(onnx)).toMatchObject({ format: "onnx", network: "seeded", types: ["F32"], heads });
    const { weights } = await loadWeights(onnx, parameters);
    expect(weights.size).toBe(parameters.length);
  });

  test("are a network that other engines run, on batches of any size", async () => {
    const shaped = inferShapesForBatch(googLeNet(), 2);
    const weights = seededWeights(shaped.parameters, 8);
    const onnx = join(folder, "net.onnx");
    await convertWeights(await file("in.caffemodel", writeCaffemodel("net", weights)), onnx);
    const data = randomTensor([2, 3, 224, 224], uniform(9), 100);
    const [open, fixed] = await Promise.all(
      [await fs.readFile(onnx), toOnnx(shaped, weights, { outputs: "graph" })].map(async (bytes) => {
        const session = await InferenceSession.create(bytes, { executionProviders: ["cpu"], logSeverityLevel: 4 });
        const { prob } = await session.run({ data: new OnnxTensor("float32", data.data, data.shape) });
        await session.release();
        return prob;
      }),
    );
    expect(open.dims).toEqual([2, 1000]);
    expect(open.data).toEqual(fixed.data);
    const { graph } = await openModel(onnx);
    expect(graph.inputs).toEqual([{ name: "data", shape: ["N", 3, 224, 224] }]);
    expect(graph.outputs).toEqual(["prob"]);
  });

  test("go by this network's names, whatever the file calls its layers", async () => {
    const graph = googLeNet();
    const { parameters } = inferShapesForBatch(graph, 1);
    const weights = seededWeights(parameters, 10);
    const number = new Map(graph.nodes.map(({ name }, index) => [name, `node ${index}`]));
    const value = new Map(graph.nodes.map(({ output }, index) => [output, `value ${index}`]));
    const renamed: Graph = {
      ...graph,
      nodes: graph.nodes.map((node) => ({
        ...node,
        name: number.get(node.name)!,
        inputs: node.inputs.map((id) => value.get(id) ?? id),
        output: value.get(node.output)!,
      })),
      outputs: graph.outputs.map((id) => value.get(id)!),
    };
    const others = new Map(
      [...weights].map(([name, tensor]) => [
        name.replace(/^(.*)\.(\w+)$/, (_, layer: string, role: string) => `${number.get(layer)}.${role}`),
        tensor,
      ]),
    );
    const onnx = await file("other.onnx", toOnnx(inferShapesForBatch(renamed, 1), others, { outputs: "graph" }));
    const loaded = await loadWeights(onnx, parameters);
    expect([...loaded.weights.keys()]).toEqual([...weights.keys()]);
    for (const [name, { data }] of weights) {
      expect(
        Buffer.compare(
          Buffer.from(
            loaded.weights.get(name)!.data.buffer,
            loaded.weights.get(name)!.data.byteOffset,
            data.byteLength,
          ),
          Buffer.from(data.buffer, data.byteOffset, data.byteLength),
        ),
        name,
      ).toBe(0);
    }
  });

  test("refuse weights of another network, which ONNX can't hold without it", async () => {
    const input = await file(
      "in.safetensors",
      writeSafetensors(new Map([["a.weight", { shape: [1], data: Float32Array.of(1) }]])),
    );
    expect(await refusal(convertWeights(input, join(folder, "out.onnx")), "weights")).toMatch(
      /in\.safetensors: lacks conv1/,
    );
    await expect(fs.stat(join(folder, "out.onnx"))).rejects.toThrow();
  });
});

describe("openModel", () => {
  const onnx = encodeModel({
    name: "net",
    irVersion: 8,
    opset: 13,
    nodes: [{ type: "Relu", inputs: ["x"], output: "y" }],
    initializers: [],
    inputs: [["x", ["batch", 3]]],
    outputs: [["y", null]],
  });
  const prototxt =
    'input: "data" input_shape { dim: 1 dim: 3 } layer { name: "fc" type: "InnerProduct" bottom: "data" top: "fc" inner_product_param { num_output: 2 } }';
  const learned = new Map([
    ["fc.weight", { shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) }],
    ["fc.bias", { shape: [2], data: Float32Array.of(7, 8) }],
  ]);

  test("opens ONNX, and Caffe's networks with their weights", async () => {
    expect((await openModel(await file("net.onnx", onnx))).graph.outputs).toEqual(["y"]);
    const net = await file("net.prototxt", prototxt);
    for (const bytes of [writeCaffemodel("net", learned), writeSafetensors(learned)]) {
      const { graph, weights } = await openModel(net, { weights: await file("net.weights", bytes) });
      expect(graph.outputs).toEqual(["fc"]);
      expect([...weights.get("fc.weight")!.data]).toEqual([1, 2, 3, 4, 5, 6]);
    }
    expect((await openModel(net, { weights: "seed:3" })).weights.size).toBe(2);
  });

  test("tells models by what they hold, whatever they are called", async () => {
    const weights = await file("net.weights", writeSafetensors(learned));
    for (const name of ["net.prototxt", "net.txt", "net", "net.onnx", "net.caffemodel"]) {
      expect((await openModel(await file(name, onnx))).graph.outputs).toEqual(["y"]);
      for (const head of ["", "\n\t", "\uFEFF", "# a net\n#\n\n # of ours: \u00e9\n"]) {
        const { graph } = await openModel(await file(name, head + prototxt), { weights });
        expect(graph.outputs).toEqual(["fc"]);
      }
    }
    const long = await file("long.txt", `${"# a comment\n".repeat(300_000)}${prototxt}`);
    expect((await openModel(long, { weights })).graph.outputs).toEqual(["fc"]);
    // Damage is still the format's that the name speaks of.
    const damaged = await file("net.prototxt", `\n${prototxt.replace("input:", "imput:")}\0`);
    expect(await refusal(openModel(damaged, { weights }), "model")).toMatch(/net\.prototxt: line 2: /);
  });

  test("says where it was given weights, or text that is no network", async () => {
    const caffemodel = writeCaffemodel("net", learned);
    for (const [name, bytes] of [
      ["net.caffemodel", caffemodel],
      ["net.onnx", caffemodel],
      ["net.prototxt", caffemodel],
      ["cut.caffemodel", caffemodel.subarray(0, 40)],
      ["net.safetensors", writeSafetensors(learned)],
      ["net.bin", writeSafetensors(learned)],
    ] as const) {
      const path = await file(name, bytes);
      for (const options of [{}, { weights: "seed:1" }]) {
        expect(await refusal(openModel(path, options), "model")).toBe(
          `${path}: these are weights, and no network; ` +
            "give them with the option weights, beside the network's .prototxt, or googlenet",
        );
      }
    }
    const pointer = await file("lfs.onnx", "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n");
    expect(await refusal(openModel(pointer), "model")).toMatch(/Git LFS has the model; fetch that with git lfs pull$/);
    for (const name of ["page.onnx", "page.html"]) {
      expect(await refusal(openModel(await file(name, "<!doctype html>")), "model")).toMatch(/it is text, and not a/);
    }
  });

  test("binds what a file leaves open, by its names, and asks for what isn't given", async () => {
    const net = await file(
      "open.onnx",
      encodeModel({
        name: "net",
        irVersion: 8,
        opset: 13,
        nodes: [{ type: "GlobalAveragePool", inputs: ["x"], output: "y" }],
        initializers: [],
        inputs: [["x", ["batch", 3, "height", ""]]],
        outputs: [["y", null]],
      }),
    );
    const inputsFor = async (freeDimensionOverrides?: Record<string, number>) =>
      (await openModel(net, freeDimensionOverrides && { freeDimensionOverrides })).graph.inputs;
    expect(await inputsFor({ height: 5, "x[3]": 7 })).toEqual([{ name: "x", shape: ["N", 3, 5, 7] }]);
    expect(await inputsFor({ batch: 2, height: 6, "x[3]": 1 })).toEqual([{ name: "x", shape: [2, 3, 6, 1] }]);
    expect(await refusal(inputsFor(), "usage")).toBe(
      'input "x": its extent height is open; say what it is: freeDimensionOverrides { "height": … }',
    );
    expect(await refusal(inputsFor({ height: 5 }), "usage")).toMatch(/freeDimensionOverrides \{ "x\[3\]": … \}$/);
    expect(await refusal(inputsFor({ height: 5, "x[3]": 7, depth: 1 }), "usage")).toBe(
      `free dimension "depth": ${net} has none of that name; give batch, height, x[3]`,
    );
    const caffe = await file("open.prototxt", prototxt);
    const four = { weights: "seed:1", freeDimensionOverrides: { N: 4 } };
    expect((await openModel(caffe, four)).graph.inputs).toEqual([{ name: "data", shape: [4, 3] }]);
  });

  test("gives the built-in network for other pictures, whose sizes are options of its own", async () => {
    const { graph } = await openModel("googlenet", { weights: "seed:1", height: 320, width: 256 });
    expect(graph.inputs).toEqual([{ name: "data", shape: ["N", 3, 320, 256] }]);
    const wrong = { weights: "seed:1", freeDimensionOverrides: { height: 320 } };
    expect(await refusal(openModel("googlenet", wrong), "usage")).toMatch(
      /^option freeDimensionOverrides: googlenet has no use for it/,
    );
  });

  test("refuses what is not there, empty or no model, and weights where none or some are due", async () => {
    const missing = join(folder, "missing.onnx");
    expect(await refusal(openModel(missing), "model")).toBe(
      `${missing}: there is no such file; check the path, or give googlenet, the built-in network`,
    );
    expect(await refusal(openModel(folder), "model")).toMatch(/is a folder/);
    expect(await refusal(openModel(await file("empty.onnx", "")), "model")).toMatch(/is empty/);
    expect(await refusal(openModel(await file("text.onnx", "no model")), "model")).toMatch(/text\.onnx: .*; /);
    expect(await refusal(readOnnx(Buffer.from("hello"), "hello.onnx"), "model")).toBe(
      "hello.onnx: it is text, and not an ONNX file; export or fetch the file again",
    );
    // There is nothing to learn for it.
    const pool = `input: "x" input_dim: 1 input_dim: 2 input_dim: 4 input_dim: 4
      layer { name: "p" type: "Pooling" bottom: "x" top: "p" pooling_param { kernel_size: 2 stride: 2 } }`;
    expect((await openModel(await file("pool.prototxt", pool))).weights.size).toBe(0);
    const net = await file("net.prototxt", prototxt);
    expect(await refusal(openModel(net), "usage")).toMatch(/a \.prototxt has no weights; add the option weights$/);
    expect(await refusal(openModel(await file("net.onnx", onnx), { weights: "seed:1" }), "usage")).toMatch(
      /has its own; leave/,
    );
    const other = await file(
      "other.safetensors",
      writeSafetensors(new Map([["a.weight", { shape: [1], data: Float32Array.of(1) }]])),
    );
    expect(await refusal(openModel(net, { weights: other }), "weights")).toMatch(/weight "fc\.weight": it is missing/);
  });
});

describe("data in other files", () => {
  const numbers = Uint8Array.from({ length: 64 }, (_, i) => i);

  test("are read from the model's folder and those in it", async () => {
    await fs.mkdir(join(folder, "data"));
    await file("data/w.bin", numbers);
    const read = filesBeside(join(folder, "net.onnx"));
    expect(await read("data/w.bin", 8, 4)).toEqual(numbers.slice(8, 12));
    expect(await read("data/w.bin", 12, 52)).toEqual(numbers.slice(12));
  });

  test.skipIf(process.platform === "win32")("are refused in a pipe, which nobody may ever write to", async () => {
    execFileSync("mkfifo", [join(folder, "pipe")]);
    const read = filesBeside(join(folder, "net.onnx"));
    expect(await refusal(Promise.resolve(read("pipe", 0, 4)), "model")).toMatch(/no regular file/);
  });

  test("are refused behind links, outside, too short, overlapping, missing, or no files", async () => {
    await file("w.bin", numbers);
    const outside = await fs.mkdtemp(join(tmpdir(), "outside "));
    await fs.writeFile(join(outside, "secret"), numbers);
    await fs.symlink(join(outside, "secret"), join(folder, "link"));
    await fs.symlink(outside, join(folder, "linked"));
    await fs.symlink(join(folder, "w.bin"), join(folder, "inside"));
    const read = filesBeside(join(folder, "net.onnx"));
    for (const [location, offset, length, problem] of [
      ["link", 0, 4, /isn't in the model's folder itself/],
      ["linked/secret", 0, 4, /isn't in the model's folder itself/],
      ["inside", 0, 4, /isn't in the model's folder itself/],
      ["../secret", 0, 4, /isn't in the model's folder|no such file/],
      ["w.bin", 60, 8, /64 bytes are there, and 68 are needed/],
      ["w.bin", 0, 2 ** 40, /are needed/],
      ["nothing", 0, 4, /there is no such file/],
      [".", 0, 4, /isn't in|no regular file|folder/],
    ] as const) {
      expect(await refusal(Promise.resolve(read(location, offset, length)), "model")).toMatch(problem);
    }
    const other = filesBeside(join(folder, "net.onnx"));
    await other("w.bin", 0, 60);
    expect(await refusal(Promise.resolve(other("w.bin", 4, 60)), "model")).toMatch(/tensors overlap in it/);
    await fs.rm(outside, { recursive: true });
  });
});
