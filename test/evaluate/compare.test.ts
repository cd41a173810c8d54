/** Two evaluations beside each other, and McNemar's test against known values. */
import { describe, expect, test } from "vitest";
import { compareEvaluations } from "../../src/evaluate/compare.ts";
import { complementaryError, mcnemar } from "../../src/evaluate/mcnemar.ts";
import { evaluationOf, randomPictures, seen, unreadable } from "../support/evaluations.ts";
import { freshSeed, uniform } from "../support/random.ts";

describe("McNemar's test", () => {
  // As SciPy 1.15 has them: binomtest(min(b, c), b + c).pvalue.
  test.each([
    [0, 0, 1],
    [3, 9, 0.14599609375],
    [10, 1, 0.01171875],
    [12, 12, 1],
    [0, 24, 1.1920928955078125e-7],
  ])("is exact of %i and %i", (first, second, p) => {
    expect(mcnemar(first, second)).toEqual({ test: "exact binomial", statistic: null, p });
    expect(mcnemar(second, first).p).toBe(p);
  });

  // chi2.sf((abs(b - c) - 1)**2 / (b + c), 1).
  test.each([
    [10, 15, 0.64, 0.4237107971667936],
    [80, 45, 9.248, 0.0023575275957954914],
    [30, 5, 16.457142857142856, 4.976233487907417e-5],
    [900, 1000, 5.158421052631579, 0.023133919510755163],
    [13, 13, 0, 1],
  ])("is chi-square's of %i and %i", (first, second, statistic, p) => {
    const result = mcnemar(first, second);
    expect(result.test).toBe("chi-square with continuity correction");
    expect(result.statistic).toBeCloseTo(statistic, 12);
    expect(result.p / p).toBeCloseTo(1, 12);
  });

  // SciPy's erfc.
  test.each([
    [0, 1],
    [0.1, 0.8875370839817152],
    [0.5, 0.4795001221869535],
    [1, 0.15729920705028516],
    [1.9, 0.007209570764742531],
    [2, 0.004677734981047266],
    [2.5, 0.00040695201744495886],
    [4, 1.541725790028002e-8],
    [10, 2.0884875837625446e-45],
    [26, 5.663192408856145e-296],
  ])("knows erfc(%d)", (x, value) => {
    expect(complementaryError(x) / value).toBeCloseTo(1, 13);
  });
});

describe("a comparison", () => {
  const first = [
    seen(0, 7, [7, 1, 2, 3, 4]),
    seen(1, 7, [9, 7, 2, 3, 4]),
    seen(2, 8, [8, 1, 2, 3, 4]),
    seen(3, 8, [1, 2, 3, 4, 5]),
    unreadable(4, 8),
    seen(5, 6, [6, 1, 2, 3, 4]),
  ];
  const second = [
    seen(5, 6, [6, 4, 3, 2, 1], [0.4, 0.3, 0.1, 0.05, 0.02]),
    seen(0, 7, [7, 1, 2, 3, 4]),
    seen(1, 7, [7, 9, 2, 3, 4]),
    seen(2, 8, [1, 2, 3, 4, 5], [0.9, 0.05, 0.02, 0.015, 0.011]),
    seen(3, 8, [1, 2, 3, 4, 9]),
    seen(4, 8, [8, 1, 2, 3, 4]),
  ];
  const comparison = compareEvaluations(evaluationOf(first), evaluationOf(second));

  test("agrees on what agrees, over the pictures that both could read, whatever their order", () => {
    expect(comparison).toMatchObject({
      pictures: 6,
      compared: 5,
      unreadable: { first: 1, second: 0 },
      sameTop1: 3,
      sameTop5: 3,
    });
  });

  test("counts what only one has wrong", () => {
    expect(comparison.top1).toMatchObject({ onlyFirst: 1, onlySecond: 1, mcnemar: mcnemar(1, 1) });
    expect([comparison.top1.first.errors, comparison.top1.second.errors, comparison.top1.first.of]).toEqual([2, 2, 5]);
    expect(comparison.top5).toMatchObject({ onlyFirst: 0, onlySecond: 1, mcnemar: mcnemar(0, 1) });
  });

  test("names the pictures that changed, with both guesses", () => {
    expect(comparison.changed).toEqual([
      {
        image: "1.jpg",
        class: 7,
        first: { class: 9, probability: 0.5 },
        second: { class: 7, probability: 0.5 },
      },
      {
        image: "2.jpg",
        class: 8,
        first: { class: 8, probability: 0.5 },
        second: { class: 1, probability: 0.9 },
      },
    ]);
  });

  test("finds where probabilities differ most, and says at least how far where one is not known", () => {
    expect(comparison.differences.map(({ image }) => image)).toEqual(["2.jpg", "1.jpg", "5.jpg"]);
    const [two, one, five] = comparison.differences;
    expect(two).toMatchObject({ image: "2.jpg", class: 1, first: 0.2, second: 0.9 });
    expect(two.difference).toBeCloseTo(0.7, 12);
    expect(one.difference).toBeCloseTo(0.3, 12);
    // Class 4, which the first gives 0.02 and the second 0.3.
    expect(five).toMatchObject({ class: 4, first: 0.02, second: 0.3 });
    const unknown = compareEvaluations(
      evaluationOf([seen(0, 7, [1, 2, 3, 4, 5], [0.6, 0.1, 0.1, 0.1, 0.05])]),
      evaluationOf([seen(0, 7, [9, 2, 3, 4, 5], [0.3, 0.2, 0.1, 0.1, 0.1])]),
    );
    // Class 1 is at most 0.1 by the second.
    expect(unknown.differences).toMatchObject([{ image: "0.jpg", class: 1, first: 0.6, second: null }]);
    expect(unknown.differences[0].difference).toBeCloseTo(0.5, 12);
  });

  test("of an evaluation with itself finds nothing", () => {
    const seed = freshSeed();
    const evaluation = evaluationOf(randomPictures(uniform(seed), 300));
    const { compared, sameTop1, sameTop5, top1, changed, differences } = compareEvaluations(evaluation, evaluation);
    expect([sameTop1, sameTop5, changed.length, differences.length], `seed ${seed}`).toEqual([
      compared,
      compared,
      0,
      0,
    ]);
    expect(top1).toMatchObject({ onlyFirst: 0, onlySecond: 0, mcnemar: { p: 1 } });
  });

  test("turned round is the same turned round", () => {
    const seed = freshSeed();
    const next = uniform(seed);
    const one = randomPictures(next, 300);
    const other = randomPictures(next, 300).map((each, index) => ({ ...each, class: one[index].class }));
    const there = compareEvaluations(evaluationOf(one), evaluationOf(other));
    const back = compareEvaluations(evaluationOf(other), evaluationOf(one));
    expect(back.top1, `seed ${seed}`).toEqual({
      first: there.top1.second,
      second: there.top1.first,
      onlyFirst: there.top1.onlySecond,
      onlySecond: there.top1.onlyFirst,
      mcnemar: there.top1.mcnemar,
    });
    expect(back.sameTop5).toBe(there.sameTop5);
    expect(back.differences.map(({ difference }) => difference)).toEqual(
      there.differences.map(({ difference }) => difference),
    );
  });

  test.each([
    ["a picture fewer", first.slice(1), /the second lacks|the first lacks 0\.jpg;/],
    ["others", [...first.slice(0, 4), seen(8, 1, [1]), seen(9, 1, [1])], /lacks 4\.jpg and 1 more, and .*lacks 8\.jpg/],
    ["other labels", first.map((each) => ({ ...each, class: 3 })), /0\.jpg: shows class 7 .* 3 .*and 5 more differ/],
    ["a picture twice", [...first, first[2]], /2\.jpg is in it twice/],
  ])("refuses %s", (_, other, message) => {
    expect(() => compareEvaluations(evaluationOf(first), evaluationOf(other))).toThrow(message);
    expect(() => compareEvaluations(evaluationOf(other), evaluationOf(first))).toThrow();
  });

  test("refuses what is not finished, be it the whole or a shard", () => {
    const whole = evaluationOf(first);
    const refused = (which: string, lacking: number): unknown =>
      expect.objectContaining({
        code: "evaluation",
        message: `the ${which} evaluation: it lacks ${lacking} of its pictures; let it be finished by the command that began it`,
      });
    const cut = evaluationOf(first.slice(0, 4), { run: { total: first.length } });
    expect(() => compareEvaluations(cut, cut)).toThrow(refused("first", 2));
    expect(() => compareEvaluations(whole, cut)).toThrow(refused("second", 2));
    const shard = { index: 2, of: 3 };
    const part = evaluationOf([first[1], first[4]], { shard, run: { total: first.length } });
    expect(compareEvaluations(part, part)).toMatchObject({ pictures: 2, compared: 1 });
    const begun = { ...part, pictures: part.pictures.slice(1) };
    expect(() => compareEvaluations(part, begun)).toThrow(refused("second", 1));
  });
});
