/** What `evaluate --merge --json` prints of shards is an evaluation like any other: it can be compared and merged anew. */
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { digestOfPictures, picturesOf } from "../../src/evaluate/pictures.ts";
import type { EvaluatedPicture, EvaluationRun } from "../../src/evaluate/record.ts";
import { type EvaluationChanges, evaluationOf, randomPictures } from "../support/evaluations.ts";
import { freshSeed, uniform } from "../support/random.ts";
import { googlenet, objects } from "./googlenet.ts";

const folder = mkdtempSync(path.join(tmpdir(), "googlenet merge "));
afterAll(() => rmSync(folder, { recursive: true }));

/** What the command prints with --json, as far as it is read again. */
function printed(
  name: string,
  { index, of = 2, ...changes }: { index: number; of?: number } & Partial<EvaluationRun>,
  pictures: readonly EvaluatedPicture[],
  digest: string,
  more: EvaluationChanges = {},
): string {
  const { run, ...rest } = evaluationOf(pictures, {
    ...more,
    shard: { index, of },
    run: { pictures: digest, total: pictures.length, ...changes },
  });
  const own = picturesOf(rest.shard, pictures);
  const summary = { images: own.length, run, ...rest, pictures: undefined };
  const file = path.join(folder, name);
  writeFileSync(file, [...own, summary].map((line) => `${JSON.stringify(line)}\n`).join(""));
  return file;
}

describe("others beside the merged", () => {
  const pictures = randomPictures(uniform(freshSeed()), 30);
  const of = 1;
  let whole: string;
  let ten: string;
  beforeAll(async () => {
    const digest = await digestOfPictures(pictures);
    whole = printed("one crop.json", { index: 1, of }, pictures, digest);
    ten = printed("ten crops.json", { index: 1, of, crops: 10 }, pictures, digest);
  });
  const merge = (...more: string[]) => googlenet(["evaluate", "--merge", whole, ...more]);

  test("bear their names where nothing else tells them apart", async () => {
    const { stdout } = await merge("--beside", whole, "--beside", ten);
    expect(stdout).toMatch(/^models +crops +cost .* +evaluation$/m);
    expect(stdout).toMatch(/^ +1 +1 +1 .* base +the merged shards$/m);
    expect(stdout.split("\n").filter((line) => line.endsWith(` base  ${whole}`))).toHaveLength(1);
    expect(stdout, "this one is alone").toMatch(/^ +1 +10 +10 .*−0\.92 %$/m);
    expect((await merge("--beside", ten)).stdout).not.toMatch(/ evaluation$/m);
  });

  test("stand in the paper's table, against the base", async () => {
    const { stdout } = await merge("--beside", ten);
    expect(stdout).toMatch(/^ +1 +1 +1 +\d+\.\d\d % +base +10\.07 % +base$/m);
    expect(stdout).toMatch(/^ +1 +10 +10 +\d+\.\d\d % +\+0\.00 % +9\.15 % +−0\.92 %$/m);
    expect(stdout).toMatch(/^ +7 +144 +1008 +6\.67 % +−3\.40 %$/m);
    const figures = objects((await merge("--beside", ten, "--json")).stdout).at(-1)!;
    const { images, classes, confusions, table, top1Error, unreadable } = figures as Record<string, number> & {
      classes: { class: number; images: number; unreadable: number; top1Errors: number; top5Errors: number }[];
      confusions: { count: number }[];
      table: object[];
    };
    const sum = (values: readonly number[]) => values.reduce((total, each) => total + each, 0);
    expect(sum(classes.map((each) => each.images))).toBe(images);
    expect(sum(classes.map((each) => each.unreadable))).toBe(unreadable);
    expect(sum(classes.map((each) => each.top1Errors)) / images).toBeCloseTo(top1Error, 12);
    expect(sum(confusions.map(({ count }) => count)) + unreadable).toBe(Math.round(top1Error * images));
    for (const { class: shown, top5Errors } of classes) {
      const wrong = pictures.filter((each) => each.class === shown && !("top5" in each && each.top5.includes(shown)));
      expect(top5Errors).toBe(wrong.length);
    }
    expect(table).toHaveLength(6);
    expect(table[1]).toMatchObject({ models: 1, crops: 10, cost: 10, againstBase: 0, paper: 0.0915 });
  });

  test("of an ensemble each model's errors are printed too", async () => {
    const both = pictures.map((each) => ("error" in each ? each : { ...each, models: [each.top5, [each.class]] }));
    const models = ["first", "second"].map((name) => ({ name, sha256: name.padEnd(64, "0") }));
    const file = printed("two.json", { index: 1, of, models }, both, await digestOfPictures(pictures));
    const figures = objects((await googlenet(["evaluate", "--merge", file, "--json"])).stdout).at(-1)!;
    const { unreadable, images, top1Error, top5Error } = figures as Record<string, number>;
    expect(figures).toMatchObject({
      modelErrors: [
        { model: "first", top1Error, top5Error },
        { model: "second", top1Error: unreadable / images, top5Error: unreadable / images },
      ],
    });
    const { stdout } = await googlenet(["evaluate", "--merge", file]);
    expect(stdout).toMatch(/^Each model alone\n *top-1 +top-5 +model\n *\d+\.\d\d % +\d+\.\d\d % +first$/m);
  });

  test("a page never takes the place of what it is made of", async () => {
    const before = readFileSync(ten, "utf8");
    symlinkSync(ten, path.join(folder, "link.html"));
    for (const html of [ten, path.join(folder, "link.html"), whole]) {
      const { status, stdout, stderr } = await merge("--beside", ten, "--html", html);
      expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
      expect(stderr).toMatch(
        /^googlenet: --html: .* is the file of --(beside|merge); name another file for the page\n$/,
      );
    }
    expect(readFileSync(ten, "utf8")).toBe(before);
  });

  test("are refused where they are unfinished or of other pictures, before anything is printed", async () => {
    const state = path.join(folder, "unfinished.state");
    const { run, shard, skipUnreadable } = evaluationOf([], { run: { total: 30 } });
    writeFileSync(state, `${JSON.stringify({ evaluation: 1, run, shard, skipUnreadable })}\n`);
    const lacking = /^googlenet: .*unfinished\.state: it lacks 30 of its pictures; let it be finished/;
    const outcomes = [
      await merge("--beside", state),
      await googlenet(["evaluate", "--compare", state, whole]),
      await merge("--beside", printed("other.json", { index: 1, of }, pictures, "another digest")),
    ];
    expect(outcomes.map(({ status, stdout }) => [status, stdout])).toEqual(outcomes.map(() => [1, ""]));
    expect(outcomes[0].stderr).toMatch(lacking);
    expect(outcomes[1].stderr).toMatch(lacking);
    expect(outcomes[2].stderr).toMatch(/they are not of the same pictures/);
  });

  test("figures are printed once, and even where the page can't be", async () => {
    const { status, stdout, stderr } = await merge("--json", "--html", "/dev/full");
    expect(status).toBe(1);
    expect(stderr).toMatch(/\/dev\/full: cannot be written: the disk is full/);
    const lines = objects(stdout);
    expect(lines).toHaveLength(pictures.length + 1);
    expect(lines.at(-1)).toMatchObject({ images: 30 });
  });
});

test("what computed each shard is printed, for people and for programs", async () => {
  const pictures = randomPictures(uniform(freshSeed()), 30);
  const digest = await digestOfPictures(pictures);
  const parts = [1, 2, 3].map((index) => {
    const computedBy = [{ shard: { index, of: 3 }, adapter: index === 2 ? "B" : "A GPU", tuning: null, batch: 8 }];
    return printed(`of three ${index}.json`, { index, of: 3 }, pictures, digest, { computedBy });
  });
  const { stdout } = await googlenet(["evaluate", "--merge", ...parts]);
  expect(stdout).toMatch(/^Runs on +A GPU \+ B \(WebGPU\)$/m);
  expect(stdout).toMatch(
    /^What computed it\nshards 1, 3 of 3 +A GPU, kernels by default\nshard 2 of 3 +B, kernels by default$/m,
  );
  const merged = await googlenet(["evaluate", "--merge", ...parts, "--json"]);
  expect(objects(merged.stdout).at(-1)).toMatchObject({
    adapter: "A GPU + B",
    computedBy: ["A GPU", "B", "A GPU"].map((adapter, index) => ({ shard: { index: index + 1, of: 3 }, adapter })),
  });
  const whole = path.join(folder, "of three.json");
  writeFileSync(whole, merged.stdout);
  const compared = await googlenet(["evaluate", "--compare", whole, whole]);
  expect(compared.stdout.match(/^what computed .*of three\.json\nshards 1, 3 of 3 +A GPU/gm)).toHaveLength(2);
});

test("shards merge to a whole that agrees with itself", async () => {
  const seed = freshSeed();
  const pictures = randomPictures(uniform(seed), 60);
  const digest = await digestOfPictures(pictures);
  const parts = [1, 2].map((index) => printed(`${index}.json`, { index }, pictures, digest));
  const merged = await googlenet(["evaluate", "--merge", ...parts, "--json"]);
  const unread = pictures.filter((picture) => "error" in picture).length;
  expect([merged.status, merged.stderr], `seed ${seed}`).toEqual(
    unread === 0 ? [0, ""] : [1, expect.stringMatching(/^googlenet: \d+ pictures?: could not be read; .*\n$/)],
  );
  expect(await googlenet(["evaluate", "--merge", ...parts, "--skip-unreadable", "--quiet"])).toMatchObject({
    status: 0,
    stderr: "",
  });
  const lines = objects(merged.stdout);
  expect(
    lines.slice(0, -1).map(({ image }) => image),
    `seed ${seed}`,
  ).toEqual(pictures.map(({ image }) => image));
  expect(lines.at(-1)).toMatchObject({ images: 60, shard: { index: 1, of: 1 } });

  const whole = path.join(folder, "whole.json");
  writeFileSync(whole, merged.stdout);
  const compared = await googlenet(["evaluate", "--compare", whole, whole, "--json"]);
  expect(compared.status, compared.stderr).toBe(0);
  const readable = pictures.filter((each) => !("error" in each)).length;
  expect(objects(compared.stdout)).toMatchObject([
    { pictures: 60, compared: readable, sameTop1: readable, changed: 0, top1: { onlyFirst: 0, mcnemar: { p: 1 } } },
  ]);

  const page = path.join(folder, "page.html");
  await googlenet(["evaluate", "--merge", whole, "--html", page]);
  expect(readFileSync(page, "utf8")).toContain("top-5 error on all shards</title>");
});
