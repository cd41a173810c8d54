import { describe, expect, test } from "vitest";
import { ClassNames } from "../../src/labels/find-class.ts";
import { IMAGENET_LABELS } from "../../src/labels/imagenet.ts";

const classes = new ClassNames();
const find = (name: string) => classes.find(name, "here");

describe("a class is found by", () => {
  test("its WordNet id, and its whole line of the label file unless several have it", () => {
    const lines = new Map<string, number>();
    for (const { name } of IMAGENET_LABELS) lines.set(name.toLowerCase(), (lines.get(name.toLowerCase()) ?? 0) + 1);
    IMAGENET_LABELS.forEach(({ id, name }, index) => {
      expect(find(id)).toBe(index);
      const shared = IMAGENET_LABELS.some(
        (other, at) => at !== index && other.name.toLowerCase().split(", ").includes(name.toLowerCase()),
      );
      if (!shared) expect(find(name)).toBe(index);
    });
  });

  test.each([
    ["tench", 0],
    ["Tinca tinca", 0],
    ["GREAT_WHITE_SHARK", 2],
    ["  white   shark ", 2],
    ["n01440764-tench", 0],
    ["n01440764 whatever", 0],
    ["N01440764", 0],
    ["tabby, tabby cat", 281],
  ])("%j", (name, index) => {
    expect(find(name)).toBe(index);
  });
});

test.each([
  ["crane", /^here: "crane" is several classes' name; use n02012849 \(crane\) or n03126707 \(crane\)$/],
  ["missile", /use n03773504 \(missile\) or n04008634 \(projectile, missile\)$|use .* or .*$/],
  ["Cardigan", /is several classes' name; use n02113186 .* or n02963159 \(cardigan\)$/],
  ["tensch", /^here: "tensch" is no class's name; use WordNet ids or names of classes; near ones are "tench",/],
  ["n00000001", /^here: n00000001 is none of the 1000 classes; check the id$/],
  ["n014407640", /is no class's name/],
  ["", /"" is no class's name/],
  ["281", /"281" is no class's name/],
])("%j is refused", (name, message) => {
  expect(() => find(name)).toThrow(
    expect.objectContaining({ code: "evaluation", message: expect.stringMatching(message) as string }),
  );
});
