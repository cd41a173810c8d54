import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { IMAGENET_LABELS } from "../../src/labels/imagenet.ts";
import { labelOf, parseLabels, topK } from "../../src/labels/labels.ts";

describe("the 1000 classes", () => {
  test("are 1000, in the order of their ids, each once", () => {
    const ids = IMAGENET_LABELS.map(({ id }) => id);
    expect(ids.length).toBe(1000);
    expect(ids.every((id) => /^n\d{8}$/.test(id))).toBe(true);
    expect(ids.every((id, i) => i === 0 || ids[i - 1] < id)).toBe(true);
    expect(IMAGENET_LABELS.every(({ name }) => name.trim() === name && name !== "")).toBe(true);
  });

  test.each([
    [0, "n01440764", "tench, Tinca tinca"],
    [88, "n01818515", "macaw"],
    [285, "n02124075", "Egyptian cat"],
    [409, "n02708093", "analog clock"],
    [812, "n04266014", "space shuttle"],
    [892, "n04548280", "wall clock"],
    [934, "n07697537", "hotdog, hot dog, red hot"],
    [967, "n07920052", "espresso"],
    [999, "n15075141", "toilet tissue, toilet paper, bathroom tissue"],
  ])("%i is %s %s", (classIndex, id, name) => {
    expect(labelOf(classIndex)).toEqual({ id, name });
  });

  test.each([-1, 1000, 0.5, NaN])("there is no class %d", (classIndex) => {
    expect(() => labelOf(classIndex)).toThrow(expect.objectContaining({ code: "usage" }));
  });
});

describe("parseLabels", () => {
  test("reads back the table", () => {
    const text = IMAGENET_LABELS.map(({ id, name }) => `${id} ${name}\n`).join("");
    expect(parseLabels(text, "labels.txt", 1000)).toEqual(IMAGENET_LABELS);
  });

  test("takes Windows's line ends, a byte order mark, tabs and a last line without an end", () => {
    expect(parseLabels("\uFEFFa  first one\r\nb\tdeuxième", "labels.txt")).toEqual([
      { id: "a", name: "first one" },
      { id: "b", name: "deuxième" },
    ]);
  });

  test.each([
    ["", "there is no class in it"],
    ["\n", "line 1 is not"],
    ["a one\nb\n", "line 2 is not"],
    ["a one\n\nb two\n", "line 2 is not"],
    ["a one\n b two\n", "line 2 is not"],
    ["a one\nb   \n", "line 2 is not"],
    ["a one\nb two\n\n", "line 3 is not"],
    ["a one\nb two\na three\n", "line 3 gives the id a again, after line 1"],
    ["a one\nb \u001b[31mtwo\n", "line 2 holds characters that are not text"],
    ["a one\nb \uFFFD\n", "line 2 holds characters that are not text"],
  ])("refuses %j", (text, problem) => {
    expect(() => parseLabels(text, "labels.txt")).toThrow(
      expect.objectContaining({
        code: "array",
        subject: "labels.txt",
        message: expect.stringContaining(problem) as string,
      }),
    );
  });

  test("refuses another number of classes than the network's", () => {
    expect(() => parseLabels("a one\nb two\n", "labels.txt", 3)).toThrow("it has 2 classes where the network has 3");
  });
});

describe("topK", () => {
  test("most probable first, of equal ones the lower class", () => {
    expect(topK(Float32Array.of(0.25, 0.5, 0.25, 0, 0.25), 3)).toEqual([
      { class: 1, probability: 0.5 },
      { class: 0, probability: 0.25 },
      { class: 2, probability: 0.25 },
    ]);
  });

  test("all of them where there are fewer", () => {
    expect(topK([0.1, 0.9], 5).map((ranked) => ranked.class)).toEqual([1, 0]);
  });

  test("none is more probable than those that it gives", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 6 }), { minLength: 1, maxLength: 40 }),
        fc.integer({ min: 1, max: 45 }),
        (values, k) => {
          const top = topK(values, k);
          expect(top.length).toBe(Math.min(k, values.length));
          const given = new Set(top.map((ranked) => ranked.class));
          const last = top.at(-1)!;
          for (const [index, value] of values.entries()) {
            if (given.has(index)) continue;
            expect(value < last.probability || (value === last.probability && index > last.class)).toBe(true);
          }
        },
      ),
    );
  });

  test.each([NaN, Infinity, -Infinity])("refuses %d", (value) => {
    expect(() => topK(Float32Array.of(0.5, value, 0.5), 1)).toThrow(
      expect.objectContaining({ code: "check", subject: "class 1" }),
    );
  });

  test.each([0, -1, 1.5, NaN, Infinity])("refuses the %d best", (k) => {
    expect(() => topK([1], k)).toThrow(expect.objectContaining({ code: "usage" }));
  });
});
