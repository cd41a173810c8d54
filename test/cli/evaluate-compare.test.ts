/** What `evaluate --compare` prints of two evaluations. */
import { afterEach, expect, test, vi } from "vitest";
import { printComparison } from "../../src/cli/evaluate-compare.ts";
import { Terminal } from "../../src/cli/terminal.ts";
import type { EvaluatedPicture, Evaluation } from "../../src/evaluate/record.ts";
import { evaluationOf, randomPictures, seen, unreadable } from "../support/evaluations.ts";
import { freshSeed, uniform } from "../support/random.ts";

afterEach(() => vi.restoreAllMocks());

function printed(json: boolean, first: readonly EvaluatedPicture[], second: readonly EvaluatedPicture[]) {
  return printedOf(json, evaluationOf(first), evaluationOf(second, { run: { precision: "float16" } }));
}

async function printedOf(json: boolean, first: Evaluation, second: Evaluation) {
  const terminal = new Terminal({ json, quiet: false });
  let text = "";
  vi.spyOn(terminal, "print").mockImplementation((line) => {
    text += `${line}\n`;
    return Promise.resolve();
  });
  const both = [first, second].map((evaluation, index) => ({ name: ["a.json", "b.json"][index], evaluation }));
  const status = await printComparison(both[0], both[1], terminal);
  expect(status).toBe(0);
  return text;
}

const first = [seen(0, 0, [0, 1, 2, 3, 4]), seen(1, 1, [1, 0, 2, 3, 4]), unreadable(2, 1)];
const second = [seen(0, 0, [0, 1, 2, 3, 4]), seen(1, 1, [2, 1, 0, 3, 4]), unreadable(2, 1)];

test("for people: both errors, what agrees, and the pictures that changed", async () => {
  const text = await printed(false, first, second);
  expect(text).toMatch(/^a\.json +1 +1 +float32 +A GPU \(webgpu\) +0\.00 % \(0\.00 to 65\.76\), 0 of 2 /m);
  expect(text).toMatch(/^b\.json +1 +1 +float16 +A GPU \(webgpu\) +50\.00 % .*, 1 of 2 /m);
  expect(text).toContain("over the 2 pictures that both could read of 3 (unreadable: 1 and 1)");
  expect(text).toMatch(/the same most probable class +50\.00 %, 1 of 2/);
  expect(text).toMatch(/0 in the first, 1 in the second: within chance, p = 1\.00 \(McNemar, exact binomial\)/);
  expect(text).toMatch(/^1\.jpg +goldfish +50\.0 % goldfish ✓ +50\.0 % great white shark$/m);
  expect(text).not.toMatch(/NaN|undefined/);
});

test("for programs: a line a picture that changed, and last the figures", async () => {
  const lines = (await printed(true, first, second)).trim().split("\n");
  expect(lines).toHaveLength(2);
  expect(JSON.parse(lines[0])).toEqual({
    image: "1.jpg",
    class: 1,
    first: { class: 1, probability: 0.5 },
    second: { class: 2, probability: 0.5 },
  });
  expect(JSON.parse(lines[1])).toMatchObject({
    first: { name: "a.json", precision: "float32", adapter: "A GPU", shard: { index: 1, of: 1 } },
    second: { name: "b.json", precision: "float16" },
    pictures: 3,
    compared: 2,
    sameTop1: 1,
    top1: { onlyFirst: 0, onlySecond: 1, mcnemar: { test: "exact binomial", statistic: null, p: 1 } },
    changed: 1,
  });
});

test("marks a shard as one", async () => {
  const part = evaluationOf(first, { shard: { index: 2, of: 3 } });
  expect(await printedOf(false, part, part)).toMatch(/^a\.json \(shard 2\/3\) +1 +1 /m);
});

test("shows people the first of many", async () => {
  const next = uniform(freshSeed());
  const one = randomPictures(next, 400);
  const other = randomPictures(next, 400).map((each, index) => ({ ...each, class: one[index].class }));
  const text = await printed(false, one, other);
  expect(text).toMatch(/\n… and \d+ more: --json lists all\n$/);
  expect(text.slice(text.indexOf("changed")).split("\n").length).toBeLessThan(30);
});

test.each([
  ["no picture at all", [], []],
  ["none that can be read", [unreadable(0, 1)], [unreadable(0, 1)]],
])("stands with %s", async (_, one, other) => {
  expect(await printed(false, one, other)).not.toMatch(/NaN|undefined/);
});
