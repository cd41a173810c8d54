import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import * as fs from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { EngineError } from "../../src/errors.ts";
import { writeCaffemodel } from "../../src/formats/caffemodel-write.ts";
import { writeSafetensors } from "../../src/formats/safetensors.ts";
import { googLeNet } from "../../src/graph/googlenet.ts";
import { inferShapesForBatch } from "../../src/graph/graph.ts";
import { convertWeights, describeWeights, loadWeights } from "../../src/node/weights-file.ts";
import { seededWeights } from "../../src/weights/seed.ts";

const parameters = [
  { name: "conv.weight", shape: [2, 3, 1, 1] },
  { name: "conv.bias", shape: [2] },
  { name: "fc.weight", shape: [4, 2] },
];
const auxiliary = { name: "loss1/fc.weight", shape: [3, 2] };
const weights = seededWeights(parameters, 1);
const withAuxiliary = seededWeights([...parameters, auxiliary], 1);
const safetensors = writeSafetensors(weights, { model: "small" });

let folder: string;
beforeEach(async () => {
  folder = await fs.mkdtemp(join(tmpdir(), "weights-file-"));
});
afterEach(() => fs.rm(folder, { recursive: true }));

/** Writes a file and returns its path. */
async function file(name: string, contents: Uint8Array | string): Promise<string> {
  const path = join(folder, name);
  await fs.writeFile(path, contents);
  return path;
}

async function refusal(action: Promise<unknown>, code = "weights"): Promise<string> {
  const error: unknown = await action.catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(EngineError);
  expect(error).toMatchObject({ code });
  return (error as EngineError).message;
}

describe("loadWeights", () => {
  it.each<[string, string, Uint8Array]>([
    ["safetensors", "a.safetensors", safetensors],
    ["safetensors", "named-otherwise.bin", safetensors],
    ["caffemodel", "a.caffemodel", writeCaffemodel("small", withAuxiliary)],
    ["caffemodel", "a.dat", writeCaffemodel("small", weights, { legacy: true })],
    ["safetensors", "misnamed.caffemodel", safetensors],
  ])("reads %s from %s, auxiliary heads left out unless asked for", async (format, name, bytes) => {
    const source = await file(name, bytes);
    const loaded = await loadWeights(source, parameters);
    expect(loaded.description).toEqual({ source, format, recognised: null });
    expect(loaded.weights).toEqual(weights);
  });

  it("reads auxiliary heads that are asked for", async () => {
    const source = await file("a.caffemodel", writeCaffemodel("small", withAuxiliary));
    expect((await loadWeights(source, [...parameters, auxiliary])).weights).toEqual(withAuxiliary);
  });

  it("makes weights from a seed", async () => {
    const loaded = await loadWeights("seed:1", parameters);
    expect(loaded.weights).toEqual(weights);
    expect(loaded.description).toEqual({ source: "seed:1", format: "seed", recognised: null });
    expect(await refusal(loadWeights("seed:x", parameters), "usage")).toMatch(/^seed:x: is not a seed/);
  });

  it.each<[string, Uint8Array | string, RegExp]>([
    ["empty.safetensors", "", /empty\.safetensors: is empty; fetch/],
    ["cut.safetensors", safetensors.subarray(0, -1), /not a sound safetensors file.*; fetch or convert/],
    ["cut.caffemodel", writeCaffemodel("small", weights).subarray(0, -1), /not a sound caffemodel/],
    ["text.caffemodel", "version https://git-lfs", /not a sound caffemodel/],
    ["text.safetensors", "version https://git-lfs", /not a sound safetensors/],
    ["picture.png", "\u0089PNG", /neither a safetensors file nor a caffemodel; give one/],
    ["other.safetensors", writeSafetensors(new Map()), /lacks conv\.weight, conv\.bias, fc\.weight; use/],
  ])("refuses %s", async (name, contents, message) => {
    expect(await refusal(loadWeights(await file(name, contents), parameters))).toMatch(message);
  });

  it("refuses what is not there, a folder, and what may never end", async () => {
    expect(await refusal(loadWeights(join(folder, "none"), parameters))).toMatch(/no such file; .*weights fetch/);
    expect(await refusal(loadWeights(folder, parameters))).toMatch(/is a folder; name a file/);
    expect(await refusal(loadWeights("/dev/zero", parameters))).toMatch(/not a regular file/);
    const pipe = join(folder, "pipe");
    execFileSync("mkfifo", [pipe]);
    expect(await refusal(loadWeights(pipe, parameters))).toMatch(/not a regular file/);
    expect(await refusal(loadWeights(join(await file("plain", "x"), "sub"), parameters))).toMatch(/not a folder/);
    expect(await refusal(loadWeights("nul\0byte", parameters))).toMatch(/cannot be read/);
  });

  it("refuses a file too large to be weights before it reads it", async () => {
    const path = await file("huge.safetensors", "");
    await fs.truncate(path, 2 ** 33);
    expect(await refusal(loadWeights(path, parameters))).toMatch(/too large/);
  });

  it.skipIf(!process.env["GOOGLENET_WEIGHTS"])(
    "loads and knows the trained network (needs GOOGLENET_WEIGHTS)",
    async () => {
      const all = inferShapesForBatch(googLeNet({ heads: "all" }), 1).parameters;
      const main = inferShapesForBatch(googLeNet(), 1).parameters;
      const source = process.env["GOOGLENET_WEIGHTS"]!;
      const { weights: trained, description } = await loadWeights(source, main);
      expect(trained.size).toBe(116);
      expect(description.recognised).toBe("bvlc_googlenet");
      expect(await refusal(loadWeights(source, all))).toMatch(/lacks loss1\/conv\.weight.*or the main head alone/);
    },
  );
});

describe("describeWeights", () => {
  it("says what a file is", async () => {
    const path = await file("a", safetensors);
    expect(await describeWeights(path)).toEqual({
      file: path,
      format: "safetensors",
      network: "small",
      bytes: safetensors.length,
      sha256: createHash("sha256").update(safetensors).digest("hex"),
      tensors: 3,
      parameters: 16,
      auxiliaryParameters: 0,
      types: ["F32"],
      heads: "main",
      recognised: null,
    });
    const bytes = writeCaffemodel("", withAuxiliary);
    expect(await describeWeights(await file("b", bytes))).toMatchObject({
      format: "caffemodel",
      network: null,
      tensors: 4,
      parameters: 22,
      auxiliaryParameters: 6,
      heads: "all",
    });
  });
});

describe("convertWeights", () => {
  it("keeps every tensor's bits there and back", async () => {
    const first = await file("first.safetensors", writeSafetensors(withAuxiliary, { model: "small" }));
    const caffemodel = join(folder, "second.caffemodel");
    const last = join(folder, "last.SAFETENSORS");
    const { bytes } = await convertWeights(first, caffemodel);
    expect((await fs.stat(caffemodel)).size).toBe(bytes);
    await convertWeights(caffemodel, last);
    expect(await describeWeights(caffemodel)).toMatchObject({ format: "caffemodel", network: "small" });
    expect(await describeWeights(last)).toMatchObject({ format: "safetensors", network: "small" });
    expect((await loadWeights(last, [...parameters, auxiliary])).weights).toEqual(withAuxiliary);
    expect((await fs.readdir(folder)).length).toBe(3);
  });

  it("names a network without a name after its file", async () => {
    const output = join(folder, "out.caffemodel");
    await convertWeights(await file("my.net.safetensors", writeSafetensors(weights)), output);
    expect((await describeWeights(output)).network).toBe("my.net");
  });

  it("refuses an unknown extension before it reads, a bad input, and a place that cannot be written", async () => {
    const output = join(folder, "out.bin");
    expect(await refusal(convertWeights(join(folder, "none"), output), "usage")).toMatch(
      /end it in \.safetensors, \.caffemodel or \.onnx/,
    );
    const bad = await file("bad", "bad");
    expect(await refusal(convertWeights(bad, join(folder, "out.safetensors")))).toMatch(/neither/);
    const good = await file("good", safetensors);
    const nowhere = join(folder, "none", "out.safetensors");
    expect(await refusal(convertWeights(good, nowhere), "write")).toMatch(/no such file or folder/);
    expect((await fs.readdir(folder)).sort()).toEqual(["bad", "good"]);
  });

  it("refuses to write over its own input, however its path is spelt, and leaves it as it was", async () => {
    const bytes = writeCaffemodel("small", weights);
    const path = await file("a.caffemodel", bytes);
    const spelt = path.replace(/a\.caffemodel$/, "./a.caffemodel");
    await expect(convertWeights(path, spelt)).rejects.toMatchObject({ code: "usage" });
    expect((await loadWeights(path, parameters)).weights).toEqual(weights);
  });
});
