/** The paper's table, and evaluations in its form. */
import { expect, test } from "vitest";
import { costOf, errorRows, PAPER_TABLE_3, paperError } from "../../src/evaluate/paper.ts";

function effort(models: number, crops: number, rate: number) {
  const run = { models: Array.from({ length: models }, () => ({ name: "", sha256: "" })), crops };
  return { evaluation: { run }, summary: { top5: { rate } } };
}

test("is as printed", () => {
  expect(PAPER_TABLE_3.map(({ models, crops, top5Error }) => [models, crops, 100 * top5Error])).toEqual([
    [1, 1, 10.07],
    [1, 10, 9.15],
    [1, 144, 7.89],
    [7, 1, 8.09],
    [7, 10, 7.62],
    [7, 144, 6.67],
  ]);
  expect(PAPER_TABLE_3.map(costOf)).toEqual([1, 10, 144, 7, 70, 1008]);
});

test("an evaluation is compared with one model and one crop, and with the paper where that has the like", () => {
  const given = [effort(1, 10, 0.1), effort(1, 1, 0.12), effort(3, 144, 0.07)];
  const rows = errorRows(given);
  const [ten, base, three] = given.map((each) => rows.find(({ evaluated }) => evaluated === each)!);
  expect(ten).toMatchObject({ models: 1, crops: 10, cost: 10, top5Error: 0.1, paper: 0.0915 });
  expect(ten.againstBase).toBeCloseTo(-0.02, 12);
  expect(ten.paperAgainstBase).toBeCloseTo(-0.0092, 12);
  expect(base).toMatchObject({ cost: 1, paper: 0.1007, againstBase: null, paperAgainstBase: null });
  expect(three).toMatchObject({ cost: 432, paper: null, paperAgainstBase: null });
  expect(three.againstBase).toBeCloseTo(-0.05, 12);
});

test("is whole: each of the paper's efforts, and each evaluation in its place", () => {
  const rows = errorRows([effort(7, 10, 0.1), effort(2, 10, 0.3), effort(7, 10, 0.2)]);
  expect(rows.map(({ models, crops, top5Error, paper }) => [models, crops, top5Error, paper])).toEqual([
    [1, 1, null, 0.1007],
    [1, 10, null, 0.0915],
    [1, 144, null, 0.0789],
    [2, 10, 0.3, null],
    [7, 1, null, 0.0809],
    [7, 10, 0.1, 0.0762],
    [7, 10, 0.2, 0.0762],
    [7, 144, null, 0.0667],
  ]);
  expect(rows.filter(({ isBase }) => isBase)).toHaveLength(1);
});

test("without a base nothing is compared with it", () => {
  const [own, ...others] = errorRows([effort(7, 10, 0.1)]).sort((a) => (a.evaluated ? -1 : 0));
  expect(own).toMatchObject({ cost: 70, paper: 0.0762, top5Error: 0.1, againstBase: null });
  for (const other of others) expect(other).toMatchObject({ evaluated: null, top5Error: null, againstBase: null });
  expect(paperError({ models: 2, crops: 1 })).toBeNull();
});
