/** `evaluate` as its users call it, on pictures whose true figures are known. */

import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ReferenceClassifier } from "../../src/classify/reference.ts";
import { wilson } from "../../src/evaluate/statistics.ts";
import { googLeNet } from "../../src/graph/googlenet.ts";
import { inferShapesForBatch } from "../../src/graph/graph.ts";
import { IMAGENET_LABELS } from "../../src/labels/imagenet.ts";
import { topK } from "../../src/labels/labels.ts";
import { decodeImage } from "../../src/node/decode.ts";
import { seededWeights } from "../../src/weights/seed.ts";
import { describeGpu } from "../support/gpu.ts";
import { havePhotos, labelledPhotos, photosPath, trainedPath } from "../support/labelled_photos.ts";
import { freshSeed, uniform } from "../support/random.ts";
import { googlenet, NO_ADAPTER, objects } from "./googlenet.ts";

const root = mkdtempSync(path.join(tmpdir(), "googlenet evaluate "));
const folder = path.join(root, "pictures");
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Where the class that a picture shows stands among the most probable ones by the reference, for each picture. */
const RANKS = [0, 2, 20];

interface Truth {
  readonly image: string;
  readonly class: number;
  readonly top5: readonly number[];
  readonly probabilities: readonly number[];
}

const truths: Truth[] = [];
const seed = freshSeed();

/** Draws pictures, and puts each into the folder of the class that has the wanted rank. */
async function makePictures(): Promise<void> {
  const next = uniform(seed);
  const graph = googLeNet();
  const weights = seededWeights(inferShapesForBatch(graph, 1).parameters, 1);
  const reference = new ReferenceClassifier([{ graph, weights }]);
  const below = (limit: number) => Math.floor(limit * next());
  const colour = () => `rgb(${below(256)},${below(256)},${below(256)})`;
  for (const [index, rank] of RANKS.entries()) {
    const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="90" height="60"><rect width="90" height="60" fill="${colour()}"/>
      <circle cx="${below(90)}" cy="${below(60)}" r="${10 + below(20)}" fill="${colour()}"/><path d="M${below(90)} ${below(60)}L90 60L${below(90)} 0Z" fill="${colour()}"/></svg>`;
    const png = await sharp(Buffer.from(svg)).png().toBuffer();
    for await (const { classification } of reference.classify([await decodeImage(png)], (each) => each)) {
      const best = topK(classification!.probabilities.prob, 30);
      // Two devices may order what is nearly equal otherwise.
      for (const border of [0, 4]) {
        const [above, under] = [best[Math.min(border, rank)], best[Math.max(border + 1, rank)]];
        expect(above.probability - under.probability, `seed ${seed}`).toBeGreaterThan(1e-6);
      }
      const shown = best[rank].class;
      const { id, name } = IMAGENET_LABELS[shown];
      // By id and by name, as people have it.
      const label = index % 2 === 0 ? id : name.replaceAll("/", " ");
      mkdirSync(path.join(folder, label), { recursive: true });
      const image = `${label}/picture ${index}.png`;
      writeFileSync(path.join(folder, image), png);
      const five = best.slice(0, 5);
      truths.push({
        image,
        class: shown,
        top5: five.map((each) => each.class),
        probabilities: five.map(({ probability }) => probability),
      });
    }
  }
  mkdirSync(path.join(folder, "tench"));
  writeFileSync(path.join(folder, "tench/broken.jpg"), "no picture");
  truths.sort((a, b) => (a.image < b.image ? -1 : 1));
}

describeGpu("evaluate on the GPU", () => {
  beforeAll(makePictures);

  test("gives the figures that the reference gives, keeps them, and draws them", async () => {
    const state = path.join(root, "run.state");
    const html = path.join(root, "run.html");
    const argv = ["evaluate", folder, "--weights", "seed:1", "--batch", "2", "--state", state];
    const { status, stdout, stderr } = await googlenet([...argv, "--json", "--html", html]);
    expect(stderr).toMatch(/^googlenet: tench\/broken\.jpg: this is not a picture that can be read; /m);
    expect(status).toBe(1);
    const lines = objects(stdout);
    const figures = lines.pop()!;
    const broken = lines.filter((line) => "error" in line);
    expect(broken).toMatchObject([{ image: "tench/broken.jpg", class: 0 }]);
    const read = lines.filter((line) => !("error" in line));
    expect(read.map(({ image, class: shown }) => [image, shown])).toEqual(
      truths.map(({ image, class: shown }) => [image, shown]),
    );
    read.forEach(({ top5, probabilities }, index) => {
      const truth = truths[index];
      (probabilities as number[]).forEach((value, rank) => {
        expect(Math.abs(value - truth.probabilities[rank])).toBeLessThan(5e-6);
      });
      expect((top5 as number[]).includes(truth.class)).toBe(truth.top5.includes(truth.class));
      expect((top5 as number[])[0] === truth.class).toBe(truth.top5[0] === truth.class);
    });
    const interval = ({ low, high }: { low: number; high: number }) => [low, high];
    expect(figures).toMatchObject({
      images: 4,
      unreadable: 1,
      top1Error: 3 / 4,
      top5Error: 2 / 4,
      top1Interval: interval(wilson(3, 4)),
      top5Interval: interval(wilson(2, 4)),
      crops: 1,
      models: 1,
      weights: "seed:1",
      precision: "f32",
    });
    expect(figures["imagesPerSecond"]).toBeGreaterThan(0);
    const { seconds, waitingSeconds, waitingShare } = figures as Record<string, number>;
    expect(waitingShare).toBeCloseTo(waitingSeconds / seconds, 12);
    expect(waitingShare).toBeGreaterThanOrEqual(0);
    expect(waitingShare).toBeLessThan(1);
    expect(readFileSync(html, "utf8")).toMatch(/^<!doctype html>[^]*data:image\/jpeg;base64/i);

    // All is there: no device is needed any more, and none is looked for.
    const again = await googlenet([...argv, "--json", "--skip-unreadable"], { env: NO_ADAPTER });
    expect(again).toMatchObject({
      status: 0,
      stderr: `${state}: is finished, and keeps 1 picture that could not be read as such; remove it, or name another --state, to look at all pictures anew\n`,
    });
    const left = objects(again.stdout);
    expect(left.slice(0, -1)).toEqual(objects(stdout).slice(0, -1));
    expect(left.at(-1)).toMatchObject({ images: 4, unreadable: 1, top1Error: 2 / 3, top5Error: 1 / 3 });
    const finished = await googlenet([...argv, "--quiet"], { env: NO_ADAPTER });
    const line = "googlenet: 1 picture: could not be read; --skip-unreadable leaves it out\n";
    expect(finished).toMatchObject({ status: 1, stderr: line });
    expect(stderr.endsWith(line)).toBe(true);
    const text = finished.stdout;
    expect(text).toMatch(/^Pictures +4, 1 unreadable, counted as an error$/m);
    expect(text).toMatch(
      new RegExp(`^Waiting +the GPU waited for pictures ${(100 * waitingShare).toFixed(1)} % of`, "m"),
    );
    expect(text).toMatch(/^top-1 +75\.00 % +30\.06 % to 95\.44 % +3 of 4$/m);
    expect(text).toMatch(/^ +1 +1 +1 +50\.00 % +base +10\.07 % +base$/m);
    expect(text).toMatch(/^Unreadable\ntench\/broken\.jpg: /m);
    expect(existsSync(`${state}.lock`)).toBe(false);

    const other = await googlenet([...argv.slice(0, -4), "--state", state, "--crops", "10"]);
    expect(other).toMatchObject({ status: 1, stdout: "" });
    expect(other.stderr).toMatch(
      /run\.state: it is the state of another evaluation: crops 1 \(squash256\), not 10 \(crops10\); name another file/,
    );
  });

  test("in shards, which join into the same", async () => {
    const files: string[] = [];
    for (const shard of ["1/2", "2/2"]) {
      const argv = ["evaluate", folder, "--weights", "seed:1", "--shard", shard, "--json", "--skip-unreadable"];
      const { status, stdout } = await googlenet(argv);
      expect(status).toBe(0);
      files.push(path.join(root, `${files.length}.json`));
      writeFileSync(files.at(-1)!, stdout);
    }
    const merged = await googlenet(["evaluate", "--merge", ...files, "--json"], { env: NO_ADAPTER });
    expect(merged.status).toBe(0);
    const lines = objects(merged.stdout);
    expect(lines.at(-1)).toMatchObject({ images: 4, unreadable: 1, top1Error: 2 / 3, top5Error: 1 / 3 });
    expect(lines.filter((line) => !("error" in line)).slice(0, -1)).toMatchObject(
      truths.map(({ image, class: shown }) => ({ image, class: shown })),
    );
  });

  test.skipIf(!havePhotos)("photographs get their labels (needs GOOGLENET_WEIGHTS and GOOGLENET_PHOTOS)", async () => {
    const list = path.join(root, "photos.txt");
    writeFileSync(list, labelledPhotos.map(([file, [shown]]) => `${file} ${shown}\n`).join(""));
    const argv = ["evaluate", photosPath!, "--labels", list, "--weights", trainedPath!, "--json"];
    const { status, stdout } = await googlenet(argv);
    expect(status).toBe(0);
    const lines = objects(stdout);
    for (const [file, classes] of labelledPhotos) {
      expect(classes, file).toContain((lines.find(({ image }) => image === file)?.["top5"] as number[])[0]);
    }
    expect(lines.at(-1)).toMatchObject({ images: 5, top5Error: 0, weights: "bvlc_googlenet" });
  });
});

describe("evaluate without a GPU", () => {
  const empty = path.join(root, "empty");
  const loose = path.join(root, "loose");
  beforeAll(() => {
    mkdirSync(empty);
    mkdirSync(loose);
    writeFileSync(path.join(loose, "a.jpg"), "");
    writeFileSync(path.join(root, "val.txt"), "a.jpg 5\nb.jpg 6\n");
    writeFileSync(path.join(root, "one.txt"), "a.jpg 5\n");
    writeFileSync(path.join(root, "text.state"), "remember the milk\n");
  });

  test.each([
    [["evaluate", "loose"], /^googlenet: loose\/a\.jpg: nothing says what it shows; .* --labels FILE\n$/],
    [
      ["evaluate", "loose", "--labels", "val.txt"],
      /^googlenet: val\.txt: 1 picture \(b\.jpg\) is listed, but not in loose; /,
    ],
    [
      ["evaluate", "loose", "--labels", "one.txt", "--state", "text.state"],
      /^googlenet: text\.state: it is no state of/,
    ],
    [["evaluate", "loose", "--labels", "one.txt", "--html", "empty"], /^googlenet: empty: cannot be written: it is a/],
    [["evaluate", "--merge", "val.txt"], /^googlenet: val\.txt: line 1 is not a JSON object; give a state file, /],
  ])("%j is an error of one line, and status 1", async (argv, message) => {
    const { status, stdout, stderr } = await googlenet(
      [...argv, ...(argv.includes("loose") ? ["--weights", "seed:1"] : [])],
      {
        cwd: root,
        env: NO_ADAPTER,
      },
    );
    expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
    expect(stderr).toMatch(message);
    expect(stderr.trim().split("\n")).toHaveLength(1);
    expect(readFileSync(path.join(root, "text.state"), "utf8")).toBe("remember the milk\n");
  });
});
