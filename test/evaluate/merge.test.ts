/** Shards joined into the whole, and evaluations as lines of JSON. */

import { describe, expect, test } from "vitest";
import { EngineError } from "../../src/errors.ts";
import { parseEvaluation } from "../../src/evaluate/lines.ts";
import { mergeShards, type NamedEvaluation } from "../../src/evaluate/merge.ts";
import { digestOfPictures, picturesOf } from "../../src/evaluate/pictures.ts";
import type { EvaluatedPicture, Evaluation, EvaluationRun } from "../../src/evaluate/record.ts";
import { summarise } from "../../src/evaluate/statistics.ts";
import { evaluationOf, randomPictures } from "../support/evaluations.ts";
import { freshSeed, uniform } from "../support/random.ts";

const seed = freshSeed();

async function wholeOf(pictures: readonly EvaluatedPicture[]): Promise<Evaluation> {
  return evaluationOf(pictures, { run: { total: pictures.length, pictures: await digestOfPictures(pictures) } });
}

function split(whole: Evaluation, of: number): NamedEvaluation[] {
  return Array.from({ length: of }, (_, part) => {
    const shard = { index: part + 1, of };
    return {
      name: `${part + 1}.json`,
      evaluation: {
        ...whole,
        shard,
        computedBy: [{ shard, adapter: "A GPU" }],
        pictures: picturesOf(shard, whole.pictures),
        seconds: 0.5,
        waitingSeconds: 0.25,
      },
    };
  });
}

const whole = await wholeOf(randomPictures(uniform(seed), 57));

test.each([1, 2, 3, 8, 57, 60])(`%i shards in any order are the whole (seed ${seed})`, async (of) => {
  const next = uniform(seed + of);
  const parts = split(whole, of)
    .map((part) => ({ part, order: next() }))
    .sort((a, b) => a.order - b.order)
    .map(({ part }) => part);
  const merged = await mergeShards(parts);
  const computedBy = Array.from({ length: of }, (_, part) => ({ shard: { index: part + 1, of }, adapter: "A GPU" }));
  expect(merged).toEqual({ ...whole, computedBy, seconds: of / 2, waitingSeconds: of / 4 });
  expect(summarise({ ...merged, seconds: whole.seconds, waitingSeconds: whole.waitingSeconds })).toEqual(
    summarise(whole),
  );
});

test("how long pictures were waited for is known of the whole only where it is of all shards", async () => {
  const parts = split(whole, 3).map(({ name, evaluation }, index) => ({
    name,
    evaluation: { ...evaluation, waitingSeconds: index === 1 ? null : 1 },
  }));
  expect((await mergeShards(parts)).waitingSeconds).toBeNull();
});

test("devices of all shards are named, and which was whose", async () => {
  const attempts = [["A GPU"], ["another", "A GPU"], []];
  const parts = split(whole, 3).map(({ name, evaluation }, index) => ({
    name,
    evaluation: {
      ...evaluation,
      computedBy: attempts[index].map((adapter) => ({ shard: evaluation.shard, adapter, tuning: null, batch: 8 })),
    },
  }));
  for (const order of [parts, parts.toReversed()]) {
    const { adapter, computedBy } = await mergeShards(order);
    expect(adapter).toBe("A GPU + another");
    expect(computedBy.map((each) => [each.shard.index, each.adapter])).toEqual([
      [1, "A GPU"],
      [2, "another"],
      [2, "A GPU"],
    ]);
  }
});

describe("parts that do not fit are refused, by name:", () => {
  const change = (parts: NamedEvaluation[], at: number, changes: Partial<Evaluation>): NamedEvaluation[] =>
    parts.map((part, index) => (index === at ? { ...part, evaluation: { ...part.evaluation, ...changes } } : part));
  const changeRun = (changes: Partial<EvaluationRun>) =>
    change(split(whole, 3), 1, { run: { ...whole.run, ...changes } });
  const alien = "2.json: it is no part of the evaluation that 1.json is of: ";

  test.each<[string, NamedEvaluation[]]>([
    [`${alien}engine version 9.9.9, not 0.1.0`, changeRun({ engine: "9.9.9" })],
    [
      `${alien}weights other (efefefefefef), not bvlc_googlenet.safetensors (c1c1c1c1c1c1)`,
      changeRun({ models: [{ name: "other", sha256: "ef".repeat(32) }] }),
    ],
    [`${alien}crops 144 (crops144), not 1 (squash256)`, changeRun({ crops: 144, protocol: "crops144" })],
    [`${alien}precision f16, not float32`, changeRun({ precision: "f16" })],
    [`${alien}backend cpu, not webgpu`, changeRun({ backend: "cpu" })],
    [`${alien}pictures 58, not 57`, changeRun({ total: 58 })],
    [`${alien}other pictures or labels`, changeRun({ pictures: "ab" })],
    [`${alien}4 shards, not 3`, [split(whole, 3)[0], split(whole, 4)[1]]],
    [`${alien}unreadable pictures out, not in`, change(split(whole, 3), 1, { skipUnreadable: true })],
    ["1.json: it is shard 1/3, as 1.json is; give each once", [...split(whole, 3), split(whole, 3)[0]]],
    ["merge: shard 2/3 is missing; give all shards' results", split(whole, 3).toSpliced(1, 1)],
    ["merge: shards 1/3, 3/3 are missing; give all shards' results", split(whole, 3).slice(1, 2)],
    [
      "merge: shards 2/57, 3/57, 4/57, 5/57, 6/57, 7/57, 8/57, 9/57, 10/57, 11/57 and 46 more are missing; give all shards' results",
      split(whole, 57).slice(0, 1),
    ],
    [
      "3.json: it lacks 2 of its pictures; let it be finished by the command that began it",
      change(split(whole, 3), 2, { pictures: split(whole, 3)[2].evaluation.pictures.slice(2) }),
    ],
    [
      "1.json: the parts' pictures are not those that the evaluation began with: a file is damaged; give the results of one evaluation's shards",
      change(split(whole, 3), 1, {
        pictures: split(whole, 3)[1].evaluation.pictures.map((each) => ({ ...each, class: 7 - each.class })),
      }),
    ],
    ["merge: there is nothing to join; give all shards' results", []],
  ])("%s", async (message, parts) => {
    const refused = mergeShards(parts);
    await expect(refused).rejects.toThrow(EngineError);
    await expect(refused).rejects.toThrow(message);
  });
});

describe("lines of JSON", () => {
  const print = (evaluation: Evaluation) => {
    const { pictures, ...rest } = evaluation;
    return [...pictures, { images: pictures.length, ...rest }].map((line) => `${JSON.stringify(line)}\n`).join("");
  };

  test("are read as they were printed", () => {
    const shard = split(whole, 4)[2].evaluation;
    expect(parseEvaluation(print(shard), "3.json")).toEqual(shard);
    const pictures = shard.pictures.map((each) => ("error" in each ? each : { ...each, models: [[1, 2], each.top5] }));
    expect(parseEvaluation(print({ ...shard, pictures }), "3.json")).toEqual({ ...shard, pictures });
    expect(parseEvaluation(print(shard).replaceAll("\n", "\r\n"), "3.json")).toEqual(shard);
  });

  test("of a result that names its adapter alone, nothing else of what computed it is known", () => {
    const shard = split(whole, 4)[2].evaluation;
    const text = print(shard).replace(/,"computedBy":\[[^\]]*\]/, "");
    expect(parseEvaluation(text, "3.json")).toEqual(shard);
    expect(parseEvaluation(text.replace(/,"adapter":"[^"]*"/, ""), "3.json")).toMatchObject({
      adapter: "",
      computedBy: [],
    });
  });

  test("of pictures without times, or with no word of waiting, say nothing of it", () => {
    const shard = split(whole, 4)[2].evaluation;
    const text = print(shard);
    const without = (name: string) => text.replaceAll(new RegExp(`,"${name}":[^,}]+`, "g"), "");
    expect(parseEvaluation(without("waitingSeconds"), "3.json")).toEqual({ ...shard, waitingSeconds: null });
    const timed = shard.pictures.map((each, index) => ({
      ...each,
      seconds: 2,
      waitingSeconds: index === 0 ? null : 1,
    }));
    const state = [{ evaluation: 1, run: shard.run, shard: shard.shard }, ...timed].map((each) => JSON.stringify(each));
    const known = { seconds: 2 * timed.length, waitingSeconds: null };
    expect(parseEvaluation(state.join("\n"), "3.state")).toMatchObject(known);
    expect(parseEvaluation(state.toSpliced(1, 1).join("\n"), "3.state")).toMatchObject({
      seconds: 2 * (timed.length - 1),
      waitingSeconds: timed.length - 1,
    });
  });

  const line = (fields: object) => `${JSON.stringify(fields)}\n`;
  const { run, shard, adapter } = whole;
  const picture = { number: 0, image: "a", class: 1, top5: [1], probabilities: [0.5], ofClass: 0.5 };
  test.each<[string, string]>([
    ["", "it is not an evaluation, or its last line is missing"],
    [line(picture), "it is not an evaluation, or its last line is missing"],
    ["hello", "line 1 is not a JSON object"],
    [`${line(picture)}[]`, "line 2 is not a JSON object"],
    [line({ run, shard: { index: 0, of: 1 } }), "line 1 has no valid shard"],
    [line({ run: { ...run, models: [] }, shard }), "line 1 has no valid run"],
    [line({ run: { ...run, total: -1 }, shard }), "line 1 has no valid run"],
    [line({ run, shard, adapter: 7 }), "line 1 has no valid adapter"],
    [line({ run, shard, adapter, skipUnreadable: "no" }), "line 1 has no valid skipUnreadable"],
    [line({ run, shard, seconds: -1 }), "line 1 has no valid seconds"],
    [line({ run, shard, adapter, tuning: 5 }), "line 1 has no valid adapter"],
    [line({ run, shard, adapter, batch: -1 }), "line 1 has no valid adapter"],
    [line({ run, shard, computedBy: adapter }), "line 1 has no valid computedBy"],
    [line({ run, shard, computedBy: [{ adapter }] }), "line 1 has no valid computedBy"],
    [line({ run, shard, computedBy: [{ shard, adapter: 5 }] }), "line 1 has no valid computedBy"],
    [line({ run, shard, seconds: 1, waitingSeconds: "2" }), "line 1 has no valid waitingSeconds"],
    [line({ run, shard }) + line({ run, shard }), "line 2 begins another evaluation"],
    [line({ ...picture, number: -1 }), "line 1 has no valid number"],
    [line({ ...picture, image: 5 }), "line 1 has no valid image"],
    [line({ ...picture, class: 1.5 }), "line 1 has no valid class"],
    [line({ ...picture, top5: [] }), "line 1 has no valid top5"],
    [line({ ...picture, top5: [1, 2, 3, 4, 5, 6] }), "line 1 has no valid top5"],
    [line({ ...picture, probabilities: [0.5, 0.5] }), "line 1 has no valid probabilities"],
    [line({ ...picture, probabilities: ["NaN"] }), "line 1 has no valid probabilities"],
    [line({ ...picture, ofClass: null }), "line 1 has no valid ofClass"],
    [line({ ...picture, models: [[1], []] }), "line 1 has no valid models"],
    [line({ ...picture, models: [1] }), "line 1 has no valid models"],
    [line({ number: 0, image: "a", class: 1, error: 5 }), "line 1 has no valid error"],
    [line({ ...picture, number: 57 }) + line({ run, shard }), "picture 57 is none of shard 1/1 of 57 pictures"],
    [line(picture) + line({ run, shard: { index: 2, of: 2 } }), "picture 0 is none of shard 2/2 of 57 pictures"],
  ])("%j is refused", (text, problem) => {
    expect(() => parseEvaluation(text, "x.json")).toThrow(
      expect.objectContaining({
        code: "evaluation",
        message: `x.json: ${problem}; give a state file, or what evaluate --json printed, whole`,
      }),
    );
  });
});
