/** Which pictures a folder has and what they show, and the ways in which that can be unclear. */

import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { EngineError } from "../../src/errors.ts";
import { listLabelledPictures } from "../../src/node/labelled-folder.ts";

const root = mkdtempSync(path.join(tmpdir(), "googlenet labelled "));
const folder = path.join(root, "pictures");
const labels = path.join(root, "labels.txt");
const synsets = path.join(root, "synsets.txt");

beforeEach(() => {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Makes empty files: nothing is decoded here. */
function make(...files: string[]): void {
  for (const file of files) {
    mkdirSync(path.dirname(path.join(folder, file)), { recursive: true });
    writeFileSync(path.join(folder, file), "");
  }
}

const shown = async (source: Parameters<typeof listLabelledPictures>[1] = {}) =>
  (await listLabelledPictures(folder, source)).pictures.map(({ number, image, class: index }) => [
    number,
    image,
    index,
  ]);

async function problem(source: Parameters<typeof listLabelledPictures>[1] = {}): Promise<string> {
  try {
    await listLabelledPictures(folder, source);
  } catch (error) {
    expect(error).toBeInstanceOf(EngineError);
    return (error as Error).message.replaceAll(root + path.sep, "");
  }
  throw new Error("nothing was refused");
}

describe("pictures are labelled by", () => {
  test("their folders: ids and names mixed, more folders within, in the order of their paths", async () => {
    make(
      "n01443537/b.jpg",
      "n01443537/a.jpg",
      "Tinca_tinca/deep/er/c.PNG",
      "tabby, tabby cat/d.webp",
      "tench/notes.txt",
    );
    expect(await shown()).toEqual([
      [0, "Tinca_tinca/deep/er/c.PNG", 0],
      [1, "n01443537/a.jpg", 1],
      [2, "n01443537/b.jpg", 1],
      [3, "tabby, tabby cat/d.webp", 281],
    ]);
    expect((await listLabelledPictures(folder)).passedOver).toBe(1);
  });

  test("a list, whatever its order and spelling, of files that do not end like pictures too", async () => {
    make("b.jpg", "sub folder/a b.jpg", "odd.bmp");
    writeFileSync(labels, `./sub folder/a b.jpg 5\n${path.join(folder, "b.jpg")} 7\nsub folder/../odd.bmp 9\n`);
    expect(await shown({ labels })).toEqual([
      [0, "b.jpg", 7],
      [1, "odd.bmp", 9],
      [2, "sub folder/a b.jpg", 5],
    ]);
  });

  test("a class a line, in the order of their numbers", async () => {
    make("v_02.jpg", "v_01.jpg", "v_10.jpg");
    writeFileSync(labels, "n01440764\nn01443537\nn02123045\n");
    const expected = [
      [0, "v_01.jpg", 0],
      [1, "v_02.jpg", 1],
      [2, "v_10.jpg", 281],
    ];
    expect(await shown({ labels })).toEqual(expected);
    writeFileSync(labels, "449\n450\n174\n");
    writeFileSync(synsets, "n01440764 449\nn01443537 450\nn02123045 174\n");
    expect(await shown({ labels, synsets })).toEqual(expected);
  });
});

describe("refused are", () => {
  test.each<[string, string[], string | null, string]>([
    ["an empty folder", ["notes.txt"], null, "pictures: there is no picture in it; name a folder that holds some"],
    ["an empty folder", [], "5\n", "pictures: there is no picture in it; name a folder that holds some"],
    [
      "no labels",
      ["a.jpg"],
      null,
      "pictures/a.jpg: nothing says what it shows; put pictures into a folder a class, named by WordNet id or name, or give --labels FILE",
    ],
    [
      "an unknown class, with near names",
      ["tensch/a.jpg"],
      null,
      'folder pictures/tensch: "tensch" is no class\'s name; use WordNet ids or names of classes; near ones are "tench", "torch", "thatch"',
    ],
    [
      "a name of two classes",
      ["crane/a.jpg"],
      null,
      'folder pictures/crane: "crane" is several classes\' name; use n02012849 (crane) or n03126707 (crane)',
    ],
    [
      "a list that is longer",
      ["a.jpg"],
      "a.jpg 0\nb.jpg 1\nc.jpg 1\nd.jpg 1\ne.jpg 1\n",
      "labels.txt: 4 pictures (b.jpg, c.jpg, d.jpg, …) are listed, but not in pictures; list the folder's pictures, by their paths in it",
    ],
    [
      "a list that is shorter",
      ["a.jpg", "b.jpg"],
      "a.jpg 0\n",
      "labels.txt: 1 picture (b.jpg) is in pictures, but not listed; list every picture, or evaluate a folder of those that are",
    ],
    [
      "a path twice",
      ["a.jpg"],
      "a.jpg 0\n./a.jpg 0\n",
      "labels.txt, line 2: ./a.jpg is listed before, in line 1; list each picture once",
    ],
    [
      "a path outside",
      ["a.jpg"],
      "../a.jpg 0\n",
      "labels.txt, line 1: ../a.jpg is not in pictures; give paths from that folder on",
    ],
    [
      "a path outside",
      ["a.jpg"],
      "/a.jpg 0\n",
      "labels.txt, line 1: /a.jpg is not in pictures; give paths from that folder on",
    ],
    [
      "a class out of range",
      ["a.jpg"],
      "a.jpg 1000\n",
      "labels.txt, line 1: there is no class 1000; count them from 0 to 999",
    ],
    [
      "a line too many",
      ["1.jpg"],
      "n01440764\nn01440764\n",
      "labels.txt: it has 2 lines for 1 picture in pictures; give a line a picture, or a list `path class`",
    ],
    [
      "ILSVRC's own numbers without their table",
      ["1.jpg"],
      "490\n",
      "labels.txt: its numbers are ILSVRC's own, in another order than the network's classes; add --synsets FILE, the development kit's table of them, or give WordNet ids or a list `path class`",
    ],
    [
      "lines without paths for pictures whose order is unsure",
      ["1.jpg", "2.jpg", "10.jpg"],
      "n01440764\nn01440764\nn01443537\n",
      "labels.txt: it has no paths, and pictures come in another order by name than by number (at 2.jpg); give a list `path class`",
    ],
    [
      "lines without paths for pictures in folders",
      ["b/1.jpg", "a/2.jpg"],
      "n01440764\nn01443537\n",
      "labels.txt: it has no paths, and pictures lie in folders (a/2.jpg), so that their order is unsure; give a list `path class`",
    ],
    ["binary files", ["a.jpg"], "\uD800", "labels.txt: it is not text (UTF-8); name a text file"],
  ])("%s: %j", async (_, files, list, message) => {
    make(...files);
    if (list === null) {
      expect(await problem()).toBe(message);
    } else {
      writeFileSync(labels, list === "\uD800" ? Uint8Array.of(0xff, 0xfe) : list);
      expect(await problem({ labels })).toBe(message);
    }
  });

  test("a number that the table lacks", async () => {
    make("1.jpg");
    writeFileSync(labels, "490\n");
    writeFileSync(synsets, "1 n02119789\n");
    expect(await problem({ labels, synsets })).toBe(
      "labels.txt: line 1: the table has no number 490; check both files",
    );
  });

  test("a folder that is none, and label files that are none", async () => {
    make("tench/a.jpg");
    await expect(listLabelledPictures(path.join(folder, "nowhere"))).rejects.toThrow(/there is no such file/);
    await expect(listLabelledPictures(path.join(folder, "tench/a.jpg"))).rejects.toThrow(/it is no folder/);
    expect(await problem({ labels: path.join(root, "none.txt") })).toBe(
      "none.txt: it cannot be read: there is no such file or folder; check the path",
    );
    expect(await problem({ labels: folder })).toBe("pictures: it is not a regular file; name a text file");
  });

  test("nothing of a folder that is reached twice: it is listed once", async () => {
    make("tench/a.jpg");
    symlinkSync(path.join(folder, "tench"), path.join(folder, "goldfish"));
    expect(await shown()).toHaveLength(1);
  });
});
