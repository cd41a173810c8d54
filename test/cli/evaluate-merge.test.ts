/** What `evaluate --merge --json` prints of shards is an evaluation like any other: it can be compared and merged anew. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, expect, test } from "vitest";
import { digestOfPictures, picturesOf } from "../../src/evaluate/pictures.ts";
import type { EvaluatedPicture } from "../../src/evaluate/record.ts";
import { evaluationOf, randomPictures } from "../support/evaluations.ts";
import { freshSeed, uniform } from "../support/random.ts";
import { googlenet, objects } from "./googlenet.ts";

const folder = mkdtempSync(path.join(tmpdir(), "googlenet merge "));
afterAll(() => rmSync(folder, { recursive: true }));

/** What the command prints with --json, as far as it is read again. */
function printed(name: string, index: number, pictures: readonly EvaluatedPicture[], digest: string): string {
  const { run, ...rest } = evaluationOf(pictures, {
    shard: { index, of: 2 },
    run: { pictures: digest, total: pictures.length },
  });
  const own = picturesOf(rest.shard, pictures);
  const summary = { images: own.length, run, ...rest, pictures: undefined };
  const file = path.join(folder, name);
  writeFileSync(file, [...own, summary].map((line) => `${JSON.stringify(line)}\n`).join(""));
  return file;
}

test("shards merge to a whole that agrees with itself", async () => {
  const seed = freshSeed();
  const pictures = randomPictures(uniform(seed), 60);
  const digest = await digestOfPictures(pictures);
  const parts = [1, 2].map((index) => printed(`${index}.json`, index, pictures, digest));
  const merged = await googlenet(["evaluate", "--merge", ...parts, "--json"]);
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
