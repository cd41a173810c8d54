/** What computed an evaluation: told apart, named, and what an attempt changes. */

import { describe, expect, test } from "vitest";
import { adapterOf, allOf, byComputer, changes } from "../../src/evaluate/computed-by.ts";
import type { ComputedBy } from "../../src/evaluate/record.ts";

const whole = { index: 1, of: 1 };
const one: ComputedBy = { shard: whole, adapter: "A GPU", tuning: null, batch: 40 };
const tuned = "0a1b2c3d".repeat(8);

test("equal attempts count once, where they came last", () => {
  const other = { ...one, adapter: "B" };
  expect(allOf([one, other], [{ ...one }])).toEqual([other, one]);
  expect(allOf([one], [{ ...one, batch: 8 }], [{ ...one, shard: { index: 1, of: 2 } }])).toHaveLength(3);
  expect(allOf()).toEqual([]);
});

test("devices are named once each, also where a name is of several", () => {
  const names = ["A GPU", "B + A GPU", "", "C"];
  expect(adapterOf(names.map((adapter) => ({ ...one, adapter })))).toBe("A GPU + B + C");
});

describe("an attempt may change last bits", () => {
  test.each<[Partial<ComputedBy>, Partial<ComputedBy>, string[]]>([
    [{}, {}, []],
    [{}, { adapter: "B" }, ["B in place of A GPU"]],
    [{}, { tuning: tuned }, ["kernels as tuned (0a1b2c3d) in place of kernels by default"]],
    [
      { tuning: tuned, adapter: "B" },
      {},
      ["A GPU in place of B", "kernels by default in place of kernels as tuned (0a1b2c3d)"],
    ],
    [
      { tuning: tuned },
      { tuning: `ffffffff${tuned}` },
      ["kernels as tuned (ffffffff) in place of kernels as tuned (0a1b2c3d)"],
    ],
    // By default a picture's bits are the same in every batch.
    [{}, { batch: 8 }, []],
    [{ tuning: tuned }, { tuning: tuned, batch: 8 }, ["batches of 8 in place of batches of 40"]],
  ])("%j, then %j: %j", (before, now, expected) => {
    expect(changes({ ...one, ...before }, { ...one, ...now })).toEqual(expected);
  });

  test("of what is not known nothing is said", () => {
    expect(changes({ shard: whole, adapter: "A GPU" }, { ...one, tuning: tuned, batch: 1 })).toEqual([]);
  });
});

test("those that computed alike stand together, with their shards", () => {
  const shard = (index: number, rest: Partial<ComputedBy> = {}) => ({ ...one, shard: { index, of: 9 }, ...rest });
  const bare = { shard: { index: 9, of: 9 }, adapter: "" };
  expect(
    byComputer([shard(3), shard(1), shard(2), shard(4, { batch: 8 }), shard(7), shard(7, { tuning: tuned }), bare]),
  ).toEqual([
    { shards: "shards 1–4, 7 of 9", name: "A GPU, kernels by default" },
    { shards: "shard 7 of 9", name: "A GPU, kernels as tuned (0a1b2c3d), batches of 40" },
    { shards: "shard 9 of 9", name: "not known" },
  ]);
  expect(byComputer([one, { ...one, adapter: "B" }]).map(({ shards }) => shards)).toEqual(["", ""]);
  expect(byComputer([])).toEqual([]);
});
