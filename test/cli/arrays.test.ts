/** `run` and `verify`: arrays in, blobs out, blobs compared. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { compareBlob } from "../../src/verify/compare.ts";
import { readNpy, writeNpy } from "../../src/formats/npy.ts";
import { describeGpu } from "../support/gpu.ts";
import { uniform } from "../support/random.ts";
import { googlenet, NO_ADAPTER, objects, writeArrayFile } from "./googlenet.ts";

const SEEDED = ["--weights", "seed:2"];
/** Small, so that the reference is quick; not square; a batch. */
const SHAPE = [2, 3, 64, 80] as const;

const folder = mkdtempSync(path.join(tmpdir(), "googlenet arrays "));
const file = (name: string) => path.join(folder, name);
const array = (name: string) => readNpy(readFileSync(file(name)), name);

/** What the CPU makes of the input: every blob, written by `verify` itself. */
const expected = file("expected");

beforeAll(async () => {
  const next = uniform(7);
  writeArrayFile(file("data.npy"), SHAPE, () => 255 * next() - 115);
  const argv = ["verify", "--backend", "cpu", "--write", expected, "--input", `data=${file("data.npy")}`, ...SEEDED];
  const { status, stderr } = await googlenet(argv, { env: NO_ADAPTER });
  expect({ status, stderr }).toEqual({ status: 0, stderr: `143 blobs written to ${expected}\n` });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describeGpu("run on the GPU", () => {
  test("writes any blob, also those before a ReLU, slices of a concat and the input, in parts of a batch", async () => {
    const blobs = ["prob", "conv1/7x7_s2.linear", "inception_3a/3x3", "inception_3a/output", "data"];
    const outputs = blobs.flatMap((blob, index) => ["--output", `${blob}=${index}.npy`]);
    const argv = ["run", "googlenet", "--input", "data=data.npy", ...outputs, ...SEEDED, "--batch", "1", "--json"];
    const { status, stdout } = await googlenet(argv, { env: { INIT_CWD: folder } });
    expect(status).toBe(0);
    expect(objects(stdout).map(({ blob, file: written }) => [blob, written])).toEqual(
      blobs.map((blob, index) => [blob, `${index}.npy`]),
    );
    for (const [index, blob] of blobs.entries()) {
      const reference = array(`expected/${blob.replaceAll("/", "#")}.npy`);
      const kind = blob === "prob" ? "probability" : "activation";
      expect(compareBlob(blob, array(`${index}.npy`), reference, kind)).toMatchObject({ blob, pass: true });
    }
  });
});

describeGpu("run on the GPU", () => {
  test("names the file and its size where the device can't hold it", async () => {
    // As half the bytes, and none of them on the disk.
    const descriptor = "{'descr': '<f2', 'fortran_order': False, 'shape': (1, 3, 8000, 8000), }";
    const header = Buffer.concat([
      Buffer.from([0x93]),
      Buffer.from("NUMPY\x01\x00\x76\x00"),
      Buffer.from(`${descriptor.padEnd(117)}\n`),
    ]);
    writeFileSync(file("huge.npy"), header);
    truncateSync(file("huge.npy"), header.length + 2 * 3 * 8000 * 8000);
    const argv = ["run", "googlenet", "--input", "data=huge.npy", "--output", "prob=p.npy", ...SEEDED];
    const { status, stderr } = await googlenet(argv, { cwd: folder });
    expect(status).toBe(1);
    expect(stderr).toMatch(/^googlenet: huge\.npy: its 768 MB are too much \([^;]*\); [^;]*\n$/);
  });
});

describe("run", () => {
  const run = (input: string, output: string) =>
    googlenet(["run", "googlenet", "--input", `data=${input}`, "--output", output, ...SEEDED, "--backend", "cpu"], {
      cwd: folder,
    });

  test("gives what the reference gives, on the CPU", async () => {
    expect(await run("data.npy", "prob=prob.npy")).toMatchObject({ status: 0, stdout: "prob  2×1000  prob.npy\n" });
    expect(array("prob.npy")).toEqual(array("expected/prob.npy"));
  });

  test("refuses arrays that are missing, damaged, of a wrong shape or too small, and leaves outputs as they are", async () => {
    writeFileSync(file("kept.npy"), "as it was");
    writeFileSync(file("damaged.npy"), readFileSync(file("data.npy")).subarray(0, 1000));
    writeFileSync(file("empty.npy"), "");
    writeArrayFile(file("flat.npy"), [3, 64], () => 1);
    writeArrayFile(file("tiny.npy"), [1, 3, 4, 4], () => 1);
    writeArrayFile(file("none.npy"), [0, 3, 64, 64], () => 1);
    for (const name of ["missing", "damaged", "empty", "flat", "tiny", "none"]) {
      const { status, stdout, stderr } = await run(`${name}.npy`, "prob=kept.npy");
      expect({ name, status, stdout }).toEqual({ name, status: 1, stdout: "" });
      expect(stderr).toMatch(new RegExp(`^googlenet: ${name}\\.npy: [^\\n]+; [^\\n]+\\n$`));
    }
    // One remedy, not the failing layer's as well.
    expect((await run("tiny.npy", "prob=kept.npy")).stderr.match(/;/g)).toHaveLength(1);
    expect(readFileSync(file("kept.npy"), "utf8")).toBe("as it was");
    expect(readdirSync(folder).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });

  test("writes no output where one of several can't be", async () => {
    mkdirSync(file("taken.npy"));
    const argv = ["--output", "prob=whole.npy", "--output", "loss3/classifier=taken.npy", "--backend", "cpu"];
    const { status, stderr } = await googlenet(["run", "googlenet", "--input", "data=data.npy", ...argv, ...SEEDED], {
      cwd: folder,
    });
    expect(status).toBe(1);
    expect(stderr).toMatch(/^googlenet: taken\.npy: cannot be written: it is a folder; /);
    expect(existsSync(file("whole.npy"))).toBe(false);
  });

  test("says where an output can't be written, before it computes", async () => {
    const { status, stderr } = await run("data.npy", "prob=nowhere/prob.npy");
    expect(status).toBe(1);
    expect(stderr).toBe("googlenet: nowhere/prob.npy: there is no folder nowhere; make it, or choose another place\n");
    expect((await run("data.npy", "prob=/dev/full")).stderr).toMatch(
      /\/dev\/full: cannot be written: the disk is full; /,
    );
  });

  test("gives a model file that can't be used its line", async () => {
    const argv = ["run", "net.onnx", "--input", "data=data.npy", "--output", "prob=p.npy", "--json"];
    const { status, stdout, stderr } = await googlenet(argv, { cwd: folder });
    expect(status).toBe(1);
    expect(objects(stdout)).toMatchObject([
      { model: "net.onnx", error: expect.stringContaining("no such file") as string },
    ]);
    expect(stderr).toMatch(/^googlenet: net\.onnx: there is no such file; /);
    expect(existsSync(file("p.npy"))).toBe(false);
  });
});

describeGpu("verify on the GPU", () => {
  const verify = (...argv: string[]) =>
    googlenet(["verify", "--input", "data=data.npy", ...SEEDED, "--json", ...argv], { cwd: folder });

  test("passes against the reference, every blob in the graph's order, those before a ReLU too", async () => {
    const { status, stdout } = await verify();
    const lines = objects(stdout);
    expect(status).toBe(0);
    expect(lines).toHaveLength(144);
    expect(lines.slice(0, 3).map(({ blob }) => blob)).toEqual(["data", "conv1/7x7_s2.linear", "conv1/7x7_s2"]);
    expect(Object.keys(lines[0])).toEqual(["blob", "shape", "maxAbs", "maxRel", "nmse", "pass"]);
    expect(lines.at(-1)).toMatchObject({ pass: true, firstFailure: null });
  });

  test("names the first blob that differs from a folder's, and what it could not use", async () => {
    const against = file("against");
    mkdirSync(against);
    const copy = (name: string, change: (data: Float32Array) => void) => {
      const tensor = array(`expected/${name}.npy`);
      change(tensor.data);
      writeFileSync(path.join(against, `${name}.npy`), writeNpy(tensor));
    };
    copy("pool1#norm1", () => undefined);
    copy("inception_3b#output", (data) => (data[11] = NaN));
    copy("inception_3a#3x3.linear", (data) => (data[5] += 1e-4 * Math.max(...data)));
    copy("prob", (data) => (data[0] += 2e-6));
    writeFileSync(path.join(against, "pool3#3x3_s2.npy"), "no array");
    writeArrayFile(path.join(against, "conv2#3x3.npy"), [1, 2], () => 1);
    writeArrayFile(path.join(against, "unknown.npy"), [1], () => 1);

    const { status, stdout, stderr } = await verify("--against", "against");
    expect(status).toBe(1);
    const lines = objects(stdout);
    expect(lines.slice(0, -1).map(({ blob, pass }) => [blob, pass])).toEqual([
      ["pool1/norm1", true],
      ["conv2/3x3", false],
      ["inception_3a/3x3.linear", false],
      ["inception_3b/output", false],
      ["pool3/3x3_s2", false],
      ["prob", false],
    ]);
    expect(lines[1]).toMatchObject({ error: "1×2 was expected", maxAbs: "NaN" });
    expect(lines[3]).toMatchObject({ maxAbs: "NaN", maxRel: "NaN", nmse: "NaN" });
    expect(lines.at(-1)).toMatchObject({ pass: false, firstFailure: "conv2/3x3", worst: "conv2/3x3" });
    expect(stderr).toMatch(/^against: 1 array named like no blob passed over \(unknown\.npy\)$/m);
    expect(stderr).toMatch(/^googlenet: against\/pool3#3x3_s2\.npy: is not an \.npy file; /m);
  });
});

describe("verify", () => {
  test("gives a picture that can't be used its line", async () => {
    writeFileSync(file("no.png"), "no picture");
    const { status, stdout, stderr } = await googlenet(["verify", "--image", "no.png", "--json", ...SEEDED], {
      cwd: folder,
    });
    expect(status).toBe(1);
    const [line, ...others] = objects(stdout);
    expect(others).toEqual([]);
    expect(line).toMatchObject({
      image: "no.png",
      error: expect.stringMatching(/^no\.png: this is not a pic/) as string,
    });
    expect(stderr).toBe(`googlenet: ${String(line["error"])}\n`);
  });

  test("fails against a folder that names no blob, or that is not there", async () => {
    mkdirSync(file("nameless"));
    writeArrayFile(file("nameless/other.npy"), [1], () => 1);
    for (const [against, says] of [
      ["nameless", /^googlenet: nameless: none of its files is named like a blob of googlenet; /],
      ["missing", /^googlenet: missing: cannot be read: there is no such file or folder; /],
    ] as const) {
      const { status, stdout, stderr } = await googlenet(["verify", "--against", against, ...SEEDED], { cwd: folder });
      expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
      expect(stderr).toMatch(says);
    }
  });

  test("refuses a batch that memory can't hold", async () => {
    const { status, stderr } = await googlenet(["verify", "--batch", "4096", ...SEEDED]);
    expect(status).toBe(1);
    expect(stderr).toMatch(
      /^googlenet: verifying 4,096 images: it takes \d+ GB of memory, and there are .*; use a smaller/,
    );
  });
});
