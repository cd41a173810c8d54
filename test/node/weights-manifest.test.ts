import * as fs from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { EngineError } from "../../src/errors.ts";
import { findWeights, parseManifest, readManifest, weightsFolder } from "../../src/node/weights-manifest.ts";

const entry = {
  name: "net",
  file: "net.caffemodel",
  url: "https://example.org/net.caffemodel",
  size: 5,
  sha1: "0".repeat(40),
  licence: "free",
  source: "https://example.org",
};
const manifest = (...entries: unknown[]) => JSON.stringify({ weights: entries });

describe("the manifest", () => {
  it("has BVLC's network", async () => {
    expect(await readManifest()).toMatchObject([
      {
        name: "bvlc_googlenet",
        url: "http://dl.caffe.berkeleyvision.org/bvlc_googlenet.caffemodel",
        sha1: "405fc5acd08a3bb12de8ee5e23a96bec22f08204",
      },
    ]);
  });

  it("is read as it stands", () => {
    const second = { ...entry, name: "b", file: "b.safetensors", sha256: "f".repeat(64) };
    expect(parseManifest(manifest(entry, second), "manifest.json")).toEqual([entry, second]);
  });

  it.each<[string, string, RegExp]>([
    ["what is not JSON", "{", /not JSON/],
    ["a list", "[]", /is not \{"weights"/],
    ["further keys", '{"weights":[],"more":1}', /is not \{"weights"/],
    ["no entry", manifest(), /no entry/],
    ["an entry that is no object", manifest(1), /entry 1 is not an object/],
    ["an unknown field", manifest({ ...entry, more: 1 }), /unknown field "more"/],
    ["a missing licence", manifest(entry, { ...entry, licence: undefined }), /entry 2 lacks its licence/],
    ["a path for a file name", manifest({ ...entry, file: "../net.caffemodel" }), /plain file name/],
    ["a hidden file name", manifest({ ...entry, file: ".caffemodel" }), /plain file name/],
    ["another kind of file", manifest({ ...entry, file: "net.sh" }), /plain file name/],
    ["a local URL", manifest({ ...entry, url: "file:///etc/passwd" }), /not http/],
    ["what is no URL", manifest({ ...entry, url: "net" }), /not http/],
    ["a size of nothing", manifest({ ...entry, size: 0 }), /size/],
    ["a size in words", manifest({ ...entry, size: "5" }), /size/],
    ["no checksum", manifest({ ...entry, sha1: undefined }), /no checksum/],
    ["a short checksum", manifest({ ...entry, sha1: "00" }), /40 hexadecimal/],
    ["a checksum that is no text", manifest({ ...entry, sha256: 1 }), /64 hexadecimal/],
    ["two entries of a name", manifest(entry, { ...entry, file: "b.caffemodel" }), /same name/],
    ["two entries of a file", manifest(entry, { ...entry, name: "b" }), /same file/],
  ])("refuses %s", (_, text, message) => {
    expect(() => parseManifest(text, "manifest.json")).toThrow(message);
    expect(() => parseManifest(text, "manifest.json")).toThrow(EngineError);
  });

  it("says when it is missing", async () => {
    await expect(readManifest(join(tmpdir(), "no", "manifest.json"))).rejects.toThrow(/cannot be read/);
  });
});

describe("where weights are looked for", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await fs.mkdtemp(join(tmpdir(), "weights-manifest-"));
  });
  afterEach(() => fs.rm(folder, { recursive: true }));

  it("is the option, the environment, the downloaded file, in this order", async () => {
    const env = { GOOGLENET_WEIGHTS: "from-environment" };
    expect(await findWeights(undefined, {}, folder)).toBe(null);
    expect(await findWeights(undefined, { GOOGLENET_WEIGHTS: "" }, folder)).toBe(null);
    const downloaded = join(folder, "bvlc_googlenet.caffemodel");
    await fs.writeFile(`${downloaded}.partial`, "");
    expect(await findWeights(undefined, {}, folder)).toBe(null);
    await fs.writeFile(downloaded, "");
    expect(await findWeights(undefined, {}, folder)).toEqual({ source: downloaded, from: "download" });
    expect(await findWeights(undefined, env, folder)).toEqual({
      source: resolve("from-environment"),
      from: "environment",
    });
    expect(await findWeights("explicit", env, folder)).toEqual({ source: resolve("explicit"), from: "option" });
  });

  it("resolves paths where the command was typed, and leaves seeds alone", async () => {
    const env = { INIT_CWD: "/typed/here", GOOGLENET_WEIGHTS: "seed:3" };
    expect(await findWeights("sub/w", env, folder)).toEqual({ source: "/typed/here/sub/w", from: "option" });
    expect(await findWeights("/abs/w", env, folder)).toEqual({ source: "/abs/w", from: "option" });
    expect(await findWeights(undefined, env, folder)).toEqual({ source: "seed:3", from: "environment" });
  });

  it("downloads into a checkout's own folder, and for an installed package into the user's cache", async () => {
    expect(weightsFolder({})).toBe(resolve("weights"));
    expect(weightsFolder({}, folder)).toBe(join(homedir(), ".cache", "googlenet-wgsl"));
    expect(weightsFolder({ XDG_CACHE_HOME: "/cache" }, folder)).toBe("/cache/googlenet-wgsl");
    expect(weightsFolder({ XDG_CACHE_HOME: "relative" }, folder)).toBe(join(homedir(), ".cache", "googlenet-wgsl"));
    await fs.writeFile(join(folder, "tsconfig.json"), "{}");
    expect(weightsFolder({}, folder)).toBe(join(folder, "weights"));
  });
});
