/**
 * Files that say what pictures show. Either a picture and its class a line, or only a class a line, for the pictures in
 * the order of their names.
 */

import { EngineError } from "../errors.ts";
import type { ClassNames } from "../labels/find-class.ts";

export type LabelFile =
  /** `path class` a line, as ILSVRC's val.txt: paths as they are written, classes 0-based. */
  | { readonly kind: "list"; readonly entries: readonly LabelEntry[] }
  /** A class a line, by WordNet id or by a number of ILSVRC's own, as its ground-truth file. */
  | { readonly kind: "truth"; readonly labels: readonly string[] };

export interface LabelEntry {
  readonly path: string;
  readonly class: number;
  /** The line that says so, from 1. */
  readonly line: number;
}

const LONE = /^\s*(\d+|n\d{8})\s*$/;
const PAIR = /^\s*(.*\S)\s+(\d+|n\d{8})\s*$/;

/**
 * Reads a label file; its first line says which kind it is. Classes of a list may be WordNet ids as well.
 *
 * @param file what errors call it
 * @throws EngineError "evaluation" that names the line
 */
export function parseLabelFile(text: string, file: string, classes: ClassNames): LabelFile {
  const lines = text.replace(/^\uFEFF/, "").split(/\r?\n/);
  while (lines.at(-1)?.trim() === "") lines.pop();
  if (lines.length === 0) throw new EngineError("evaluation", file, "it is empty", "give a line a picture");
  if (LONE.test(lines[0])) {
    const labels = lines.map((line, index) => {
      const [, label] = LONE.exec(line) ?? [];
      if (label === undefined) throw badLine(file, index + 1, "is no class alone, as the first line is");
      return label;
    });
    return { kind: "truth", labels };
  }
  const entries = lines.flatMap((line, index) => {
    if (line.trim() === "") return [];
    const [, path, label] = PAIR.exec(line) ?? [];
    if (path === undefined) throw badLine(file, index + 1, "is not `path class`");
    return { path, class: classOf(label, `${file}, line ${index + 1}`, classes), line: index + 1 };
  });
  return { kind: "list", entries };
}

function classOf(label: string, subject: string, classes: ClassNames): number {
  if (label.startsWith("n")) return classes.find(label, subject);
  const index = Number(label);
  if (index >= classes.count) {
    const remedy = `count them from 0 to ${classes.count - 1}`;
    throw new EngineError("evaluation", subject, `there is no class ${label}`, remedy);
  }
  return index;
}

/**
 * The classes of ILSVRC's own numbers (`ILSVRC2012_ID`), from its development kit's table: a line has a WordNet id and a
 * number, in either order, and may have more behind them, as in `map_clsloc.txt`.
 *
 * ILSVRC numbers its classes from 1 and in an order of its own, which is not that of the networks' outputs and can't be
 * told from a list of numbers: taken for the other one they would give wrong figures without a sign.
 *
 * @throws EngineError "evaluation" that names the line
 */
export function parseSynsets(text: string, file: string, classes: ClassNames): Map<number, number> {
  const table = new Map<number, number>();
  const seen = new Map<number, number>();
  const lines = text.replace(/^\uFEFF/, "").split(/\r?\n/);
  lines.forEach((line, index) => {
    if (line.trim() === "") return;
    const [first = "", second = ""] = line.trim().split(/[\s,;]+/);
    const [id, number] = first.startsWith("n") ? [first, second] : [second, first];
    if (!/^n\d{8}$/.test(id) || !/^\d+$/.test(number)) {
      throw badLine(file, index + 1, "has no WordNet id and number", "give `n01440764 449`, a line a class");
    }
    const where = `${file}, line ${index + 1}`;
    const shown = classes.find(id, where);
    if (table.has(Number(number)) || seen.has(shown)) {
      const what = table.has(Number(number)) ? `number ${number}` : id;
      throw new EngineError("evaluation", where, `${what} is there before`, "give each class and number once");
    }
    table.set(Number(number), shown);
    seen.set(shown, index + 1);
  });
  return table;
}

function badLine(file: string, line: number, problem: string, remedy = "give `path class`, a line a picture") {
  return new EngineError("evaluation", file, `line ${line} ${problem}`, remedy);
}
