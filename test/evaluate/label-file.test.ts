import { describe, expect, test } from "vitest";
import { parseLabelFile, parseSynsets } from "../../src/evaluate/label-file.ts";
import { ClassNames } from "../../src/labels/find-class.ts";

const classes = new ClassNames();

describe("a label file", () => {
  test("is a list of paths with spaces and 0-based classes or WordNet ids", () => {
    const text = "\uFEFFa.jpg 0\r\nfolder with spaces/b c.jpg\t999\n\n  ./d 7 8 .png n01443537  \n";
    expect(parseLabelFile(text, "val.txt", classes)).toEqual({
      kind: "list",
      entries: [
        { path: "a.jpg", class: 0, line: 1 },
        { path: "folder with spaces/b c.jpg", class: 999, line: 2 },
        { path: "./d 7 8 .png", class: 1, line: 4 },
      ],
    });
  });

  test("or a class a line", () => {
    expect(parseLabelFile("490\n361\r\n171\n\n", "truth.txt", classes)).toEqual({
      kind: "truth",
      labels: ["490", "361", "171"],
    });
    expect(parseLabelFile("n01751748", "truth.txt", classes)).toEqual({ kind: "truth", labels: ["n01751748"] });
  });

  test.each([
    ["", "val.txt: it is empty; give a line a picture"],
    [" \n\n", "val.txt: it is empty; give a line a picture"],
    ["a.jpg 0\nb.jpg", "val.txt: line 2 is not `path class`; give `path class`, a line a picture"],
    ["a.jpg 0\n5", "val.txt: line 2 is not `path class`; give `path class`, a line a picture"],
    ["a.jpg -1", "val.txt: line 1 is not `path class`; give `path class`, a line a picture"],
    ["a.jpg 1.5", "val.txt: line 1 is not `path class`; give `path class`, a line a picture"],
    ["a.jpg 999\nb.jpg 1000", "val.txt, line 2: there is no class 1000; count them from 0 to 999"],
    ["a.jpg n00000001", "val.txt, line 1: n00000001 is none of the 1000 classes; check the id"],
    ["5\na.jpg 0", "val.txt: line 2 is no class alone, as the first line is; give `path class`, a line a picture"],
    ["5\n\n6", "val.txt: line 2 is no class alone, as the first line is; give `path class`, a line a picture"],
  ])("%j is refused", (text, message) => {
    expect(() => parseLabelFile(text, "val.txt", classes)).toThrow(
      expect.objectContaining({ code: "evaluation", message }),
    );
  });
});

describe("ILSVRC's table of its own numbers", () => {
  test("may have either first, and more behind", () => {
    const expected = new Map([
      [1, 278],
      [449, 0],
    ]);
    expect(parseSynsets("n02119789 1 kit_fox\nn01440764 449 tench\n", "map_clsloc.txt", classes)).toEqual(expected);
    expect(parseSynsets("1,n02119789,kit fox\r\n449,n01440764,tench", "map.csv", classes)).toEqual(expected);
  });

  test.each([
    ["n02119789 kit_fox", "map: line 1 has no WordNet id and number; give `n01440764 449`, a line a class"],
    ["1 n02119789\n1 n01440764", "map, line 2: number 1 is there before; give each class and number once"],
    ["1 n02119789\n2 n02119789", "map, line 2: n02119789 is there before; give each class and number once"],
    ["1 n00000001", "map, line 1: n00000001 is none of the 1000 classes; check the id"],
  ])("%j is refused", (text, message) => {
    expect(() => parseSynsets(text, "map", classes)).toThrow(expect.objectContaining({ code: "evaluation", message }));
  });
});
