/** Error rates and intervals against known values, and sums against counting by hand. */
import { describe, expect, test } from "vitest";
import { summarise, wilson } from "../../src/evaluate/statistics.ts";
import { evaluationOf, randomPictures, seen, unreadable } from "../support/evaluations.ts";
import { freshSeed, uniform } from "../support/random.ts";

describe("Wilson's interval", () => {
  // As SciPy 1.15 has it: binomtest(errors, n).proportion_ci(method="wilson").
  test.each([
    [1, 10, 0.017876213095072896, 0.4041500267952385],
    [3, 4, 0.30064184258240184, 0.9544127391902995],
    [5035, 50000, 0.09809286980672241, 0.10336848126000978],
    [0, 20, 0, 0.16112515805281935],
    [20, 20, 0.8388748419471808, 1],
    [1, 1, 0.20654931437723745, 1],
  ])("of %i errors among %i", (errors, n, low, high) => {
    const interval = wilson(errors, n);
    expect(interval.low).toBeCloseTo(low, 14);
    expect(interval.high).toBeCloseTo(high, 14);
  });

  test("of no picture says nothing", () => {
    expect(wilson(0, 0)).toEqual({ low: 0, high: 1 });
  });

  test("ends at exactly 0 and 1, holds the rate, and mirrors", () => {
    for (let n = 1; n <= 200; n++) {
      expect(wilson(0, n).low).toBe(0);
      expect(wilson(n, n).high).toBe(1);
      for (let errors = 0; errors <= n; errors += 7) {
        const { low, high } = wilson(errors, n);
        expect(low).toBeLessThanOrEqual(errors / n);
        expect(high).toBeGreaterThanOrEqual(errors / n);
        expect(wilson(n - errors, n).high).toBeCloseTo(1 - low, 12);
      }
    }
  });
});

describe("a summary", () => {
  const pictures = [
    seen(0, 7, [7, 1, 2, 3, 4]),
    seen(1, 7, [9, 7, 2, 3, 4]),
    seen(2, 7, [9, 1, 2, 3, 4]),
    unreadable(3, 7),
    seen(4, 2, [1, 3, 4, 5, 2]),
    seen(5, 2, [2, 3, 4, 5, 6]),
    unreadable(6, 5),
  ];

  test("says of what share of the time there were no pictures, where that is known", () => {
    const shareOf = (changes: object) => summarise(evaluationOf(pictures, changes)).waitingShare;
    expect(shareOf({ seconds: 4, waitingSeconds: 4 })).toBe(1);
    expect(shareOf({ seconds: 4, waitingSeconds: 0 })).toBe(0);
    expect(shareOf({ seconds: 4, waitingSeconds: null })).toBeNull();
    expect(shareOf({ seconds: 0, waitingSeconds: 0 })).toBeNull();
  });

  test("counts unreadable pictures as errors", () => {
    const summary = summarise(evaluationOf(pictures, { seconds: 2.5, waitingSeconds: 0.5 }));
    expect(summary).toMatchObject({ images: 7, unreadable: 2, seconds: 2.5, imagesPerSecond: 2, waitingShare: 0.2 });
    expect(summary.top1).toEqual({ errors: 5, of: 7, rate: 5 / 7, interval: wilson(5, 7) });
    expect(summary.top5).toEqual({ errors: 3, of: 7, rate: 3 / 7, interval: wilson(3, 7) });
    expect(summary.classes.map((each) => [each.class, each.top1.errors, each.top5.errors, each.top1.of])).toEqual([
      [2, 1, 0, 2],
      [5, 1, 1, 1],
      [7, 3, 2, 4],
    ]);
    expect(summary.confusions).toEqual([
      { class: 7, predicted: 9, count: 2, of: 4 },
      { class: 2, predicted: 1, count: 1, of: 2 },
    ]);
  });

  test("leaves them out of all denominators where it is asked to", () => {
    const summary = summarise(evaluationOf(pictures, { skipUnreadable: true }));
    expect(summary).toMatchObject({ images: 7, unreadable: 2 });
    expect(summary.top1).toMatchObject({ errors: 3, of: 5 });
    expect(summary.top5).toMatchObject({ errors: 1, of: 5 });
    expect(summary.classes.map((each) => [each.class, each.top1.of, each.unreadable])).toEqual([
      [2, 2, 0],
      [5, 0, 1],
      [7, 3, 1],
    ]);
    expect(summary.classes[1].top1).toEqual({ errors: 0, of: 0, rate: NaN, interval: { low: 0, high: 1 } });
    expect(summary.confusions[0]).toMatchObject({ of: 3 });
  });

  test("of nothing is nothing", () => {
    const summary = summarise(evaluationOf([], { seconds: 0 }));
    expect(summary).toMatchObject({ images: 0, unreadable: 0, imagesPerSecond: 0, classes: [], confusions: [] });
    expect(summary.top1.rate).toBeNaN();
  });

  test("is that of its shards put together, whatever their order", () => {
    const seed = freshSeed();
    const all = randomPictures(uniform(seed), 500);
    const shards = [2, 0, 1].flatMap((shard) => all.filter(({ number }) => number % 3 === shard));
    expect(summarise(evaluationOf(shards)), `seed ${seed}`).toEqual(summarise(evaluationOf(all)));
  });

  test("is what counting each figure by itself gives", () => {
    const seed = freshSeed();
    const all = randomPictures(uniform(seed), 400);
    const { top1, top5, classes, confusions } = summarise(evaluationOf(all));
    const wrong1 = all.filter((each) => "error" in each || each.top5[0] !== each.class).length;
    const wrong5 = all.filter((each) => "error" in each || !each.top5.includes(each.class)).length;
    expect([top1.errors, top5.errors, top1.of], `seed ${seed}`).toEqual([wrong1, wrong5, 400]);
    expect(classes.reduce((sum, each) => sum + each.top5.errors, 0)).toBe(wrong5);
    for (const { class: shown, predicted, count } of confusions) {
      const same = all.filter((each) => !("error" in each) && each.class === shown && each.top5[0] === predicted);
      expect(count, `seed ${seed}`).toBe(same.length);
      expect(predicted).not.toBe(shown);
    }
    expect(confusions.reduce((sum, { count }) => sum + count, 0)).toBe(
      wrong1 - all.filter((each) => "error" in each).length,
    );
  });
});

test("each model of an ensemble has its own errors, unreadable pictures treated as in the whole", () => {
  const two = { run: { models: ["a", "b"].map((name) => ({ name, sha256: name.repeat(64) })) } };
  const by = (number: number, shown: number, models: readonly (readonly number[])[]) => ({
    ...seen(number, shown, [shown, 11, 12, 13, 14]),
    models,
  });
  const pictures = [
    by(0, 1, [
      [1, 2, 3, 4, 5],
      [2, 1, 3, 4, 5],
    ]),
    by(1, 2, [
      [2, 1, 3, 4, 5],
      [6, 1, 3, 4, 5],
    ]),
    unreadable(2, 3),
  ];
  const errors = ({ models }: ReturnType<typeof summarise>) =>
    models.map(({ top1, top5 }) => [top1.errors, top1.of, top5.errors, top5.of]);
  expect(errors(summarise(evaluationOf(pictures, two)))).toEqual([
    [1, 3, 1, 3],
    [3, 3, 2, 3],
  ]);
  expect(errors(summarise(evaluationOf(pictures, { ...two, skipUnreadable: true })))).toEqual([
    [0, 2, 0, 2],
    [2, 2, 1, 2],
  ]);
  // Of a state from before they were kept, and of one model.
  expect(summarise(evaluationOf([...pictures, seen(3, 1, [1, 2, 3, 4, 5])], two)).models).toEqual([]);
  expect(summarise(evaluationOf([seen(3, 1, [1, 2, 3, 4, 5])])).models).toEqual([]);
});
