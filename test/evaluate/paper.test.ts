/** The paper's table, and evaluations in its form. */
import { expect, test } from "vitest";
import { costOf, errorRows, PAPER_TABLE_3, paperError } from "../../src/evaluate/paper.ts";

function effort(models: number, crops: number, rate: number) {
  return { run: { models: Array.from({ length: models }, () => ({ name: "", sha256: "" })), crops }, top5: { rate } };
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
  const [ten, base, three] = errorRows([effort(1, 10, 0.1), effort(1, 1, 0.12), effort(3, 144, 0.07)]);
  expect(ten).toMatchObject({ models: 1, crops: 10, cost: 10, top5Error: 0.1, paper: 0.0915 });
  expect(ten.againstBase).toBeCloseTo(-0.02, 12);
  expect(ten.paperAgainstBase).toBeCloseTo(-0.0092, 12);
  expect(base).toMatchObject({ cost: 1, paper: 0.1007, againstBase: null, paperAgainstBase: null });
  expect(three).toMatchObject({ cost: 432, paper: null, paperAgainstBase: null });
  expect(three.againstBase).toBeCloseTo(-0.05, 12);
});

test("without a base nothing is compared with it", () => {
  expect(errorRows([effort(7, 10, 0.1)])).toMatchObject([{ cost: 70, paper: 0.0762, againstBase: null }]);
  expect(paperError({ models: 2, crops: 1 })).toBeNull();
});
