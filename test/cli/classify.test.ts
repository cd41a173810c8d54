import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { writeCaffemodel } from "../../src/formats/caffemodel-write.ts";
import { writeSafetensors } from "../../src/formats/safetensors.ts";
import { googLeNet } from "../../src/graph/googlenet.ts";
import { inferShapesForBatch } from "../../src/graph/graph.ts";
import { seededWeights } from "../../src/weights/seed.ts";
import { describeGpu } from "../support/gpu.ts";
import { googlenet, NO_ADAPTER, objects } from "./googlenet.ts";

const SEEDED = ["--weights", "seed:1"];
const { GOOGLENET_WEIGHTS, GOOGLENET_PHOTOS } = process.env;
const CLOCK = path.resolve(import.meta.dirname, "../../assets/clock.svg");

const folder = mkdtempSync(path.join(tmpdir(), "googlenet classify "));
const pictures = path.join(folder, "pictures");

beforeAll(async () => {
  mkdirSync(path.join(pictures, "more"), { recursive: true });
  const plain = (colour: string, file: string) =>
    sharp({ create: { width: 30, height: 20, channels: 3, background: colour } }).toFile(path.join(pictures, file));
  await plain("red", "a.png");
  writeFileSync(path.join(pictures, "b.jpg"), "no picture");
  await plain("blue", "more/c.webp");
  copyFileSync(CLOCK, path.join(pictures, "z.svg"));
  writeFileSync(path.join(pictures, "notes.txt"), "no picture either");
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A result without what differs from batch to batch and run to run: the time, and the last digits. */
function essence(line: Record<string, unknown>): unknown {
  const { image, error, top } = line as {
    image: string;
    error?: string;
    top?: { class: number; probability: number }[];
  };
  return { image, error, top: top?.map((each) => [each.class, each.probability.toFixed(5)]) };
}

describeGpu("classify on the GPU", () => {
  test("labels folders in order, passes over what is no picture, and does the others where one is bad", async () => {
    const argv = ["classify", ".", "nowhere.png", ...SEEDED, "--json", "--top", "2", "--batch", "2"];
    const { status, stdout, stderr } = await googlenet(argv, { env: { INIT_CWD: pictures } });
    expect(status).toBe(1);
    const lines = objects(stdout);
    expect(lines.map(({ image }) => image)).toEqual(["a.png", "b.jpg", "more/c.webp", "z.svg", "nowhere.png"]);
    expect(lines.map((line) => "error" in line)).toEqual([false, true, false, false, true]);
    expect(lines[0]).toMatchObject({ backend: "webgpu", precision: "f32", weights: "seed:1" });
    expect(Object.keys(lines[0])).toEqual([
      "image",
      "top",
      "backend",
      "adapter",
      "precision",
      "crops",
      "weights",
      "ms",
    ]);
    expect(lines[0]["ms"]).toBeGreaterThan(0);
    const top = lines[0]["top"] as Record<string, unknown>[];
    expect(top).toHaveLength(2);
    expect(Object.keys(top[0])).toEqual(["class", "id", "label", "probability"]);
    expect(stderr).toMatch(/^\.: 1 other file passed over$/m);
    expect(stderr).toMatch(/^googlenet: b\.jpg: .*; .*$/m);
    expect(stderr).toMatch(/^googlenet: nowhere\.png: there is no such file; check the path$/m);

    const single = await googlenet(["classify", "z.svg", ...SEEDED, "--json", "--top", "2"], { cwd: pictures });
    expect(single.status).toBe(0);
    expect(essence(objects(single.stdout)[0])).toEqual(essence(lines[3]));
  });

  test("prints a table for people, in plain text where it is piped, and nothing else with --quiet", async () => {
    const argv = ["classify", "a.png", "z.svg", ...SEEDED, "--top", "3", "--quiet"];
    const { status, stdout, stderr } = await googlenet(argv, { cwd: pictures });
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    const row = String.raw` +\d+\.\d\d % +\d+  n\d{8}  .+\n`;
    expect(stdout).toMatch(new RegExp(`^a\\.png\\n(${row}){3}z\\.svg\\n(${row}){3}$`));
  });

  describe("several models", () => {
    const [a, b] = [path.join(folder, "a.safetensors"), path.join(folder, "b.caffemodel")];
    type Top = { class: number; probability: number }[];
    beforeAll(() => {
      const { parameters } = inferShapesForBatch(googLeNet(), 1);
      writeFileSync(a, writeSafetensors(seededWeights(parameters, 1), {}));
      writeFileSync(b, writeCaffemodel("b", seededWeights(parameters, 2)));
    });

    test("of several formats, by 10 crops: averaged, and each one's own beside", async () => {
      const argv = ["classify", "z.svg", "--crops", "10", "--top", "1000", "--json", "--batch", "5"];
      const both = await googlenet([...argv, "--weights", a, "--weights", b], { cwd: pictures });
      expect(both.status).toBe(0);
      const [line] = objects(both.stdout);
      expect(line).toMatchObject({ crops: 10, weights: `${a} + ${b}`, models: [{ weights: a }, { weights: b }] });
      const probabilities = (top: unknown) => {
        const values = new Float64Array(1000);
        for (const { class: index, probability } of top as Top) values[index] = probability;
        return values;
      };
      const [first, second] = (line["models"] as { top: unknown }[]).map(({ top }) => probabilities(top));
      probabilities(line["top"]).forEach((value, index) => {
        expect(value).toBeCloseTo((first[index] + second[index]) / 2, 6);
      });
      const alone = objects((await googlenet([...argv, "--weights", b], { cwd: pictures })).stdout)[0];
      expect(Object.keys(alone)).not.toContain("models");
      probabilities(alone["top"]).forEach((value, index) => {
        expect(value).toBeCloseTo(second[index], 6);
      });
    });

    test("in text: all together, then each alone", async () => {
      const argv = ["classify", "a.png", "--top", "1", "--quiet", "--weights", a, "--weights", "seed:2"];
      const { status, stdout } = await googlenet(argv, { cwd: pictures });
      expect(status).toBe(0);
      const row = String.raw` +\d+\.\d\d % +\d+  n\d{8}  .+\n`;
      expect(stdout).toMatch(new RegExp(`^a\\.png\\n${row}  .*a\\.safetensors alone\\n${row}  seed:2 alone\\n${row}$`));
    });

    test("the auxiliary heads beside the main one, where the weights have them; one line where they don't", async () => {
      const argv = ["classify", "a.png", "--heads", "all", "--top", "2", "--json", ...SEEDED];
      const { status, stdout } = await googlenet(argv, { cwd: pictures });
      expect(status).toBe(0);
      const [line] = objects(stdout);
      expect(Object.keys(line["heads"] as object)).toEqual(["loss1/prob", "loss2/prob"]);
      for (const top of Object.values(line["heads"] as object)) expect(top).toHaveLength(2);

      const lacking = await googlenet([...argv, "--weights", a], { cwd: pictures });
      expect(lacking.status).toBe(1);
      expect(objects(lacking.stdout)).toEqual([
        { model: "googlenet", error: expect.stringContaining("a.safetensors: lacks loss1/") as string },
      ]);
      expect(lacking.stderr).toMatch(
        /^googlenet: .*a\.safetensors: lacks loss1\/[^\n]+; use weights that have the auxiliary heads, [^\n]+\n$/,
      );
    });
  });

  test("too little memory for one crop is an error that says how much it takes", async () => {
    const { status, stdout, stderr } = await googlenet(["classify", CLOCK, ...SEEDED, "--memory", "1"]);
    expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
    expect(stderr).toMatch(/^googlenet: memory: one crop takes \d+ bytes, and it may take 1000000; allow more\n$/);
  });

  test.skipIf(GOOGLENET_WEIGHTS === undefined || GOOGLENET_PHOTOS === undefined)(
    "labels the photographs right (needs GOOGLENET_WEIGHTS and GOOGLENET_PHOTOS)",
    async () => {
      const env = { GOOGLENET_WEIGHTS: GOOGLENET_WEIGHTS ?? "" };
      const argv = ["classify", GOOGLENET_PHOTOS ?? "", "--json", "--top", "1", "--resize", "squash224"];
      const { status, stdout } = await googlenet(argv, { env });
      expect(status).toBe(0);
      const best = Object.fromEntries(
        objects(stdout).map(({ image, top }) => [
          path.basename(image as string, path.extname(image as string)),
          (top as { class: number; probability: number }[])[0],
        ]),
      );
      expect(best["coral_parrot"].class).toBe(88);
      expect(best["coral_hot_dog"].class).toBe(934);
      expect(best["skimage_coffee"].class).toBe(967);
      expect([281, 282, 285]).toContain(best["skimage_chelsea"].class);
      expect(best["opencv_space_shuttle"].class).toBe(812);
      expect(best["opencv_space_shuttle"].probability).toBeCloseTo(0.9999, 4);
    },
  );

  test.skipIf(GOOGLENET_WEIGHTS === undefined)("knows the sample clock (needs GOOGLENET_WEIGHTS)", async () => {
    const env = { GOOGLENET_WEIGHTS: GOOGLENET_WEIGHTS ?? "" };
    const { stdout } = await googlenet(["classify", CLOCK, "--json", "--top", "1"], { env });
    expect(objects(stdout)[0]).toMatchObject({ weights: "bvlc_googlenet", top: [{ class: 409 }] });
  });
});

describe("classify without a GPU", () => {
  test("reads standard input, and runs on the CPU where that is asked for", async () => {
    const argv = ["classify", "-", ...SEEDED, "--backend", "cpu", "--json", "--top", "1"];
    const call = { env: NO_ADAPTER, input: readFileSync(path.join(pictures, "a.png")) };
    const { status, stdout } = await googlenet(argv, call);
    expect(status).toBe(0);
    expect(objects(stdout)).toMatchObject([{ image: "-", backend: "cpu", top: [{}] }]);
  });

  test("fails for folders without pictures, alone and among others", async () => {
    mkdirSync(path.join(folder, "empty"));
    const alone = await googlenet(["classify", "empty", "--json", ...SEEDED], { cwd: folder });
    expect(alone.status).toBe(1);
    const error = "empty: no picture in it; name pictures, or folders that hold some";
    expect(objects(alone.stdout)).toEqual([{ image: "empty", error }]);
    expect(alone.stderr).toBe(`googlenet: ${error}\n`);
    const argv = ["classify", "empty", "pictures/a.png", ...SEEDED, "--backend", "cpu", "--json"];
    const among = await googlenet(argv, { cwd: folder, env: NO_ADAPTER });
    expect(among.status).toBe(1);
    expect(objects(among.stdout)).toMatchObject([{ image: "empty", error }, { image: "pictures/a.png" }]);
    expect(among.stderr).toMatch(/^googlenet: empty: no picture in it; /m);
  });

  test.skipIf(process.getuid?.() === 0 || process.platform === "win32")(
    "says of a folder that may not be read nothing else (left out for root)",
    async () => {
      mkdirSync(path.join(folder, "closed"), { mode: 0 });
      const { status, stderr } = await googlenet(["classify", "closed", ...SEEDED], { cwd: folder });
      expect(status).toBe(1);
      expect(stderr).toBe("googlenet: closed: it may not be read; check its permissions\n");
    },
  );

  test("does not fall back to the CPU by itself", async () => {
    const { status, stdout, stderr } = await googlenet(["classify", CLOCK, ...SEEDED], { env: NO_ADAPTER });
    expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
    expect(stderr).toMatch(/^googlenet: WebGPU adapter: there is none; .*--backend cpu\n$/);
  });

  test("gives an error for empty standard input and for missing weights", async () => {
    const empty = await googlenet(["classify", "-", ...SEEDED, "--backend", "cpu", "--json"]);
    expect(empty.status).toBe(1);
    expect(objects(empty.stdout)).toMatchObject([
      { image: "-", error: expect.stringMatching(/^-: the file is empty/) as string },
    ]);
    const weights = await googlenet(["classify", CLOCK, "--weights", "none.safetensors"], { cwd: folder });
    expect(weights).toMatchObject({ status: 1, stdout: "" });
    expect(weights.stderr).toMatch(/^googlenet: .*none\.safetensors: there is no such file; /);
  });
});
